/* What Redis says of itself in its answer to HELLO. */

#ifndef REDIS_ROLE_H
#define REDIS_ROLE_H

#include <hiredis/hiredis.h>

#define REDIS_IS_REPLICA "it is a replica"

/*
 * 1 when the answer tells of a replica: what is published there is heard by
 * nobody at its master.  An older Redis answers with an error.
 */
int redis_role_replica(const redisReply *hello);

#endif /* REDIS_ROLE_H */
