#include <stdlib.h>
#include <string.h>

#include "op.h"
#include "presence.h"
#include "presence_sockets.h"
#include "reply.h"

#define PRESENCE_SWEEP 500  /* ms */
#define PRESENCE_LATE 10000 /* ms that it may take to hear of a new socket */

uint64_t
presence_now(const presence_t *presence)
{
    return uv_now(presence->loop);
}

int
presence_wanted(const presence_t *presence, const presence_user_t *user)
{
    return user->holders != NULL || presence_now(presence) < user->grace;
}

static int
presence_shown(const presence_t *presence, const presence_user_t *user)
{
    return presence_wanted(presence, user) && user->hidden != PRESENCE_YES;
}

int
presence_differs(const presence_t *presence, const presence_user_t *user)
{
    if (user->unhide && user->hidden != PRESENCE_NO) {
        return 1;
    }

    return user->online
           != (presence_shown(presence, user) ? PRESENCE_YES : PRESENCE_NO);
}

static void
presence_touch(presence_t *presence, presence_user_t *user)
{
    if (!user->changed && presence_differs(presence, user)) {
        user->changed = 1;
        user->changed_next = presence->changed;
        presence->changed = user;
    }
}

presence_user_t *
presence_find(const presence_t *presence, csc_str_t id)
{
    return presence_table_find(&presence->tables[csc_bus_shard(id)], id);
}

/* --- what is reported --- */

/*
 * The socket that is the cause of a change does not hear of it.  Where several
 * were opened before it could be told, none of the user's does.
 */
static void
presence_cause(presence_user_t *user, csc_str_t conn)
{
    static const char all[] = "user:";
    size_t len = sizeof(all) - 1;

    if (user->conn_len == 0) {
        memcpy(user->conn, conn.data, conn.len);
        user->conn_len = (unsigned char) conn.len;
        return;
    }

    memcpy(user->conn, all, len);
    memcpy(user->conn + len, user->id, CSC_UUID_LEN);
    user->conn_len = (unsigned char) (len + CSC_UUID_LEN);
}

/* A socket was opened: its id, and how many its user may have. */
static int
presence_opened(presence_t *presence, presence_user_t *user,
    presence_holder_t *holder, csc_str_t words)
{
    csc_str_t conn;
    presence_limit_t limit;

    if (presence_limit_read(words, &conn, &limit) != CSC_OK
        || presence_socket_add(holder, conn) != CSC_OK)
    {
        return CSC_ERROR;
    }

    if (presence_limit_apply(presence->bus, user, holder, conn, &limit)) {
        return CSC_OK; /* it is the one that is closed */
    }

    /* what they said after they had opened it holds */
    if (presence_now(presence) - limit.age >= user->hid) {
        user->unhide = user->hidden != PRESENCE_NO;
    }

    if (presence_differs(presence, user)) {
        presence_cause(user, conn);
    }

    return CSC_OK;
}

static int
presence_report(presence_t *presence, csc_str_t process, int kind, csc_str_t id,
    csc_str_t words)
{
    presence_user_t *user;
    presence_holder_t *holder;

    user = presence_table_get(&presence->tables[csc_bus_shard(id)], id);
    if (user == NULL) {
        return CSC_ERROR;
    }

    holder = presence_hold(user, process,
        presence_now(presence) + presence->config->presence_lease);

    if (holder == NULL
        || (kind == '+' ? presence_opened(presence, user, holder, words)
                        : presence_sockets_set(holder, words))
               != CSC_OK)
    {
        return CSC_ERROR;
    }

    presence_touch(presence, user);

    return CSC_OK;
}

/*
 * A socket counts no more, or, where none is named, the process has none left.
 * Of users who are not known nobody told that they are online.
 */
static void
presence_closed(
    presence_t *presence, csc_str_t process, csc_str_t id, csc_str_t conn)
{
    presence_user_t *user = presence_find(presence, id);
    uint64_t grace;

    if (user == NULL) {
        return;
    }

    if (conn.len > 0) {
        presence_socket_remove(user, process, conn);
        return;
    }

    presence_let_go(user, process);

    if (user->holders == NULL) {
        grace = presence_now(presence) + presence->config->presence_grace;

        /* after a take-over others may hold them that have yet to renew */
        if (user->grace < grace) {
            user->grace = grace;
        }
        user->conn_len = 0;
        presence_touch(presence, user);
    }
}

int
presence_line(
    presence_t *presence, unsigned shard, csc_str_t process, csc_str_t line)
{
    csc_str_t id, words = CSC_STR_NULL;

    if (line.len < 1 + CSC_UUID_LEN
        || (line.data[0] != '+' && line.data[0] != '=' && line.data[0] != '-'))
    {
        return CSC_ERROR;
    }

    id.data = line.data + 1;
    id.len = CSC_UUID_LEN;
    if (!csc_uuid_is(id) || csc_bus_shard(id) != shard) {
        return CSC_ERROR;
    }

    if (line.len > 1 + CSC_UUID_LEN) {
        if (line.data[1 + CSC_UUID_LEN] != ' ') {
            return CSC_ERROR;
        }
        words.data = line.data + 2 + CSC_UUID_LEN;
        words.len = line.len - 2 - CSC_UUID_LEN;
    }

    if (line.data[0] == '-') {
        presence_closed(presence, process, id, words);
        return CSC_OK;
    }

    return presence_report(presence, process, line.data[0], id, words);
}

void
presence_logged_in(presence_t *presence, csc_str_t id)
{
    presence_user_t *user;

    user = presence_table_get(&presence->tables[csc_bus_shard(id)], id);
    if (user != NULL) {
        user->grace = presence_now(presence) + presence->config->presence_grace;
        presence_touch(presence, user);
    }
}

