# sources and tests of daemon/core/base
libcore_la_CPPFLAGS += $(SODIUM_CFLAGS)
libcore_la_SOURCES += \
	daemon/core/base/addr.h \
	daemon/core/base/assert.h \
	daemon/core/base/block.c \
	daemon/core/base/block.h \
	daemon/core/base/journal.h \
	daemon/core/base/memory.h \
	daemon/core/base/pool.c \
	daemon/core/base/pool.h \
	daemon/core/base/random.c \
	daemon/core/base/random.h \
	daemon/core/base/ranges.c \
	daemon/core/base/ranges.h \
	daemon/core/base/seq.h \
	daemon/core/base/strip.c \
	daemon/core/base/strip.h \
	daemon/core/base/time.h \
	daemon/core/base/wheel.c \
	daemon/core/base/wheel.h
