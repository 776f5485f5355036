#!/bin/sh
# The tests with real clients once more, over IPv6: the same programs, and harness.py asks the environment. Those that
# are not here choose their families themselves, or are about something below or beside IP.

set -u
folder=${TAPSTACK_SRCDIR:-.}/tests/live
status=0

export TAPSTACK_LIVE_FAMILY=IPv6
export TAPSTACK_LIVE_BYTES="${TAPSTACK_LIVE_BYTES:-67108864}"
for name in daemon echo http plugins relay shards; do
	echo "== test_$name.py over IPv6"
	"$folder/test_$name.py" || status=1
done
exit $status
