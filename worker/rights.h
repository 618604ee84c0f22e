/*
 * What the worker's role must be allowed, where another role owns the tables
 * (docs/operations.md).
 */

#ifndef RIGHTS_H
#define RIGHTS_H

#include <stddef.h>

#include <libpq-fe.h>

#include "../common/csc_core.h"

/*
 * Writes what the role of this session lacks to text, which is empty where it
 * lacks nothing.  Tables that are not there yet will be its own.  CSC_ERROR
 * when that can't be told.
 */
int rights_missing(PGconn *conn, char *text, size_t size);

#endif /* RIGHTS_H */
