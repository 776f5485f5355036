#pragma once
/* What must hold inside a stack after each of its turns, beside what watch.h looks at everywhere: the timers that
 * keep a connection alive are running, what has arrived is acknowledged in time, and no more is sent than the
 * congestion window lets out. */
#include "host.h"

void inside_check(struct host *host);
