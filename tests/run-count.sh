#!/bin/sh
# run-count.sh BUILD-DIRECTORY: what the last `make check` there found, as "PASSED FAILED" in cases. A cmocka
# program counts with each of its cases, any other test as one. A skipped test has proved nothing: in CI it counts
# as failed. The skipped ones are named on standard error.

set -eu
find "$1/tests" -name '*.trs' 2>/dev/null | sort | while read -r trs; do
	result=$(sed -n 's/^:test-result: *\([A-Z]*\).*/\1/p' "$trs" | tail -n 1)
	log=${trs%.trs}.log
	echo "result $result"
	if test "$result" = SKIP; then
		echo "skipped: ${trs#"$1"/}: $(head -n 1 "$log" 2>/dev/null || true)" >&2
	fi
	# The recorded output of the cases: "[  PASSED  ] 12 test(s)." and "[  FAILED  ] 1 test(s), ..."
	sed -n -e 's/^\[  PASSED  ] \([0-9]*\) test(s).*/passed \1/p' \
		-e 's/^\[  FAILED  ] \([0-9]*\) test(s).*/failed \1/p' "$log" 2>/dev/null || true
done | awk -v ci="${CI-}" '
	function close_test() {
		if (result == "PASS" || result == "XFAIL")
			passed += cases ? cases : 1
		else if (result == "SKIP")
			failed += ci == "true"
		else if (result != "") {
			passed += cases
			failed += bad ? bad : 1
		}
		cases = bad = 0
	}
	$1 == "result" { close_test(); result = $2 == "" ? "ERROR" : $2 }
	$1 == "passed" { cases += $2 }
	$1 == "failed" { bad += $2 }
	END { close_test(); print passed + 0, failed + 0 }
'
