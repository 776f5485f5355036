# sources and tests of daemon/core/wire
libcore_la_SOURCES += \
	daemon/core/wire/arp.c \
	daemon/core/wire/arp.h \
	daemon/core/wire/bytes.h \
	daemon/core/wire/checksum.c \
	daemon/core/wire/checksum.h \
	daemon/core/wire/ethernet.c \
	daemon/core/wire/ethernet.h \
	daemon/core/wire/frame_filter.c \
	daemon/core/wire/frame_filter.h \
	daemon/core/wire/icmp.c \
	daemon/core/wire/icmp.h \
	daemon/core/wire/icmp6.c \
	daemon/core/wire/icmp6.h \
	daemon/core/wire/ip.h \
	daemon/core/wire/ipv4.c \
	daemon/core/wire/ipv4.h \
	daemon/core/wire/ipv6.c \
	daemon/core/wire/ipv6.h \
	daemon/core/wire/nd.c \
	daemon/core/wire/nd.h \
	daemon/core/wire/tcp.c \
	daemon/core/wire/tcp.h
