#!/bin/sh
# A plugin exports its descriptor and nothing else.

set -eu
status=0
count=0
for plugin in "${TAPSTACK_BUILDDIR:-.}"/plugins/*/.libs/*.so; do
	test -e "$plugin" || continue
	count=$((count + 1))
	exported=$(nm -D --defined-only --format=posix "$plugin" | awk '{ print $1 }')
	if test "$exported" != tapstack_plugin; then
		printf '%s exports:\n%s\n' "${plugin##*/}" "$exported"
		status=1
	fi
done
echo "$count plugins"
test "$count" != 0 || status=1
exit $status
