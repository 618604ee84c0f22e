#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <openssl/sha.h>

#include "buffer.h"
#include "migrate.h"
#include "sql_embedded.h"
#include "statements.h"

#define MIGRATE_HASH_LEN (2 * SHA256_DIGEST_LENGTH)
#define MIGRATE_ATTEMPTS 10
#define MIGRATE_LOCKED "55P03"
#define MIGRATE_POLL 100000 /* us between two attempts to get the lock */

/* --- statements --- */

static const char *
migrate_state(const PGresult *result)
{
    const char *state = PQresultErrorField(result, PG_DIAG_SQLSTATE);

    return state != NULL ? state : "";
}

static void
migrate_log_failed(PGconn *conn, const PGresult *result, const char *what)
{
    const char *message = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);

    log_error("the database could not be prepared", LOG_TEXT("step", what),
        LOG_TEXT("sqlstate", migrate_state(result)),
        LOG_TEXT("reason", message ? message : PQerrorMessage(conn)));
}

static int
migrate_succeeded(const PGresult *result)
{
    ExecStatusType status = PQresultStatus(result);

    return status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK;
}

/* The result, or NULL when it failed and that was logged. */
static PGresult *
migrate_query(PGconn *conn, const char *what, const char *sql,
    const char *const *values, int n)
{
    PGresult *result = PQexecParams(conn, sql, n, NULL, values, NULL, NULL, 0);

    if (migrate_succeeded(result)) {
        return result;
    }

    migrate_log_failed(conn, result, what);
    PQclear(result);

    return NULL;
}

/*
 * One or several statements.  On a table that is in use a lock may not be
 * had in time: that is tried again, so that nobody waits long behind it.
 */
static int
migrate_exec(PGconn *conn, const char *what, const char *sql)
{
    PGresult *result;
    int attempt, ok = 0, again = 1;

    for (attempt = 1; again && !ok; attempt++) {
        result = PQexec(conn, sql);
        ok = migrate_succeeded(result);
        again = attempt < MIGRATE_ATTEMPTS
                && strcmp(migrate_state(result), MIGRATE_LOCKED) == 0;
        if (!ok && !again) {
            migrate_log_failed(conn, result, what);
        }
        PQclear(result);

        if (!ok && PQtransactionStatus(conn) != PQTRANS_IDLE) {
            PQclear(PQexec(conn, "ROLLBACK"));
        }
    }

    return ok ? CSC_OK : CSC_ERROR;
}

/* 1 when the query gives a row whose first column is true. */
static int
migrate_true(PGconn *conn, const char *what, const char *sql)
{
    PGresult *result = migrate_query(conn, what, sql, NULL, 0);
    int yes = result != NULL && PQntuples(result) == 1
              && *PQgetvalue(result, 0, 0) == 't';

    PQclear(result);

    return yes;
}

static void
migrate_hash_text(const unsigned char *digest, char *out)
{
    size_t i;

    for (i = 0; i < SHA256_DIGEST_LENGTH; i++) {
        snprintf(out + 2 * i, 3, "%02x", digest[i]);
    }
}

static void
migrate_hash(const char *text, char *out)
{
    unsigned char digest[SHA256_DIGEST_LENGTH];

    SHA256((const unsigned char *) text, strlen(text), digest);
    migrate_hash_text(digest, out);
}

/* --- migrations --- */

static int
migrate_books(PGconn *conn)
{
    if (migrate_true(conn, "look for books",
            "SELECT to_regclass('cs_chat.migrations') IS NOT NULL"
            " AND to_regclass('cs_chat.functions_hash') IS NOT NULL"))
    {
        return CSC_OK;
    }

    return migrate_exec(conn, "books",
        "BEGIN;"
        "CREATE SCHEMA IF NOT EXISTS cs_chat;"
        "CREATE TABLE IF NOT EXISTS cs_chat.migrations ("
        " number int PRIMARY KEY, name text NOT NULL, sha256 text NOT NULL,"
        " applied_at timestamptz NOT NULL DEFAULT now());"
        "CREATE TABLE IF NOT EXISTS cs_chat.functions_hash ("
        " sha256 text NOT NULL);"
        "COMMIT");
}

/* A file whose statements run one by one: "-- next" stands between them. */
static int
migrate_single(PGconn *conn, const embedded_sql_t *file)
{
    static const char separator[] = "\n-- next\n";
    const char *rest = file->sql, *end;
    char *statement;
    int rc = CSC_OK;

    while (rc == CSC_OK && rest != NULL) {
        end = strstr(rest, separator);
        statement = end != NULL ? strndup(rest, (size_t) (end - rest))
                                : strdup(rest);
        if (statement == NULL) {
            log_error("out of memory");
            return CSC_ERROR;
        }
        rc = migrate_exec(conn, file->name, statement);
        free(statement);
        rest = end != NULL ? end + strlen(separator) : NULL;
    }

    return rc;
}