/* --- PUT users/status --- */

typedef struct {
    presence_t *presence;
    request_t *request;
    unsigned hidden : 1;
    unsigned connected : 1;
    unsigned tell : 1; /* now; else a sweep does */
} presence_hide_t;

static void
presence_on_hidden(void *data, db_status_e status, const PGresult *result)
{
    presence_hide_t *hide = data;
    presence_t *presence = hide->presence;
    csc_str_t none = CSC_STR_NULL;
    presence_user_t *user;
    int row;

    if (status != DB_OK || PQntuples(result) == 0) {
        reply_status(hide->request, status == DB_OK ? DB_FAILED : status);
        free(hide);
        return;
    }

    user = presence_find(presence, hide->request->message.user);

    if (user != NULL && PQgetisnull(result, 0, OUTCOME_CODE)) {
        user->hidden = hide->hidden ? PRESENCE_YES : PRESENCE_NO;
        if (hide->tell) {
            user->online = hide->connected && !hide->hidden ? PRESENCE_YES
                                                            : PRESENCE_NO;
        }
        presence_touch(presence, user);
    }

    reply_row(hide->request, result, 0, none);

    for (row = 1; row < PQntuples(result); row++) {
        if (reply_is(result, row, "event")) {
            reply_event(presence->bus, result, row, NULL);
        }
    }

    free(hide);
    presence_flush(presence);
}

/*
 * May it be told at once?  What was said before is void: who opens a socket
 * from now on shows again.
 */
static int
presence_may_tell(presence_t *presence, presence_user_t *user, int shown)
{
    uint64_t now = presence_now(presence);

    user->hid = now;
    user->unhide = 0;
    user->hidden = PRESENCE_UNKNOWN;
    user->conn_len = 0;

    if (now < user->quiet) {
        return 0;
    }

    if (user->online != (shown ? PRESENCE_YES : PRESENCE_NO)) {
        user->quiet = now + presence->config->presence_interval;
    }

    return 1;
}

void
presence_hide(presence_t *presence, request_t *request, int hidden)
{
    presence_hide_t *hide = calloc(1, sizeof(*hide));
    presence_user_t *user;
    db_query_t *query;

    if (hide == NULL) {
        reply_error(request, CSC_E_BACKEND_UNAVAILABLE);
        return;
    }

    user = presence_table_get(
        &presence->tables[csc_bus_shard(request->message.user)],
        request->message.user);
    hide->presence = presence;
    hide->request = request;
    hide->hidden = hidden != 0;
    hide->connected = user != NULL && presence_wanted(presence, user);
    hide->tell = user == NULL
                 || presence_may_tell(
                     presence, user, hide->connected && !hide->hidden);

    query = db_query(
        STATEMENT_USERS_HIDE, request->deadline, presence_on_hidden, hide);
    db_str(query, request->message.user);
    db_bool(query, hide->hidden);
    db_bool(query, hide->connected);
    db_bool(query, hide->tell);

    if (db_submit(presence->db, query) != CSC_OK) {
        reply_error(request, CSC_E_BACKEND_UNAVAILABLE);
        free(hide);
    }
}

/* --- time --- */

static int
presence_visit(void *data, presence_user_t *user)
{
    presence_t *presence = data;

    presence_expire(user, presence_now(presence));
    presence_touch(presence, user);

    if (!user->changed) {
        /* nobody is the cause of what changes later */
        user->conn_len = 0;
    }

    return user->changed || presence_wanted(presence, user)
           || user->online != PRESENCE_NO
           || presence_now(presence) < user->quiet
           || presence_now(presence) < user->hid + PRESENCE_LATE;
}

static void
presence_on_timer(uv_timer_t *timer)
{
    presence_t *presence = timer->data;
    unsigned i;

    for (i = 0; i < CSC_BUS_SHARDS; i++) {
        presence_table_sweep(&presence->tables[i], presence_visit, presence);
    }

    presence_load(presence);
    presence_flush(presence);
}

int
presence_init(presence_t *presence, uv_loop_t *loop, const config_t *config,
    bus_t *bus, db_t *db, struct ops_s *ops)
{
    memset(presence, 0, sizeof(*presence));
    presence->loop = loop;
    presence->config = config;
    presence->bus = bus;
    presence->db = db;
    presence->ops = ops;
    presence->timer.data = presence;
    presence->pause.data = presence;
    presence->changes = calloc(PRESENCE_BATCH, sizeof(*presence->changes));

    if (presence->changes == NULL || uv_timer_init(loop, &presence->timer) != 0
        || uv_timer_init(loop, &presence->pause) != 0
        || uv_timer_start(&presence->timer, presence_on_timer, PRESENCE_SWEEP,
               PRESENCE_SWEEP)
               != 0)
    {
        return CSC_ERROR;
    }

    return CSC_OK;
}

size_t
presence_users(const presence_t *presence)
{
    size_t i, users = 0;

    for (i = 0; i < CSC_BUS_SHARDS; i++) {
        users += presence->tables[i].count;
    }

    return users;
}

void
presence_stop(presence_t *presence)
{
    uv_close((uv_handle_t *) &presence->timer, NULL);
    uv_close((uv_handle_t *) &presence->pause, NULL);
}

void
presence_free(presence_t *presence)
{
    unsigned i;

    for (i = 0; i < CSC_BUS_SHARDS; i++) {
        presence_table_clear(&presence->tables[i]);
    }

    free(presence->changes);
}
