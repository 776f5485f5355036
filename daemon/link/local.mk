# daemon/link

noinst_LTLIBRARIES += liblink.la
liblink_la_SOURCES = daemon/link/link.c daemon/link/link.h daemon/link/backend.h daemon/link/tap.c daemon/link/unix.c \
	daemon/link/netlink.c daemon/link/netlink.h

# What a bad path does to packets: sans-I/O, so that the simulator has the same.
noinst_LTLIBRARIES += libimpair.la
libimpair_la_SOURCES = \
	daemon/link/impair/codel.c daemon/link/impair/codel.h \
	daemon/link/impair/delay.c \
	daemon/link/impair/ecn.c daemon/link/impair/ecn.h \
	daemon/link/impair/element.c \
	daemon/link/impair/harm.c \
	daemon/link/impair/impair.h \
	daemon/link/impair/line.c \
	daemon/link/impair/packet.c daemon/link/impair/packet.h \
	daemon/link/impair/rules.c daemon/link/impair/rules.h \
	daemon/link/impair/way.c daemon/link/impair/way.h