static int
migrate_whole(PGconn *conn, const embedded_sql_t *file, const char *record)
{
    buffer_t sql;
    int rc;

    memset(&sql, 0, sizeof(sql));
    buffer_append_text(&sql, "BEGIN;\n");
    buffer_append_text(&sql, file->sql);
    buffer_append_text(&sql, "\n;");
    buffer_append_text(&sql, record);
    buffer_append_text(&sql, "; COMMIT");
    buffer_end(&sql);

    rc = sql.failed ? CSC_ERROR
                    : migrate_exec(conn, file->name, (char *) sql.data);
    buffer_free(&sql);

    return rc;
}

static int
migrate_is_single(const embedded_sql_t *file)
{
    const char *second = strchr(file->sql, '\n');

    return second != NULL && strncmp(second, "\n-- no-transaction\n", 19) == 0;
}

static int
migrate_apply(PGconn *conn, const embedded_sql_t *file, const char *hash)
{
    char record[512];

    /* names and hashes are our own, without quotes */
    snprintf(record, sizeof(record),
        "INSERT INTO cs_chat.migrations (number, name, sha256)"
        " VALUES (%d, '%s', '%s')",
        file->number, file->name, hash);

    log_info("migration", LOG_TEXT("name", file->name));

    if (!migrate_is_single(file)) {
        return migrate_whole(conn, file, record);
    }

    if (migrate_single(conn, file) != CSC_OK) {
        return CSC_ERROR;
    }

    return migrate_exec(conn, file->name, record);
}

/* 1 when it was applied before, 0 when not, -1 when something is wrong. */
static int
migrate_applied(PGconn *conn, const embedded_sql_t *file, const char *hash)
{
    char number[16];
    const char *values[1] = { number };
    PGresult *result;
    int applied;

    snprintf(number, sizeof(number), "%d", file->number);
    result = migrate_query(conn, file->name,
        "SELECT sha256 FROM cs_chat.migrations WHERE number = $1::int", values,
        1);
    if (result == NULL) {
        return -1;
    }

    applied = PQntuples(result) == 1;
    if (applied && strcmp(PQgetvalue(result, 0, 0), hash) != 0) {
        log_error("this database was made by another version of a migration "
                  "that must never change; use the program that made it, or "
                  "another database",
            LOG_TEXT("migration", file->name));
        applied = -1;
    }

    PQclear(result);

    return applied;
}

static int
migrate_migrations(PGconn *conn)
{
    const embedded_sql_t *file;
    char hash[MIGRATE_HASH_LEN + 1];
    int applied;

    for (file = sql_migrations; file->name != NULL; file++) {
        migrate_hash(file->sql, hash);
        applied = migrate_applied(conn, file, hash);
        if (applied < 0
            || (applied == 0 && migrate_apply(conn, file, hash) != CSC_OK)) {
            return CSC_ERROR;
        }
    }

    return CSC_OK;
}

static int
migrate_functions(PGconn *conn)
{
    const embedded_sql_t *file;
    char hash[MIGRATE_HASH_LEN + 1], record[256];
    buffer_t sql;
    int rc = CSC_ERROR;

    memset(&sql, 0, sizeof(sql));
    buffer_append_text(&sql, "BEGIN;\n");
    for (file = sql_functions; file->name != NULL; file++) {
        buffer_append_text(&sql, file->sql);
        buffer_append_text(&sql, "\n;");
    }
    buffer_end(&sql);
    if (sql.failed) {
        log_error("out of memory");
        goto done;
    }

    migrate_hash((char *) sql.data, hash);
    snprintf(record, sizeof(record),
        "SELECT EXISTS (SELECT FROM cs_chat.functions_hash"
        " WHERE sha256 = '%s')",
        hash);
    if (migrate_true(conn, "functions", record)) {
        rc = CSC_OK;
        goto done;
    }

    log_info("functions");
    snprintf(record, sizeof(record),
        "DELETE FROM cs_chat.functions_hash;"
        "INSERT INTO cs_chat.functions_hash VALUES ('%s'); COMMIT",
        hash);
    sql.used--; /* the NUL */
    buffer_append_text(&sql, record);
    buffer_end(&sql);
    rc = sql.failed ? CSC_ERROR
                    : migrate_exec(conn, "functions", (char *) sql.data);

done:
    buffer_free(&sql);

    return rc;
}

