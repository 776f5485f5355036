# sources and tests of daemon/core/tcp
libcore_la_SOURCES += \
	daemon/core/tcp/state.c \
	daemon/core/tcp/state.h
