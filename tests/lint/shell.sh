#!/bin/sh
# Every shell script passes shellcheck.

set -eu
command -v shellcheck >/dev/null || {
	echo "shellcheck is not installed"
	exit 77
}
cd "${TAPSTACK_SRCDIR:-.}"
{
	echo autogen.sh
	find .ci tests -type f | sort | while read -r file; do
		head -n 1 "$file" | grep -Eq '^#!/(usr/)?bin/(env )?(ba)?sh' && echo "$file"
	done
} | xargs shellcheck
