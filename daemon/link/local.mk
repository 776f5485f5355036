# daemon/link

noinst_LTLIBRARIES += liblink.la
liblink_la_SOURCES = daemon/link/link.c daemon/link/link.h daemon/link/backend.h daemon/link/tap.c daemon/link/unix.c \
	daemon/link/netlink.c daemon/link/netlink.h
