# unit tests of daemon/config
check_PROGRAMS += tests/unit/config/test_value tests/unit/config/test_config tests/unit/config/test_stack \
	tests/unit/config/test_capture tests/unit/config/test_filter tests/unit/config/test_impair
TESTS += tests/unit/config/test_value tests/unit/config/test_config tests/unit/config/test_stack \
	tests/unit/config/test_capture tests/unit/config/test_filter tests/unit/config/test_impair
tests_unit_config_test_value_SOURCES = tests/unit/config/test_value.c
tests_unit_config_test_value_LDADD = libtapconfig.la libcore.la $(CMOCKA_LIBS)
tests_unit_config_test_config_SOURCES = tests/unit/config/test_config.c
tests_unit_config_test_config_LDADD = libtapconfig.la libcore.la $(CMOCKA_LIBS)
tests_unit_config_test_stack_SOURCES = tests/unit/config/test_stack.c
tests_unit_config_test_stack_LDADD = libtapconfig.la libcore.la $(CMOCKA_LIBS) $(SODIUM_LIBS)
tests_unit_config_test_capture_SOURCES = tests/unit/config/test_capture.c
tests_unit_config_test_capture_LDADD = libtapconfig.la libcore.la $(CMOCKA_LIBS)
tests_unit_config_test_filter_SOURCES = tests/unit/config/test_filter.c
tests_unit_config_test_filter_LDADD = libtapconfig.la libcore.la $(CMOCKA_LIBS)
tests_unit_config_test_impair_SOURCES = tests/unit/config/test_impair.c
tests_unit_config_test_impair_LDADD = libtapconfig.la libcore.la $(CMOCKA_LIBS)
