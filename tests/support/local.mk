# what tests share
EXTRA_DIST += \
	tests/support/test_memory.h \
	tests/support/test_random.h
