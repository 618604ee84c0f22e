#include <stdio.h>
#include <string.h>

#include <hiredis/hiredis.h>

#include "check.h"
#include "migrate.h"
#include "redis_rights.h"
#include "redis_role.h"
#include "rights.h"

#define CHECK_POSTGRESQL 120000 /* the oldest version that will do */
#define CHECK_RIGHTS 512        /* bytes of those that are missing */

static int
check_line(int ok, const char *what, const char *text)
{
    printf("%s %s: %s\n", ok ? "ok   " : "error", what, text);

    return ok ? 0 : 1;
}

/* rc: whether it is known what is missing. */
static int
check_rights(const char *where, int rc, const char *missing)
{
    char text[CHECK_RIGHTS + 8];

    if (rc != CSC_OK) {
        return check_line(0, where, "can't be told");
    }

    snprintf(text, sizeof(text), "lacks %s", missing);

    return check_line(*missing == '\0', where,
        *missing == '\0' ? "all that are needed" : text);
}

static int
check_postgresql_rights(PGconn *conn)
{
    char missing[CHECK_RIGHTS];
    int rc = rights_missing(conn, missing, sizeof(missing));

    return check_rights("rights in PostgreSQL", rc, missing);
}

static int
check_postgresql(const config_t *config)
{
    char text[512];
    PGconn *conn;
    int missing, version, failed;

    conn = migrate_connect(config, text, sizeof(text));
    if (conn == NULL) {
        return check_line(0, "PostgreSQL", text);
    }

    version = PQserverVersion(conn);
    snprintf(text, sizeof(text), "version %d.%d, database %s", version / 10000,
        version % 10000, PQdb(conn));
    failed = check_line(version >= CHECK_POSTGRESQL, "PostgreSQL", text);

    missing = migrate_missing(conn);
    if (missing < 0) {
        failed |= check_line(0, "migrations", "can't be read");
    } else {
        snprintf(
            text, sizeof(text), "%d to be applied at the next start", missing);
        check_line(1, "migrations", text);
    }

    failed |= check_postgresql_rights(conn);

    PQfinish(conn);

    return failed;
}

static redisContext *
check_redis_connect(const config_t *config, const redis_address_t *address)
{
    struct timeval timeout;
    redisContext *context;

    timeout.tv_sec = (time_t) (config->connect_timeout / 1000);
    timeout.tv_usec = (suseconds_t) (config->connect_timeout % 1000 * 1000);

    context = *address->path != '\0'
                  ? redisConnectUnixWithTimeout(address->path, timeout)
                  : redisConnectWithTimeout(
                      address->host, address->port, timeout);

    if (context != NULL && context->err == 0) {
        redisSetTimeout(context, timeout);
    }

    return context;
}

static redisReply *
check_redis_greet(redisContext *context, const redis_address_t *address)
{
    const char *argv[3] = { "AUTH", address->user, address->password };
    redisReply *reply;

    if (*address->password != '\0') {
        if (*address->user == '\0') {
            argv[1] = address->password;
        }
        reply = redisCommandArgv(
            context, *address->user != '\0' ? 3 : 2, argv, NULL);
        if (reply == NULL || reply->type == REDIS_REPLY_ERROR) {
            return reply;
        }
        freeReplyObject(reply);
    }

    argv[0] = "PING";

    return redisCommandArgv(context, 1, argv, NULL);
}

static int
check_redis_replica(redisContext *context)
{
    redisReply *hello = redisCommand(context, "HELLO");
    int replica = redis_role_replica(hello);

    freeReplyObject(hello);

    return replica;
}

static int
check_redis_answers(const redis_address_t *address, redisContext *context)
{
    redisReply *reply;
    char text[512];
    int ok;

    if (context == NULL || context->err != 0) {
        snprintf(text, sizeof(text), "%s: %s", address->text,
            context != NULL ? context->errstr : "out of memory");
        return check_line(0, "Redis", text);
    }

    reply = check_redis_greet(context, address);
    /* a right that is missing is told by check_redis_rights() */
    ok = reply != NULL
         && (reply->type != REDIS_REPLY_ERROR || redis_rights_refused(reply));
    snprintf(text, sizeof(text), "%s%s%s", address->text, ok ? "" : ": ",
        ok              ? ""
        : reply != NULL ? reply->str
                        : context->errstr);

    if (ok && check_redis_replica(context)) {
        ok = 0;
        snprintf(text, sizeof(text), "%s: %s", address->text, REDIS_IS_REPLICA);
    }

    freeReplyObject(reply);

    return check_line(ok, "Redis", text);
}

static int
check_redis_rights(const config_t *config, redisContext *context)
{
    char missing[CHECK_RIGHTS];
    int rc = redis_rights_missing(
        context, csc_str(config->prefix), missing, sizeof(missing));

    return check_rights("rights in Redis", rc, missing);
}

static int
check_redis(const config_t *config, const redis_address_t *address)
{
    redisContext *context = check_redis_connect(config, address);
    int failed = check_redis_answers(address, context);

    if (!failed) {
        failed = check_redis_rights(config, context);
    }
    if (context != NULL) {
        redisFree(context);
    }

    return failed;
}

int
check_run(const config_t *config, const redis_address_t *address)
{
    int failed = check_line(1, "settings", "valid");

    failed |= check_redis(config, address);
    failed |= check_postgresql(config);

    return failed;
}
