# unit tests of daemon/control
CONTROL_TESTS = \
	tests/unit/control/test_filter \
	tests/unit/control/test_message \
	tests/unit/control/test_methods \
	tests/unit/control/test_rights \
	tests/unit/control/test_server \
	tests/unit/control/test_socket
check_PROGRAMS += $(CONTROL_TESTS)
TESTS += $(CONTROL_TESTS)

# Shards, surveys, configuration and plugins that do what a test tells them, in place of the real ones.
CONTROL_FAKES = \
	tests/unit/control/fake.c \
	tests/unit/control/fake.h \
	tests/unit/control/litter.c \
	tests/unit/control/litter.h \
	tests/unit/control/talk.c \
	tests/unit/control/talk.h
CONTROL_TEST_LIBS = libcontrol.la libshard.la libimpair.la libcore.la $(LIBEVENT_LIBS) $(JANSSON_LIBS) $(CMOCKA_LIBS)

tests_unit_control_test_filter_SOURCES = tests/unit/control/test_filter.c $(CONTROL_FAKES)
tests_unit_control_test_filter_LDADD = $(CONTROL_TEST_LIBS)
tests_unit_control_test_message_SOURCES = tests/unit/control/test_message.c
tests_unit_control_test_message_LDADD = libcontrol.la $(JANSSON_LIBS) $(CMOCKA_LIBS)
tests_unit_control_test_methods_SOURCES = tests/unit/control/test_methods.c $(CONTROL_FAKES)
tests_unit_control_test_methods_LDADD = $(CONTROL_TEST_LIBS)
tests_unit_control_test_rights_SOURCES = tests/unit/control/test_rights.c
tests_unit_control_test_rights_LDADD = libcontrol.la $(CMOCKA_LIBS)
tests_unit_control_test_server_SOURCES = tests/unit/control/test_server.c $(CONTROL_FAKES)
tests_unit_control_test_server_LDADD = $(CONTROL_TEST_LIBS)
tests_unit_control_test_socket_SOURCES = \
	tests/unit/control/test_socket.c tests/unit/control/litter.c tests/unit/control/litter.h
tests_unit_control_test_socket_LDADD = libcontrol.la $(CMOCKA_LIBS)
tests_unit_control_test_socket_LDFLAGS = -Wl,--wrap=chmod
