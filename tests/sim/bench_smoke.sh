#!/bin/sh
# make bench-congestion in small: one cell, one algorithm, its curve; files that can be read, pictures that are XML.

set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT INT TERM
"${TAPSTACK_BUILDDIR:-.}/tests/sim/bench_congestion" -a newreno -p grid,pairs,curves -c 1 -o "$folder" >"$folder/out"
grep -q '^  newreno .*%' "$folder/out"
grep -q '^| newreno | ' "$folder/congestion.md"
test "$(wc -l <"$folder/grid.csv")" = 2
test "$(wc -l <"$folder/curves.csv")" -gt 500
# Two of the same share evenly, near enough.
grep -Eq '^newreno,newreno,0\.[456]' "$folder/pairs.csv"
for picture in curves curve-newreno; do
	python3 -c 'import sys, xml.dom.minidom; xml.dom.minidom.parse(sys.argv[1])' "$folder/$picture.svg"
done
if "${TAPSTACK_BUILDDIR:-.}/tests/sim/bench_congestion" -a nobody -o "$folder" 2>/dev/null; then
	echo "took an algorithm that does not exist"
	exit 1
fi
