# tests/conformance: a test, a line of code or a reason for every requirement of the RFCs. See requirement.h.
check_PROGRAMS += tests/conformance/conformance
TESTS += tests/conformance/conformance
conformance_tables = \
	tests/conformance/all.def \
	tests/conformance/rfc2018.def \
	tests/conformance/rfc2883.def \
	tests/conformance/rfc3168.def \
	tests/conformance/rfc4821.def \
	tests/conformance/rfc5482.def \
	tests/conformance/rfc5681.def \
	tests/conformance/rfc5682.def \
	tests/conformance/rfc5927.def \
	tests/conformance/rfc5961.def \
	tests/conformance/rfc6093.def \
	tests/conformance/rfc6298.def \
	tests/conformance/rfc6675.def \
	tests/conformance/rfc7323.def \
	tests/conformance/rfc7413.def \
	tests/conformance/rfc8985.def \
	tests/conformance/rfc9293.def \
	tests/conformance/rfc9438.def \
	tests/conformance/rfc9768.def
tests_conformance_conformance_SOURCES = \
	$(conformance_tables) \
	tests/conformance/dialogue.c tests/conformance/dialogue.h \
	tests/conformance/main.c \
	tests/conformance/marking.c tests/conformance/marking.h \
	tests/conformance/report.c \
	tests/conformance/requirement.h \
	tests/conformance/sacking.c tests/conformance/sacking.h \
	tests/conformance/table.c \
	tests/conformance/tests.h \
	tests/conformance/rfc2018.c \
	tests/conformance/rfc2883.c \
	tests/conformance/rfc3168.c \
	tests/conformance/rfc4821.c \
	tests/conformance/rfc5482.c \
	tests/conformance/rfc5681.c \
	tests/conformance/rfc5682.c \
	tests/conformance/rfc5961.c \
	tests/conformance/rfc6093.c \
	tests/conformance/rfc6298.c \
	tests/conformance/rfc6675.c \
	tests/conformance/rfc7323.c \
	tests/conformance/rfc7413.c \
	tests/conformance/rfc8985.c \
	tests/conformance/rfc9293_close.c \
	tests/conformance/rfc9293_header.c \
	tests/conformance/rfc9293_ip.c \
	tests/conformance/rfc9293_keepalive.c \
	tests/conformance/rfc9293_mss.c \
	tests/conformance/rfc9293_open.c \
	tests/conformance/rfc9293_timers.c \
	tests/conformance/rfc9293_user.c \
	tests/conformance/rfc9293_window.c \
	tests/conformance/rfc9438.c \
	tests/conformance/rfc9768.c \
	plugins/congestion/cubic.c
tests_conformance_conformance_CPPFLAGS = $(AM_CPPFLAGS) -I$(top_srcdir)/tests/support
tests_conformance_conformance_LDADD = libpeer.la libcore.la $(CMOCKA_LIBS) $(SODIUM_LIBS) -lm

# The whole table, and conformance.md to keep.
conformance: tests/conformance/conformance$(EXEEXT)
	@TAPSTACK_SRCDIR='$(abs_top_srcdir)' tests/conformance/conformance -o conformance.md >conformance.log 2>&1; \
	status=$$?; cat conformance.md; \
	test $$status = 0 || grep -v -e '\[ RUN' -e '\[ *OK' conformance.log; \
	exit $$status
CLEANFILES += conformance.md conformance.log
.PHONY: conformance
