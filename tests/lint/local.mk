# tests/lint: what a compiler does not check
lint_scripts = \
	tests/lint/distributed.py \
	tests/lint/includes.py \
	tests/lint/manual.py \
	tests/lint/size.py \
	tests/lint/purity.sh \
	tests/lint/readme.py \
	tests/lint/plugins.sh \
	tests/lint/format.sh \
	tests/lint/shell.sh \
	tests/lint/unit.sh \
	tests/lint/selftest.sh
dist_check_SCRIPTS += $(lint_scripts)
TESTS += $(lint_scripts)
