#include <stdlib.h>
#include <string.h>

#include "input.h"
#include "op.h"
#include "reply.h"

typedef enum {
    OP_ANY,
    OP_BY_USER,
    OP_BY_CHAT,
    OP_INTERNAL
} op_kind_e;

typedef struct {
    op_handler_fn handler;
    op_kind_e kind; /* what the operation is sharded by, and must name */
} op_t;

static const op_t op_table[CSC_OP_MAX] = {
    [CSC_OP_AUTH_LOGIN] = { op_auth_login, OP_ANY },
    [CSC_OP_AUTH_REGISTER] = { op_auth_register, OP_ANY },
    [CSC_OP_AUTH_REFRESH] = { op_auth_refresh, OP_BY_USER },
    [CSC_OP_USERS_ME] = { op_users_me, OP_BY_USER },
    [CSC_OP_USERS_LIST] = { op_users_list, OP_BY_USER },
    [CSC_OP_USERS_STATUS] = { op_users_status, OP_BY_USER },
    [CSC_OP_CHATS_LIST] = { op_chats_list, OP_BY_USER },
    [CSC_OP_CHATS_ARCHIVED] = { op_chats_list, OP_BY_USER },
    [CSC_OP_CHATS_CREATE] = { op_chats_create, OP_BY_USER },
    [CSC_OP_CHATS_GET] = { op_chats_get, OP_BY_CHAT },
    [CSC_OP_CHATS_STATUS] = { op_chats_status, OP_BY_CHAT },
    [CSC_OP_CHATS_ARCHIVE] = { op_chats_archive, OP_BY_CHAT },
    [CSC_OP_CHATS_UNARCHIVE] = { op_chats_unarchive, OP_BY_CHAT },
    [CSC_OP_CHATS_DELETE] = { op_chats_delete, OP_BY_CHAT },
    [CSC_OP_CHATS_ASSIGN] = { op_chats_assign, OP_BY_CHAT },
    [CSC_OP_CHATS_JOIN] = { op_chats_join, OP_BY_CHAT },
    [CSC_OP_CHATS_LEAVE] = { op_chats_leave, OP_BY_CHAT },
    [CSC_OP_CHATS_RESUME] = { op_chats_resume, OP_BY_CHAT },
    [CSC_OP_TYPING_START] = { op_chats_typing, OP_BY_CHAT },
    [CSC_OP_TYPING_STOP] = { op_chats_typing, OP_BY_CHAT },
    [CSC_OP_CHATS_READ] = { op_chats_read, OP_BY_CHAT },
    [CSC_OP_MESSAGES_SEND] = { op_messages_send, OP_BY_CHAT },
    [CSC_OP_MESSAGES_LIST] = { op_messages_list, OP_BY_CHAT },
    [CSC_OP_MESSAGES_REPEAT] = { op_messages_repeat, OP_INTERNAL },
    [CSC_OP_AGENTS_AVAILABLE] = { op_agents_available, OP_BY_USER },
    [CSC_OP_CUSTOMERS_AVAILABLE] = { op_customers_available, OP_BY_USER },
    [CSC_OP_PRESENCE_UPDATE] = { op_presence_update, OP_INTERNAL },
    [CSC_OP_PRESENCE_LOGIN] = { op_presence_login, OP_INTERNAL },
    [CSC_OP_HEALTH] = { op_health, OP_ANY },
};

int
ops_init(ops_t *ops)
{
    ops->writer = csc_json_writer();

    return ops->writer != NULL ? CSC_OK : CSC_ERROR;
}

void
ops_free(ops_t *ops)
{
    csc_json_free(ops->writer);
    buffer_free(&ops->lines);
    buffer_free(&ops->replay);
    buffer_free(&ops->list);
}

/* The id in its lower-case form, within the request's own bytes. */
static int
op_normalize(request_t *request, csc_str_t id)
{
    unsigned char *own;

    if (id.len != CSC_UUID_LEN) {
        return CSC_ERROR;
    }

    own = request->bytes + (id.data - request->bytes);

    return csc_uuid_parse(id, own);
}

/*
 * The caller and the chat of the header.  The shard must be right: its lock
 * is what makes this worker the only one that writes the chat.
 */
static int
op_check_header(request_t *request, op_kind_e kind, csc_fault_t *fault)
{
    const csc_bus_message_t *message = &request->message;

    if (kind == OP_INTERNAL) {
        return CSC_OK;
    }

    if (kind != OP_ANY || message->user.len > 0) {
        if (op_normalize(request, message->user) != CSC_OK) {
            fault->error = CSC_E_INVALID_TOKEN;
            return CSC_ERROR;
        }
    }

    if (kind == OP_BY_CHAT) {
        if (op_normalize(request, message->chat) != CSC_OK) {
            return input_fault(fault, "chatId", "The chat id must be a UUID.");
        }

        if (csc_bus_shard(message->chat) != request->shard) {
            bus_bad(request->ops->bus, "wrong shard", message->op);
            fault->error = CSC_E_INTERNAL_ERROR;
            return CSC_ERROR;
        }
    }

    return CSC_OK;
}

