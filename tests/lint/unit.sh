#!/bin/sh
# systemd understands the unit, and thinks no worse of its confinement than we do.

set -eu
command -v systemd-analyze >/dev/null || {
	echo "systemd-analyze is not installed"
	exit 77
}
build=${TAPSTACK_BUILDDIR:-.}
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
unit=$folder/tapstackd.service

# The program is not installed where the unit looks for it; any that exists will do here.
sed 's|^\(Exec[A-Za-z]*=\)[^ ]*/tapstackd|\1/bin/true|' "$build/systemd/tapstackd.service" >"$unit"
if grep -n '@[a-z]*@' "$build"/systemd/tapstackd.service "$build"/systemd/tapstack.conf \
	"$build"/systemd/tmpfiles/tapstack.conf; then
	echo "a path was not substituted"
	exit 1
fi

complaints=$(systemd-analyze verify --man=no "$unit" 2>&1 | grep -F tapstackd.service || true)
if test -n "$complaints"; then
	printf '%s\n' "$complaints"
	exit 1
fi
# In tenths: 0 is a process that can do nothing, 100 one that can do everything.
systemd-analyze security --offline=true --no-pager --threshold=20 "$unit"
