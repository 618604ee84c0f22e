/* What the worker's user must be allowed in Redis (docs/operations.md). */

#ifndef REDIS_RIGHTS_H
#define REDIS_RIGHTS_H

#include <stddef.h>

#include <hiredis/hiredis.h>

#include "../common/csc_core.h"

/* Whether the answer is that the user may not do this. */
int redis_rights_refused(const redisReply *reply);

/*
 * Writes what the user of this connection lacks to text, as Redis' ACL has it
 * ("+hset ~cs_chat:roles"); empty where it lacks nothing.  A channel or key
 * is looked at only with the command that touches it.  Changes nothing, and
 * nobody hears anything of it.  The connection does not subscribe before or
 * after.  CSC_ERROR when the rights can't be told.
 */
int redis_rights_missing(
    redisContext *context, csc_str_t prefix, char *text, size_t size);

#endif /* REDIS_RIGHTS_H */
