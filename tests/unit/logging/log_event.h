#pragma once
/* What the tests of logging plugins share: an event, opening with parameters by name, a host that listens. */
#include "tapstack/logging.h"

#include <stddef.h>

const struct tapstack_log_ops *log_ops(void);

/* ESTABLISHED to CLOSE-WAIT by RECEIVED_FIN, between 192.0.2.2:7 and 192.0.2.1:65535, full of numbers. */
struct tapstack_log_event log_event(uint64_t id);

/* As the host has it; state_directory may be NULL. log() keeps what it is told for log_said. */
struct tapstack_log_env log_env(const char *state_directory);

/* The last line that a plugin told the host. */
const char *log_said(void);

/* "name=value" texts, ended by NULL, over the plugin's defaults; asserts that the plugin knows them. The values live
 * until the next call. */
int log_open(const struct tapstack_log_env *env, void **ret_state, ...);

/* lost and waiting as the plugin has them now. */
struct tapstack_log_counts log_counts(void *state);
