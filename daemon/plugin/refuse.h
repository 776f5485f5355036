#pragma once
/* Why a plugin is not taken: one sentence for the operator. */
#define PLUGIN_ERROR_MAX 1024u

/* Writes the sentence, cut to PLUGIN_ERROR_MAX bytes, and returns r. */
int refuse(char *error, int r, const char *format, ...) __attribute__((format(printf, 3, 4)));
