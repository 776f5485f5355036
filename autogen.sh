#!/bin/sh
# From a fresh clone to a built tree, and on to a demonstration or the whole proof.

set -eu
cd "$(dirname "$0")"

usage()
{
	cat <<-END
		usage: ./autogen.sh [demo | check]
		  (nothing)  make ./configure; needs autoconf, automake, libtool and pkg-config
		  demo       build, and show a session of about ten seconds in a network namespace
		  check      build with gcc and clang and run all tests, also under the sanitizers
		demo and check install the Debian packages of build-aux/packages that are missing
		(as root, or through sudo) and build in build/.
	END
}

say()
{
	printf '\n== %s\n' "$*"
}

die()
{
	printf '%s: %s\n' "$0" "$*" >&2
	exit 1
}

missing_packages()
{
	sed -e 's/#.*//' -e '/^[[:space:]]*$/d' build-aux/packages | while read -r package; do
		status=$(dpkg-query --show --showformat='${db:Status-Status}' "$package" 2>/dev/null || true)
		test "$status" = installed || printf '%s ' "$package"
	done
}

install_packages()
{
	if ! command -v dpkg-query >/dev/null || ! command -v apt-get >/dev/null; then
		say "not a Debian system: the programs and libraries of build-aux/packages must be there already"
		return 0
	fi
	missing=$(missing_packages)
	test -n "$missing" || return 0
	say "installing: $missing"
	if test "$(id -u)" = 0; then
		as_root='env'
	elif command -v sudo >/dev/null; then
		as_root='sudo'
	else
		die "these packages are missing, and neither root nor sudo is at hand to install them: $missing"
	fi
	# shellcheck disable=SC2086 # a list of words
	if ! { $as_root apt-get update -q &&
		$as_root env DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends $missing; } </dev/null
	then
		die "apt-get failed; these packages are missing: $missing"
	fi
}

bootstrap()
{
	for tool in autoreconf automake libtoolize pkg-config; do
		command -v "$tool" >/dev/null ||
			die "$tool is missing: install the packages of build-aux/packages (./autogen.sh check does it)"
	done
	mkdir -p m4
	autoreconf --install --force --warnings=all
}

# configure_in DIRECTORY ARGUMENT...: ready to run make there
configure_in()
{
	mkdir -p "$1"
	(
		cd "$1"
		shift
		../../configure --quiet "$@"
	)
}

demo()
{
	install_packages
	bootstrap
	configure_in build/demo
	make -C build/demo -s -j"$jobs"
	exec make -C build/demo -s demo
}

# step WHAT COMMAND...: runs it; a failure is counted and does not stop the others
step()
{
	say "$1"
	what=$1
	shift
	if "$@"; then
		return 0
	fi
	say "FAILED: $what"
	failed=$((failed + 1))
	return 1
}

# run_tests BUILD TARGET: all tests behind this target of the Makefile, counted case by case
run_tests()
{
	say "$1: $2"
	status=0
	# A test that hangs is a test that fails.
	make -C "build/$1" -s -k -j"$jobs" VERBOSE=1 LOG_COMPILER="timeout --kill-after=10 600" "$2" || status=$?
	results=$(tests/run-count.sh "build/$1")
	passed=$((passed + ${results% *}))
	failed=$((failed + ${results#* }))
	# make can also fail before the first test.
	if test "$status" != 0 && test "${results#* }" = 0; then
		failed=$((failed + 1))
	fi
	say "$1: $2: ${results% *} passed, ${results#* } failed"
}

# try BUILD TARGET ARGUMENT...: one configuration of the tree, built, and its tests run
try()
{
	build=$1
	target=$2
	shift 2
	rm -rf "build/$build"
	step "$build: configure $*" configure_in "build/$build" --enable-werror "$@" || return 0
	step "$build: make" make -C "build/$build" -s -j"$jobs" || return 0
	run_tests "$build" "$target"
}

distribution()
{
	# The tests have just run: here it is about the files, the installation and its removal.
	if step "distribution" make -C build/gcc -s -j"$jobs" distcheck TESTS= check_PROGRAMS=; then
		passed=$((passed + 1))
	fi
}

check()
{
	passed=0
	failed=0
	install_packages
	bootstrap
	try gcc check CC=gcc
	distribution
	try sanitizers check-sanitized CC=clang --enable-sanitizers
	try threads check-threads CC=clang --enable-thread-sanitizer
	printf '\n%d passed, %d failed\n' "$passed" "$failed"
	test "$failed" = 0
}

jobs=$(nproc)
case "$#:${1-}" in
0:) bootstrap ;;
1:demo) demo ;;
1:check) check ;;
1:-h | 1:--help) usage ;;
*)
	usage >&2
	exit 2
	;;
esac