/*
 * Asked for again and again: a statement that waits for it would itself be
 * waited for by CREATE INDEX CONCURRENTLY, and neither would ever end.
 */
static int
migrate_lock(PGconn *conn)
{
    int waited = 0;

    while (!migrate_true(conn, "lock",
        "SELECT pg_try_advisory_lock(" STATEMENT_LOCK_CLASS
        ", " STATEMENT_LOCK_MIGRATION ")"))
    {
        if (PQstatus(conn) != CONNECTION_OK) {
            return CSC_ERROR;
        }

        if (!waited) {
            log_info("waiting for another worker's migrations");
            waited = 1;
        }
        usleep(MIGRATE_POLL);
    }

    return migrate_exec(conn, "lock", "SET lock_timeout = '5s'");
}

int
migrate_run(PGconn *conn)
{
    int rc;

    if (migrate_lock(conn) != CSC_OK) {
        return CSC_ERROR;
    }

    rc = migrate_books(conn) == CSC_OK && migrate_migrations(conn) == CSC_OK
                 && migrate_functions(conn) == CSC_OK
             ? CSC_OK
             : CSC_ERROR;

    PQclear(PQexec(conn, "SELECT pg_advisory_unlock(" STATEMENT_LOCK_CLASS
                         ", " STATEMENT_LOCK_MIGRATION ")"));

    return rc;
}

int
migrate_missing(PGconn *conn)
{
    const embedded_sql_t *file;
    PGresult *result;
    int count = 0, applied = 0;

    for (file = sql_migrations; file->name != NULL; file++) {
        count++;
    }

    if (migrate_true(conn, "look for books",
            "SELECT to_regclass('cs_chat.migrations') IS NOT NULL"))
    {
        result = migrate_query(conn, "count of migrations",
            "SELECT count(*) FROM cs_chat.migrations", NULL, 0);
        if (result == NULL) {
            return -1;
        }
        applied = atoi(PQgetvalue(result, 0, 0));
        PQclear(result);
    }

    return applied < count ? count - applied : 0;
}

/* --- data --- */

int
migrate_seed(PGconn *conn, const char *password_hash)
{
    const char *values[1] = { password_hash };
    PGresult *result;

    result = migrate_query(
        conn, "sample data", "SELECT cs_chat.seed($1::text)", values, 1);
    if (result == NULL) {
        return CSC_ERROR;
    }

    log_info(*PQgetvalue(result, 0, 0) == 't'
                 ? "sample data added"
                 : "no sample data added: there are people already");
    PQclear(result);

    return CSC_OK;
}

int
migrate_reset(PGconn *conn, const char *password_hash)
{
    if (migrate_exec(conn, "reset",
            "BEGIN; TRUNCATE cs_chat.role_changes, public.chat_reads,"
            " public.messages,"
            " public.chats, public.users")
        != CSC_OK)
    {
        return CSC_ERROR;
    }

    if (migrate_seed(conn, password_hash) != CSC_OK) {
        PQclear(PQexec(conn, "ROLLBACK"));
        return CSC_ERROR;
    }

    return migrate_exec(conn, "reset", "COMMIT");
}

static void
migrate_on_notice(void *data, const PGresult *result)
{
    (void) data;
    (void) result;
}

PGconn *
migrate_connect(const config_t *config, char *error, size_t size)
{
    char timeout[24];
    const char *keywords[] = { "connect_timeout", "dbname", "application_name",
        "client_encoding", "target_session_attrs", NULL };
    const char *values[] = { timeout, config->database_url, "cs-chat-worker",
        "UTF8", "read-write", NULL };
    const char *reason;
    PGconn *conn;

    snprintf(timeout, sizeof(timeout), "%llu",
        (unsigned long long) config->connect_timeout / 1000 + 1);

    conn = PQconnectdbParams(keywords, values, 1);
    if (conn != NULL && PQstatus(conn) == CONNECTION_OK) {
        PQsetNoticeReceiver(conn, migrate_on_notice, NULL);
        PQclear(PQexec(conn,
            "SET TIME ZONE 'UTC'; SET standard_conforming_strings = on;"
            " SET synchronous_commit = on; SET statement_timeout = 0"));
        return conn;
    }

    reason = conn != NULL ? PQerrorMessage(conn) : "out of memory";
    snprintf(error, size, "%.*s", (int) strcspn(reason, "\n"), reason);
    PQfinish(conn);

    return NULL;
}
