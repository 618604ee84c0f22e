#include <string.h>

#include "redis_role.h"

/* Names and values take turns. */
int
redis_role_replica(const redisReply *hello)
{
    const redisReply *name, *value;
    size_t i;

    if (hello == NULL || hello->type != REDIS_REPLY_ARRAY) {
        return 0;
    }

    for (i = 0; i + 1 < hello->elements; i += 2) {
        name = hello->element[i];
        value = hello->element[i + 1];
        if (name->type == REDIS_REPLY_STRING && strcmp(name->str, "role") == 0)
        {
            return value->type == REDIS_REPLY_STRING
                   && strcmp(value->str, "master") != 0;
        }
    }

    return 0;
}
