#pragma once
/* log.h for tests: keeps what was said instead of printing it. Link it instead of daemon/log.c. */
#include "log.h"

/* The last line, "" when nothing was said since the last call of fake_log_clear. */
const char *fake_log_last(void);
unsigned fake_log_count(void);
void fake_log_clear(void);
