#include <stdio.h>
#include <string.h>

#include "rights.h"

/* By the catalogs: a name can't be looked up in a schema without USAGE. */
#define RIGHTS_OF_SCHEMA                                                       \
    "SELECT string_agg(a, ', ') FROM pg_catalog.pg_namespace n,"               \
    " unnest(string_to_array($3, ',')) a WHERE n.nspname = $1"                 \
    " AND $2::text IS NULL AND NOT has_schema_privilege(n.oid, a)"

#define RIGHTS_OF_TABLE                                                        \
    "SELECT string_agg(a, ', ') FROM pg_catalog.pg_class c"                    \
    " JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace,"               \
    " unnest(string_to_array($3, ',')) a WHERE n.nspname = $1"                 \
    " AND c.relname = $2 AND NOT has_table_privilege(c.oid, a)"

typedef struct {
    const char *name; /* as it is told */
    const char *schema;
    const char *table; /* NULL: the schema itself */
    const char *actions;
} right_t;

static const right_t rights[] = {
    { "schema cs_chat", "cs_chat", NULL, "USAGE" },
    { "cs_chat.migrations", "cs_chat", "migrations", "SELECT" },
    { "cs_chat.functions_hash", "cs_chat", "functions_hash", "SELECT" },
    { "cs_chat.shards", "cs_chat", "shards", "SELECT,UPDATE" },
    { "cs_chat.role_changes", "cs_chat", "role_changes", "SELECT" },
    { "users", "public", "users", "SELECT,INSERT,UPDATE,DELETE" },
    { "chats", "public", "chats", "SELECT,INSERT,UPDATE,DELETE" },
    { "messages", "public", "messages", "SELECT,INSERT,UPDATE,DELETE" },
    { "chat_reads", "public", "chat_reads", "SELECT,INSERT,UPDATE,DELETE" },
};

int
rights_missing(PGconn *conn, char *text, size_t size)
{
    const char *values[3];
    PGresult *result;
    size_t i, used = 0;
    int ok = 1;

    *text = '\0';

    for (i = 0; ok && i < sizeof(rights) / sizeof(*rights); i++) {
        values[0] = rights[i].schema;
        values[1] = rights[i].table;
        values[2] = rights[i].actions;
        result = PQexecParams(conn,
            values[1] != NULL ? RIGHTS_OF_TABLE : RIGHTS_OF_SCHEMA, 3, NULL,
            values, NULL, NULL, 0);
        ok = PQresultStatus(result) == PGRES_TUPLES_OK;

        if (ok && !PQgetisnull(result, 0, 0) && used < size) {
            used += (size_t) snprintf(text + used, size - used, "%s%s on %s",
                used > 0 ? "; " : "", PQgetvalue(result, 0, 0), rights[i].name);
        }
        PQclear(result);
    }

    return ok ? CSC_OK : CSC_ERROR;
}
