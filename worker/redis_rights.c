#include <stdio.h>
#include <string.h>

#include "../common/csc_bus.h"
#include "../common/csc_uuid.h"
#include "random_id.h"
#include "redis_rights.h"

#define REDIS_RIGHTS_NAME (CSC_BUS_MAX_PREFIX + 64)

typedef struct {
    redisContext *context;
    char *text; /* what is missing */
    size_t size;
    int failed; /* the connection has */
} redis_rights_t;

int
redis_rights_refused(const redisReply *reply)
{
    return reply->type == REDIS_REPLY_ERROR
           && strncmp(reply->str, "NOPERM", 6) == 0;
}

static void
redis_rights_lack(redis_rights_t *rights, const char *right)
{
    size_t used = strlen(rights->text);

    if (strstr(rights->text, right) == NULL) {
        snprintf(rights->text + used, rights->size - used, "%s%s",
            used > 0 ? " " : "", right);
    }
}

/*
 * Gives Redis the command that a right ("+hset") is for, of argc words, the
 * third and further ones empty; place is the right to what it touches, or
 * NULL.  Whether the command was run.
 */
static int
redis_rights_try(redis_rights_t *rights, int argc, const char *command,
    const char *name, const char *place)
{
    const char *argv[5] = { command + 1, name, "", "", "" };
    redisReply *reply = redisCommandArgv(rights->context, argc, argv, NULL);
    int run;

    if (reply == NULL) {
        rights->failed = 1;
        return 0;
    }

    run = reply->type != REDIS_REPLY_ERROR;

    if (redis_rights_refused(reply)) {
        redis_rights_lack(rights,
            place == NULL || strstr(reply->str, " to run ") != NULL ? command
                                                                    : place);
    }

    freeReplyObject(reply);

    return run;
}

/*
 * Redis looks at the rights first.  So a command tells of them that it then
 * refuses for another reason: HSET for a name without its value, and on a
 * connection that subscribes whatever is not about subscriptions.  A channel
 * of requests must not be subscribed to, as who listens there is taken for a
 * worker; the right is the same for PUBLISH.
 */
int
redis_rights_missing(
    redisContext *context, csc_str_t prefix, char *text, size_t size)
{
    redis_rights_t rights = { context, text, size, 0 };
    unsigned char id[CSC_UUID_LEN];
    csc_str_t process = { CSC_UUID_LEN, id };
    char own[REDIS_RIGHTS_NAME], events[REDIS_RIGHTS_NAME];
    char requests[REDIS_RIGHTS_NAME], roles[REDIS_RIGHTS_NAME];
    char channels[REDIS_RIGHTS_NAME], key[REDIS_RIGHTS_NAME + 1];
    int subscribed, published;

    *text = '\0';

    if (random_id(id) != CSC_OK) {
        return CSC_ERROR;
    }

    csc_bus_reply_channel(prefix, process, own, sizeof(own));
    csc_bus_events_channel(prefix, events, sizeof(events));
    csc_bus_request_channel(prefix, 0, requests, sizeof(requests));
    csc_bus_roles_key(prefix, roles, sizeof(roles));
    snprintf(channels, sizeof(channels), "&%.*s*", (int) prefix.len,
        (const char *) prefix.data);
    snprintf(key, sizeof(key), "~%s", roles);

    redis_rights_try(&rights, 1, "+ping", NULL, NULL);
    redis_rights_try(&rights, 5, "+hset", roles, key);
    subscribed = redis_rights_try(&rights, 2, "+subscribe", own, channels);
    published = redis_rights_try(&rights, 3, "+publish", own, channels);

    if (subscribed && !published) {
        redis_rights_try(&rights, 3, "+publish", events, channels);
        redis_rights_try(&rights, 3, "+publish", requests, channels);
    }

    redis_rights_try(&rights, 2, "+unsubscribe", own, NULL);

    return rights.failed ? CSC_ERROR : CSC_OK;
}
