#!/bin/sh
# Builds fuzz targets with clang's libFuzzer and the sanitizers, and runs each for a few seconds, led by coverage.
#
# usage: libfuzzer.sh [TARGET [libFuzzer option or corpus directory ...]]
# Without arguments all targets, each with its corpus and some thousand other inputs; with a target that one alone, as
# long as the options say, e.g.
#   tests/fuzz/libfuzzer.sh fuzz_wire -max_total_time=3600 corpus/

set -eu
src=${TAPSTACK_SRCDIR:-.}
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

if ! command -v clang >/dev/null; then
	echo "clang is not installed"
	exit 77
fi
if ! echo 'int LLVMFuzzerTestOneInput(void); int LLVMFuzzerTestOneInput(void) { return 0; }' |
	clang -fsanitize=fuzzer,address -x c - -o "$folder/probe" 2>"$folder/log"; then
	cat "$folder/log"
	echo "clang has no libFuzzer here"
	exit 77
fi

compile()
{
	clang -std=gnu11 -O1 -g -D_GNU_SOURCE -fno-sanitize-recover=all -I"$src/daemon" -I"$src/include" "$@"
}

# The core needs nothing but libsodium: its own sources are all there is to compile.
build_core()
{
	find "$src/daemon/core" -name '*.c' >"$folder/sources"
	while read -r file; do
		compile -fsanitize=fuzzer-no-link,address,undefined -c "$file" \
			-o "$folder/core$(printf %s "$file" | tr / _).o"
	done <"$folder/sources"
	ar rcs "$folder/libcore.a" "$folder"/*.o
}

# Nothing of it is linked into a target that does not read a configuration.
build_config()
{
	for file in "$src"/daemon/config/*.c; do
		compile -fsanitize=fuzzer-no-link,address,undefined -DTAPSTACK_STATE_DIRECTORY='"/state"' \
			-DTAPSTACK_RUNTIME_DIRECTORY='"/run"' -DTAPSTACK_PLUGIN_DIRECTORY='"/plugins"' -c "$file" \
			-o "$folder/config_$(basename "$file" .c).o"
	done
	ar rcs "$folder/libconfig.a" "$folder"/config_*.o
}

# Only what reads messages and filters: the server around it needs an event loop.
build_control()
{
	for name in message filter value; do
		compile -fsanitize=fuzzer-no-link,address,undefined -c "$src/daemon/control/$name.c" \
			-o "$folder/control_$name.o"
	done
	ar rcs "$folder/libcontrol.a" "$folder"/control_*.o
}

build_impair()
{
	for file in "$src"/daemon/link/impair/*.c; do
		compile -fsanitize=fuzzer-no-link,address,undefined -c "$file" \
			-o "$folder/impair_$(basename "$file" .c).o"
	done
	ar rcs "$folder/libimpair.a" "$folder"/impair_*.o
}

# Congestion algorithms for the dialogues.
build_algorithms()
{
	compile -fsanitize=fuzzer-no-link,address,undefined -c "$src/tests/sim/fickle.c" -o "$folder/algorithms_fickle.o"
	ar rcs "$folder/libalgorithms.a" "$folder"/algorithms_*.o
}

run()
{
	target=$1
	shift
	compile -fsanitize=fuzzer,address,undefined "$src/tests/fuzz/$target.c" \
		"$folder/libalgorithms.a" "$folder/libcontrol.a" "$folder/libconfig.a" "$folder/libimpair.a" \
		"$folder/libcore.a" -lsodium -lyaml -ljansson \
		-o "$folder/$target"
	if ! "$folder/$target" -artifact_prefix="./$target-" "$@" 2>"$folder/log"; then
		cat "$folder/log"
		exit 1
	fi
	echo "$target:" "$(tail -n 1 "$folder/log")"
}

build_core
build_config
build_control
build_impair
build_algorithms
if test $# -gt 0; then
	run "$@"
else
	for file in "$src"/tests/fuzz/fuzz_*.c; do
		target=$(basename "$file" .c)
		case $target in
		fuzz_impair) runs=20000 ;; # may be cut into thousands of packets
		fuzz_stack) runs=10000 ;; # a list of frames, each
		fuzz_dialogue | fuzz_fragments | fuzz_nd) runs=2000 ;;
		*) runs=100000 ;;
		esac
		mkdir "$folder/found" # what is new goes to the first one
		set -- "$folder/found"
		test ! -d "$src/tests/fuzz/corpus/$target" || set -- "$@" "$src/tests/fuzz/corpus/$target"
		run "$target" -seed="${TAPSTACK_TEST_SEED:-0}" -runs=$runs -print_final_stats=0 "$@"
		rm -r "$folder/found"
	done
fi