/* Before the input was looked at; its sender is told which event it was. */
static void
ops_refuse(request_t *request, csc_error_e error)
{
    csc_json_field_t client = { .name = "clientId" };
    csc_fault_t fault;

    request->ops->bus->refused++;
    memset(&fault, 0, sizeof(fault));

    if (request->message.ws && input_body(request, &client, 1, &fault) == CSC_OK
        && client.type == CSC_JSON_STRING)
    {
        request->client_id = client.value;
    }

    reply_error(request, error);
}

/*
 * More than can be done in time: what is taken up now would be done when
 * nobody waits for it any more, instead of what somebody waits for.
 */
static int
ops_full(const ops_t *ops, const request_t *request)
{
    return ops->bus->inflight > ops->config->max_queue
           || ops->bus->memory > ops->config->max_queue_size
           || (request->op == CSC_OP_MESSAGES_SEND
               && batch_waited(ops->messages) > ops->config->max_wait);
}

void
ops_request(ops_t *ops, request_t *request, int serving)
{
    const op_t *op = &op_table[request->op];
    csc_fault_t fault;

    memset(&fault, 0, sizeof(fault));
    request->ops = ops;

    if (request->message.ws && csc_op_event(request->op) == NULL) {
        bus_bad(ops->bus, "no WebSocket event", request->message.op);
        request->message.ws = 0;
    }

    if (bus_expired(ops->bus, request)) {
        bus_finish(ops->bus, request);
        return;
    }

    /* the shard went with its session; another holder may have heard it too */
    if (!serving) {
        ops_refuse(request, CSC_E_BACKEND_TIMEOUT);
        return;
    }

    if (ops_full(ops, request)) {
        ops_refuse(request, CSC_E_BACKEND_UNAVAILABLE);
        return;
    }

    if (op_check_header(request, op->kind, &fault) != CSC_OK
        || op->handler(request, &fault) != CSC_OK)
    {
        reply_fault(request, &fault);
    }
}

/* --- the way of most operations: one statement, one outcome --- */

/* Rows of kind "replay", a message a line, to go in front of the reply. */
static int
op_replay(ops_t *ops, const PGresult *result, csc_str_t *lines)
{
    buffer_t *replay = &ops->replay;
    int row;

    buffer_reset(replay);

    for (row = 1; row < PQntuples(result); row++) {
        if (reply_is(result, row, "replay")) {
            buffer_append_str(replay, reply_column(result, row, OUTCOME_BODY));
            buffer_append_text(replay, "\n");
        }
    }

    lines->data = replay->data;
    lines->len = replay->used;

    return replay->failed ? CSC_ERROR : CSC_OK;
}

/*
 * Who caused the events, in memory that outlives the request.  Typing is shown
 * to the others, on none of one's own sockets.
 */
static void
op_cause(const request_t *request, unsigned char *buf, reply_cause_t *cause)
{
    csc_str_t user = request->message.user;

    memset(cause, 0, sizeof(*cause));

    if (request->op != CSC_OP_TYPING_START && request->op != CSC_OP_TYPING_STOP)
    {
        return;
    }

    memcpy(buf, "user:", 5);
    memcpy(buf + 5, user.data, CSC_UUID_LEN);
    cause->except.data = buf;
    cause->except.len = 5 + CSC_UUID_LEN;
    cause->user.data = buf + 5;
    cause->user.len = CSC_UUID_LEN;
}

static void
op_on_outcome(void *data, db_status_e status, const PGresult *result)
{
    request_t *request = data;
    ops_t *ops = request->ops;
    unsigned char buf[5 + CSC_UUID_LEN];
    reply_cause_t cause;
    csc_str_t replay;
    int row;

    if (status != DB_OK) {
        reply_status(request, status);
        return;
    }

    if (PQntuples(result) == 0 || !reply_is(result, 0, "reply")) {
        log_error("a statement gave no reply",
            LOG_TEXT("op", csc_op_name(request->op)));
        reply_error(request, CSC_E_INTERNAL_ERROR);
        return;
    }

    op_cause(request, buf, &cause);

    if (op_replay(ops, result, &replay) == CSC_OK) {
        reply_row(request, result, 0, replay);
    } else {
        reply_error(request, CSC_E_INTERNAL_ERROR);
    }

    for (row = 1; row < PQntuples(result); row++) {
        if (reply_is(result, row, "event")) {
            reply_event(ops->bus, result, row, &cause);
        }
    }
}

db_query_t *
op_query_for(request_t *request, statement_e statement, db_done_fn done)
{
    db_query_t *query;

    query = db_query(statement, request->deadline, done, request);
    db_str(query, request->message.user);

    return query;
}

db_query_t *
op_query(request_t *request, statement_e statement)
{
    return op_query_for(request, statement, op_on_outcome);
}

int
op_submit(request_t *request, db_query_t *query)
{
    if (db_submit(request->ops->db, query) != CSC_OK) {
        reply_error(request, CSC_E_BACKEND_UNAVAILABLE);
    }

    return CSC_OK;
}
