# sources of daemon/core/tcp, core/net and the stack itself
libcore_la_SOURCES += \
	daemon/core/stack.c \
	daemon/core/stack.h \
	daemon/core/net/fragment.c \
	daemon/core/net/icmp.c \
	daemon/core/net/ip.c \
	daemon/core/net/neighbour.c \
	daemon/core/tcp/ack.c \
	daemon/core/tcp/arrive.c \
	daemon/core/tcp/congestion.c \
	daemon/core/tcp/conn.c \
	daemon/core/tcp/demux.c \
	daemon/core/tcp/engine.h \
	daemon/core/tcp/half_open.c \
	daemon/core/tcp/info.c \
	daemon/core/tcp/output.c \
	daemon/core/tcp/profile.c \
	daemon/core/tcp/receive.c \
	daemon/core/tcp/reno.c \
	daemon/core/tcp/reply.c \
	daemon/core/tcp/rtt.h \
	daemon/core/tcp/secrets.c \
	daemon/core/tcp/sent.c \
	daemon/core/tcp/sent.h \
	daemon/core/tcp/socket.c \
	daemon/core/tcp/closing.c \
	daemon/core/tcp/patience.c \
	daemon/core/tcp/state.c \
	daemon/core/tcp/state.h \
	daemon/core/tcp/text.c \
	daemon/core/tcp/time_wait.c \
	daemon/core/tcp/timers.c \
	daemon/core/tcp/transition.c
