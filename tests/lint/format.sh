#!/bin/sh
# Every C file looks as .clang-format says.

set -eu
command -v clang-format >/dev/null || {
	echo "clang-format is not installed"
	exit 77
}
cd "${TAPSTACK_SRCDIR:-.}"
find include daemon ctl plugins conf man tests -name '*.[ch]' | sort | xargs clang-format --dry-run -Werror
