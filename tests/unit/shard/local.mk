# unit tests of daemon/shard
SHARD_TESTS = \
	tests/unit/shard/test_capture \
	tests/unit/shard/test_forward \
	tests/unit/shard/test_log \
	tests/unit/shard/test_mailbox \
	tests/unit/shard/test_render \
	tests/unit/shard/test_survey \
	tests/unit/shard/test_tenants \
	tests/unit/shard/test_turn
check_PROGRAMS += $(SHARD_TESTS)
TESTS += $(SHARD_TESTS)

# A stack, a link and services that do what a test tells them, in place of the real ones.
SHARD_FAKES = \
	tests/unit/shard/fake.c \
	tests/unit/shard/fake.h \
	tests/unit/shard/fixture.c \
	tests/unit/shard/fixture.h
SHARD_TEST_LIBS = libshard.la libimpair.la libcore.la $(LIBEVENT_LIBS) $(JANSSON_LIBS) $(SODIUM_LIBS) $(CMOCKA_LIBS) -lpthread

tests_unit_shard_test_capture_SOURCES = tests/unit/shard/test_capture.c $(SHARD_FAKES)
tests_unit_shard_test_capture_LDADD = $(SHARD_TEST_LIBS)
tests_unit_shard_test_forward_SOURCES = tests/unit/shard/test_forward.c $(SHARD_FAKES)
tests_unit_shard_test_forward_LDADD = $(SHARD_TEST_LIBS)
tests_unit_shard_test_log_SOURCES = tests/unit/shard/test_log.c
tests_unit_shard_test_log_LDADD = libshard.la $(CMOCKA_LIBS)
tests_unit_shard_test_mailbox_SOURCES = tests/unit/shard/test_mailbox.c
tests_unit_shard_test_mailbox_LDADD = libshard.la $(CMOCKA_LIBS) -lpthread
tests_unit_shard_test_render_SOURCES = tests/unit/shard/test_render.c $(SHARD_FAKES)
tests_unit_shard_test_render_LDADD = $(SHARD_TEST_LIBS)
tests_unit_shard_test_survey_SOURCES = tests/unit/shard/test_survey.c $(SHARD_FAKES)
tests_unit_shard_test_survey_LDADD = $(SHARD_TEST_LIBS)
tests_unit_shard_test_tenants_SOURCES = tests/unit/shard/test_tenants.c $(SHARD_FAKES)
tests_unit_shard_test_tenants_LDADD = $(SHARD_TEST_LIBS)
tests_unit_shard_test_turn_SOURCES = tests/unit/shard/test_turn.c $(SHARD_FAKES)
tests_unit_shard_test_turn_LDADD = $(SHARD_TEST_LIBS)
tests_unit_shard_test_turn_LDFLAGS = -Wl,--wrap=timerfd_settime
