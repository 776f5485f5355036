# what tests share
EXTRA_DIST += \
	tests/support/test_memory.h \
	tests/support/test_random.h
noinst_LTLIBRARIES += libpeer.la
libpeer_la_SOURCES = tests/support/peer.c tests/support/peer.h
libpeer_la_CPPFLAGS = $(AM_CPPFLAGS) $(CMOCKA_CFLAGS)
