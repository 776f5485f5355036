/* RFC 864: lines of 72 of the 95 printing characters, each line starting one character later. The stream repeats
 * after 95 lines, so a connection's place in it is one small number: it lives in the connection's user cookie, and
 * there is no memory per connection. */
#include "services/kinds.h"

#include <string.h>

#define LINE_CHARACTERS 72
#define LINE_BYTES (LINE_CHARACTERS + 2)
#define FIRST_CHARACTER ' '
#define CHARACTERS ('~' - ' ' + 1)
#define PERIOD_BYTES (CHARACTERS * LINE_BYTES)
#define FILL_BYTES (256 * 1024)

struct chargen {
	struct service service;
	uint8_t period[PERIOD_BYTES];
};

static int chargen_start(struct service *service)
{
	struct chargen *chargen = (struct chargen *)service;
	uint8_t *p = chargen->period;

	for (unsigned line = 0; line < CHARACTERS; line++) {
		for (unsigned i = 0; i < LINE_CHARACTERS; i++)
			*p++ = (uint8_t)(FIRST_CHARACTER + (line + i) % CHARACTERS);
		*p++ = '\r';
		*p++ = '\n';
	}
	return 0;
}

/* Writes the stream from place `at`; returns the place after it. */
static size_t fill(const struct chargen *chargen, size_t at, const struct iovec *iov, int count)
{
	for (int i = 0; i < count; i++) {
		uint8_t *to = iov[i].iov_base;
		size_t left = iov[i].iov_len;

		while (left > 0) {
			size_t n = PERIOD_BYTES - at < left ? PERIOD_BYTES - at : left;

			memcpy(to, chargen->period + at, n);
			to += n;
			left -= n;
			at = at + n == PERIOD_BYTES ? 0 : at + n;
		}
	}
	return at;
}

/* Until the send buffer takes no more; then READY_WRITABLE follows. */
static void send_all(struct chargen *chargen, struct conn_handle conn, uint64_t user)
{
	struct stack *stack = chargen->service.host->stack;
	struct iovec iov[SERVICE_SPANS];
	size_t at = (size_t)user;
	ssize_t room;
	int count;

	do {
		room = stack_space(stack, conn, FILL_BYTES, iov, SERVICE_SPANS, &count);
		if (room <= 0)
			break;
		at = fill(chargen, at, iov, count);
		if (stack_commit(stack, conn, (size_t)room) < 0)
			break;
		chargen->service.stats.bytes_out += (uint64_t)room;
	} while (room == FILL_BYTES);
	if (at != user)
		stack_set_user(stack, conn, at);
}

static void chargen_ready(struct service *service, const struct stack_ready *ready)
{
	if (ready->flags & READY_ACCEPTED)
		service->stats.accepted++;
	if (ready->flags & READY_ERROR) {
		service_error(service, ready);
		service_close(service, ready->conn);
		return;
	}
	service_drain(service, ready->conn);
	if (stack_at_eof(service->host->stack, ready->conn))
		service_close(service, ready->conn);
	else
		send_all((struct chargen *)service, ready->conn, ready->user);
}

const struct service_type chargen_service = {
	.name = "chargen",
	.help = "sends a pattern of characters until the peer closes (RFC 864)",
	.instance_size = sizeof(struct chargen),
	.start = chargen_start,
	.ready = chargen_ready,
};
