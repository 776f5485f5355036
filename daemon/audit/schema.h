#pragma once
/* The shape of the audit database: numbered migrations, lookup tables, views. PRAGMA user_version is the number of
 * the last migration that was applied. */
#include <sqlite3.h>
#include <stddef.h>

#define SCHEMA_APPLICATION_ID 0x54617053 /* "TapS" */

/* The version that schema_migrate leaves. */
int schema_version(void);

/* Opens the database for writing: creates the file if need be (mode 0640), sets the pragmas that this daemon writes
 * with, brings the schema up to date and fills the lookup tables `state` and `cause` from the stack's own. Returns 0;
 * -EPROTO it is of a newer version or not an audit database; -EBADMSG damaged; -EBUSY locked for longer than busy_ms;
 * -ENOSPC; -ENOMEM; -EIO otherwise; `error` then says more. */
int schema_open(const char *path, int busy_ms, sqlite3 **ret_db, char *error, size_t error_size);

/* The -errno that fits an SQLite result code; 0 for SQLITE_OK, _ROW and _DONE. */
int schema_errno(int result);

/* Applies the migrations up to number `version` to an open database (tests stop half-way). As schema_open. */
int schema_migrate(sqlite3 *db, int version, char *error, size_t error_size);
