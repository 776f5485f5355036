#!/bin/sh
# The core asks nothing of the system: all that its archive leaves undefined is memory functions, keyed hashing and
# what a compiler adds by itself. And nothing in the daemon keeps state at file scope, so that many stacks can live
# in one process.

set -eu
build=${TAPSTACK_BUILDDIR:-.}
source=${TAPSTACK_SRCDIR:-.}
status=0

archive=$build/.libs/libcore.a
test -e "$archive" || {
	echo "no libcore.a in $build"
	exit 1
}

allowed='bcmp|mem(cpy|move|set|cmp|chr)|__mem(cpy|move|set)_chk|crypto_shorthash[a-z0-9_]*'
allowed="$allowed|__stack_chk_fail|_GLOBAL_OFFSET_TABLE_|__(u?div|u?mod|u?divmod|popcount|clz|ctz|mul|ashl|lshr|ashr)[sdt]i[0-9]"
# What --enable-sanitizers, --enable-thread-sanitizer and gcov put in.
allowed="$allowed|__(asan|ubsan|tsan|sanitizer|sancov|gcov|llvm)_[A-Za-z0-9_]*"

defined=$(mktemp)
trap 'rm -f "$defined"' EXIT
nm --defined-only --format=posix "$archive" | awk 'NF > 1 { print $1 }' | sort -u >"$defined"
impure=$(nm -A --undefined-only --format=posix "$archive" | awk -v known="$defined" -v allowed="^($allowed)\$" '
	BEGIN { while ((getline name < known) > 0) defined[name] = 1 }
	!($2 in defined) && $2 !~ allowed { print "  " $1 " " $2 }')
if test -n "$impure"; then
	printf 'the core needs what it may not have:\n%s\n' "$impure"
	status=1
fi

# A sanitizer adds data of its own to every object; the plain build speaks for the same sources.
if nm "$archive" | grep -Eq '__(asan|tsan)_'; then
	echo "a sanitizer's build: mutable data not looked for"
	exit $status
fi
libraries=$(sed -n 's/^noinst_LTLIBRARIES *+= *\(.*\)\.la$/\1/p' "$source"/daemon/*/local.mk "$source"/ctl/local.mk)
for library in libcore $libraries; do
	archive=$build/.libs/$library.a
	# .data.rel.ro is constant tables that hold addresses. daemon/log.c speaks for the process, which has one stderr.
	mutable=$(nm -A --format=sysv "$archive" | awk -F'|' '
		$1 ~ /[:-]log\.o:/ { next }
		$7 ~ /^(\.data|\.bss|\.tdata|\.tbss|\*COM\*)/ && $7 !~ /^\.data\.rel\.ro/ && $4 ~ /OBJECT|TLS/ {
			print "  " $1 " (" $7 ")"
		}')
	if test -n "$mutable"; then
		printf '%s keeps mutable state at file scope:\n%s\n' "${archive##*/}" "$mutable"
		status=1
	fi
done
exit $status
