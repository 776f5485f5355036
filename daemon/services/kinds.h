#pragma once
/* The kinds of service there are; private to this folder. */
#include "services/service.h"

/* Spans asked for in one call of stack_peek or stack_space: a batch of frames, or 1 MiB of send blocks. */
#define SERVICE_SPANS 64

extern const struct service_type echo_service;    /* RFC 862 */
extern const struct service_type discard_service; /* RFC 863 */
extern const struct service_type chargen_service; /* RFC 864 */
extern const struct service_type relay_service;   /* joins the connection to a local server */
extern const struct service_type http_service;    /* a relay to the daemon's own status server */

/* Reads and throws away what has arrived, in place. */
void service_drain(struct service *service, struct conn_handle conn);

/* TCP has reported a connection dead: counts it, and tells the cause to who debugs. */
void service_error(struct service *service, const struct stack_ready *ready);

/* Lets go of a connection and counts it. */
void service_close(struct service *service, struct conn_handle conn);
void service_abort(struct service *service, struct conn_handle conn);
