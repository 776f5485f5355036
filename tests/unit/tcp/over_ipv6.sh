#!/bin/sh
# All dialogues with a stack once more, over IPv6: the tests are the same programs, and peer.c asks the environment. (What
# tests/conformance has runs over both by itself.)

set -u
build=${TAPSTACK_BUILDDIR:-.}
status=0
count=0

export TAPSTACK_TEST_FAMILY=6
for test in "$build"/tests/unit/tcp/test_*; do
	case ${test##*/} in
	*.*) continue ;;
	esac
	if ! test -x "$test" || ! test -f "$test"; then
		continue
	fi
	count=$((count + 1))
	"$test" >"$build/over_ipv6.out" 2>&1 && continue
	test $? -eq 77 && continue # it is about IPv4
	echo "FAIL over IPv6: $test"
	cat "$build/over_ipv6.out"
	status=1
done
rm -f "$build/over_ipv6.out"
test "$count" -gt 0 || {
	echo "no tests in $build"
	exit 1
}
echo "$count programs"
exit $status
