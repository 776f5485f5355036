#!/bin/sh
# The other lints find what they are for: each is shown a small tree with one fault in it, and one without.

set -eu
lints=${TAPSTACK_SRCDIR:-.}/tests/lint
clang_format=$lints/../../.clang-format
tree=$(mktemp -d)
trap 'rm -rf "$tree"' EXIT
status=0

# fresh: a small tree in which every lint is content
fresh()
{
	rm -rf "$tree"
	mkdir -p "$tree/.ci" "$tree/include/tapstack" "$tree/daemon/core/base" "$tree/daemon/audit" "$tree/daemon/config" \
		"$tree/daemon/control" "$tree/daemon/core/tcp" "$tree/ctl" "$tree/plugins/congestion/.libs" \
		"$tree/conf" "$tree/man" "$tree/tests" "$tree/.libs"
	cp "$clang_format" "$tree/.clang-format"
	printf '#!/bin/sh\ntrue\n' >"$tree/autogen.sh"
	printf '#pragma once\n#include <stdint.h>\n' >"$tree/daemon/core/base/seq.h"
	printf '#pragma once\n#include "core/base/seq.h"\n' >"$tree/daemon/audit/audit.h"
	printf '#pragma once\n' >"$tree/daemon/config/config.h"
	printf '#pragma once\n' >"$tree/include/tapstack/plugin.h"
	printf '#pragma once\n' >"$tree/daemon/core/tcp/connection.h"
	touch "$tree/ctl/local.mk"
	(cd "$tree" && find daemon include -name '*.h') >"$tree/daemon/audit/local.mk"
	archive 'int pure(int x); int pure(int x) { return x + 1; }'
	plugin 'extern const int tapstack_plugin; const int tapstack_plugin = 1;'
}

# archive SOURCE: the core made of it
archive()
{
	printf '%s\n' "$1" >"$tree/part.c"
	rm -f "$tree/.libs/libcore.a"
	${CC:-cc} -fPIC -O2 -c "$tree/part.c" -o "$tree/part.o"
	ar cr "$tree/.libs/libcore.a" "$tree/part.o"
	rm "$tree/part.c" "$tree/part.o"
}

plugin()
{
	printf '%s\n' "$1" >"$tree/part.c"
	${CC:-cc} -fPIC -shared "$tree/part.c" -o "$tree/plugins/congestion/.libs/cubic.so"
	rm "$tree/part.c"
}

# expect RESULT LINT WHAT: RESULT is good or bad
expect()
{
	if TAPSTACK_SRCDIR=$tree TAPSTACK_BUILDDIR=$tree "$lints/$2" >"$tree/output" 2>&1; then
		got=good
	else
		got=bad
	fi
	if test "$got" = "$1"; then
		echo "ok: $2: $3"
	else
		echo "NOT OK: $2 says $got about: $3"
		cat "$tree/output"
		status=1
	fi
	rm -f "$tree/output"
}

# include FILE NAME WHAT: this include, in this file, is refused
include()
{
	fresh
	printf '#include %s\n' "$2" >"$tree/$1"
	expect bad includes.py "$3"
}

# lines COUNT: that many statements
lines()
{
	awk -v count="$1" 'BEGIN { while (count-- > 0) print "\tx++;" }'
}

fresh
for lint in distributed.py includes.py size.py purity.sh shell.sh plugins.sh; do
	expect good "$lint" "a tree without faults"
done
include daemon/core/base/wheel.c '"core/tcp/connection.h"' "base sees tcp"
include daemon/core/base/wheel.c '<time.h>' "the core includes a header of the system"
include daemon/core/base/wheel.c '"audit/audit.h"' "the core sees the audit"
include daemon/audit/writer.c '"core/tcp/connection.h"' "the audit sees the inside of TCP"
include daemon/control/server.c '"audit/audit.h"' "control sees the audit"
include daemon/audit/writer.c '"config/config.h"' "the audit sees the configuration"
include plugins/congestion/cubic.c '"core/base/seq.h"' "a plugin sees the daemon"
include ctl/main.c '"config/config.h"' "tapstackctl sees the daemon"
include daemon/audit/writer.c '"no/such.h"' "an include of nothing"
include daemon/stray.c '<stdint.h>' "a file that belongs to no part"

fresh
{ printf 'int f(int x)\n{\n' && lines 99 && printf '}\n'; } >"$tree/ctl/main.c"
expect bad size.py "a function of 101 lines"
fresh
lines 801 >"$tree/ctl/main.c"
expect bad size.py "a file of 801 lines"

fresh
printf '#pragma once\n' >"$tree/daemon/core/base/more.h"
expect bad distributed.py "a header that no fragment names"

fresh
archive '#include <time.h>
long impure(void); long impure(void) { return clock(); }'
expect bad purity.sh "the core reads a clock"
fresh
archive 'int next(void); int next(void) { static int count; return ++count; }'
expect bad purity.sh "a static counter in a function"
fresh
archive 'extern int level; int level = 3;'
expect bad purity.sh "a mutable variable at file scope"
fresh
archive 'extern const char *const names[]; const char *const names[] = { "a", "b" };'
expect good purity.sh "a constant table of addresses"

fresh
# shellcheck disable=SC2016 # it is to be in the file as it stands
printf '#!/bin/sh\nrm -rf $1/*\n' >"$tree/tests/bad.sh"
expect bad shell.sh "an unquoted variable"

fresh
plugin 'extern const int tapstack_plugin; const int tapstack_plugin = 1; int more(void); int more(void) { return 1; }'
expect bad plugins.sh "a plugin with a second symbol"

if command -v clang-format >/dev/null; then
	fresh
	expect good format.sh "a tree without faults"
	printf 'int  f( void ) {return 1;}\n' >"$tree/ctl/main.c"
	expect bad format.sh "a file in another style"
fi
exit $status
