/*
 * What a client sends over its WebSocket: each event becomes the same request
 * that its HTTP twin would be, or is answered here where it is about the
 * connection alone.
 */

#include "ngx_http_cs_chat_event.h"
#include "ngx_http_cs_chat_metrics.h"
#include "ngx_http_cs_chat_time.h"
#include "ngx_http_cs_chat_token_cache.h"
#include "ngx_http_cs_chat_typing.h"
#include "ngx_http_cs_chat_zone.h"


#define MAX_CLIENT_ID 256 /* bytes of a clientId that an error repeats */

#define FIELD_TYPE NGX_HTTP_CS_CHAT_FIELD_TYPE
#define FIELD_DATA NGX_HTTP_CS_CHAT_FIELD_DATA
#define FIELD_CHAT NGX_HTTP_CS_CHAT_FIELD_CHAT
#define FIELD_CHATS NGX_HTTP_CS_CHAT_FIELD_CHATS
#define FIELD_CLIENT NGX_HTTP_CS_CHAT_FIELD_CLIENT
#define FIELD_TOKEN NGX_HTTP_CS_CHAT_FIELD_TOKEN
#define FIELDS NGX_HTTP_CS_CHAT_FIELDS


static ngx_int_t ngx_http_cs_chat_event_read(
    ngx_http_cs_chat_session_t *session, csc_str_t text,
    csc_json_field_t *fields);
static u_char *ngx_http_cs_chat_event_scratch(size_t size, ngx_log_t *log);
static void ngx_http_cs_chat_event_request(ngx_http_cs_chat_session_t *session,
    csc_op_e op, csc_str_t text, csc_json_field_t *fields);
static ngx_int_t ngx_http_cs_chat_event_begin(
    ngx_http_cs_chat_session_t *session, csc_op_e op, csc_str_t chat,
    csc_json_field_t *fields);
static void ngx_http_cs_chat_event_reply(
    void *data, csc_bus_message_t *reply, csc_error_e error);
static void ngx_http_cs_chat_event_answer(
    ngx_http_cs_chat_ask_t *ask, csc_bus_message_t *reply, csc_error_e error);
static void ngx_http_cs_chat_event_ping(
    ngx_http_cs_chat_session_t *session, csc_json_field_t *data);
static void ngx_http_cs_chat_event_auth(
    ngx_http_cs_chat_session_t *session, csc_json_field_t *fields);
static ngx_int_t ngx_http_cs_chat_event_exchange(
    ngx_http_cs_chat_session_t *session, ngx_http_cs_chat_claims_t *claims);
static void ngx_http_cs_chat_event_error(
    ngx_http_cs_chat_session_t *session, csc_fault_t *fault);
static void ngx_http_cs_chat_event_count(ngx_http_cs_chat_session_t *session);


static u_char *scratch;
static size_t scratch_size;


void
ngx_http_cs_chat_event(ngx_http_cs_chat_session_t *session, csc_str_t text)
{
    csc_op_e op;
    csc_str_t type;
    csc_json_field_t fields[FIELDS];

    if (ngx_http_cs_chat_event_read(session, text, fields) != NGX_OK) {
        return;
    }

    if (fields[FIELD_TYPE].type != CSC_JSON_STRING) {
        ngx_http_cs_chat_event_refuse(session, CSC_E_INVALID_INPUT,
            "An event needs a type.", "type", fields);
        return;
    }

    type = fields[FIELD_TYPE].value;
    op = csc_op_by_event(type);

    if (op == CSC_OP_CHATS_RESUME) {
        ngx_http_cs_chat_resume(session, fields, scratch + text.len);

    } else if (op != CSC_OP_NONE) {
        ngx_http_cs_chat_event_request(session, op, text, fields);

    } else if (csc_str_is(type, "ping")) {
        ngx_http_cs_chat_event_ping(session, &fields[FIELD_DATA]);

    } else if (csc_str_is(type, "auth")) {
        ngx_http_cs_chat_event_auth(session, fields);

    } else {
        ngx_http_cs_chat_event_refuse(session, CSC_E_INVALID_INPUT,
            "There is no event of this type.", "type", fields);
    }
}


static ngx_int_t
ngx_http_cs_chat_event_read(ngx_http_cs_chat_session_t *session, csc_str_t text,
    csc_json_field_t *fields)
{
    u_char *decoded;
    const char *why;

    ngx_memzero(fields, FIELDS * sizeof(csc_json_field_t));

    fields[FIELD_TYPE].name = "type";
    fields[FIELD_DATA].name = "data";
    fields[FIELD_CHAT].scope = "data";
    fields[FIELD_CHAT].name = "chatId";
    fields[FIELD_CHATS].scope = "data";
    fields[FIELD_CHATS].name = "chats";
    fields[FIELD_CLIENT].scope = "data";
    fields[FIELD_CLIENT].name = "clientId";
    fields[FIELD_TOKEN].scope = "data";
    fields[FIELD_TOKEN].name = "token";

    /* the second half is for who takes a field apart, see "resume" */

    decoded = ngx_http_cs_chat_event_scratch(
        2 * text.len, session->connection->log);

    if (decoded == NULL) {
        session->failed = 1;
        return NGX_ERROR;
    }

    if (csc_json_read(text, fields, FIELDS, decoded, &why) != CSC_OK) {
        ngx_http_cs_chat_event_refuse(
            session, CSC_E_INVALID_INPUT, why, NULL, fields);
        return NGX_DECLINED;
    }

    return NGX_OK;
}


/* One for the process: what is decoded into it is used up at once. */

static u_char *
ngx_http_cs_chat_event_scratch(size_t size, ngx_log_t *log)
{
    u_char *larger;

    if (size <= scratch_size) {
        return scratch;
    }

    size = ngx_align(size, 4096);

    larger = ngx_alloc(size, log);
    if (larger == NULL) {
        return NULL;
    }

    if (scratch != NULL) {
        ngx_free(scratch);
    }

    scratch = larger;
    scratch_size = size;

    return scratch;
}


void
ngx_http_cs_chat_event_exit(void)
{
    if (scratch != NULL) {
        ngx_free(scratch);
        scratch = NULL;
        scratch_size = 0;
    }
}


/* Events that a chat worker answers. */

static void
ngx_http_cs_chat_event_request(ngx_http_cs_chat_session_t *session, csc_op_e op,
    csc_str_t text, csc_json_field_t *fields)
{
    csc_str_t chat;
    u_char id[CSC_UUID_LEN];
    ngx_http_cs_chat_ask_t *ask;

    if (fields[FIELD_CHAT].type != CSC_JSON_STRING
        || csc_uuid_parse(fields[FIELD_CHAT].value, id) != CSC_OK)
    {
        ngx_http_cs_chat_event_refuse(session, CSC_E_INVALID_INPUT,
            "The chatId must be the id of a chat.", "chatId", fields);
        return;
    }

    chat.data = id;
    chat.len = CSC_UUID_LEN;

    if (ngx_http_cs_chat_event_begin(session, op, chat, fields) != NGX_OK) {
        return;
    }

    ask = ngx_http_cs_chat_event_ask(
        session, op, id, fields[FIELD_CLIENT].value);

    if (ask == NULL) {
        session->failed = 1;
        return;
    }

    if (ngx_http_cs_chat_event_send(ask, text) != NGX_OK) {
        ngx_http_cs_chat_event_reply(ask, NULL, CSC_E_BACKEND_UNAVAILABLE);
    }
}


/* What an event means to this process; NGX_DECLINED where that was all. */

static ngx_int_t
ngx_http_cs_chat_event_begin(ngx_http_cs_chat_session_t *session, csc_op_e op,
    csc_str_t chat, csc_json_field_t *fields)
{
    u_char *id;

    id = (u_char *) chat.data;

    switch (op) {
    case CSC_OP_CHATS_JOIN:
        if (ngx_http_cs_chat_follow(session, chat) == NGX_OK) {
            return NGX_OK;
        }

        ngx_http_cs_chat_event_refuse(session, CSC_E_BACKEND_UNAVAILABLE,
            "This connection has joined too many chats.", NULL, fields);
        return NGX_DECLINED;

    case CSC_OP_CHATS_LEAVE:
        ngx_http_cs_chat_typing_leave(session, id);
        ngx_http_cs_chat_unfollow(session, chat);
        return NGX_OK;

    case CSC_OP_MESSAGES_SEND:
        (void) ngx_http_cs_chat_typing_stops(session, id);
        return NGX_OK;

    case CSC_OP_TYPING_START:
        return ngx_http_cs_chat_typing_starts(session, id) ? NGX_OK
                                                           : NGX_DECLINED;

    case CSC_OP_TYPING_STOP:
        return ngx_http_cs_chat_typing_stops(session, id) ? NGX_OK
                                                          : NGX_DECLINED;

    default:
        return NGX_OK;
    }
}


ngx_http_cs_chat_ask_t *
ngx_http_cs_chat_event_ask(ngx_http_cs_chat_session_t *session, csc_op_e op,
    u_char *chat, csc_str_t client)
{
    ngx_http_cs_chat_ask_t *ask;

    if (client.len > MAX_CLIENT_ID) {
        client.len = 0;
    }

    ask = ngx_alloc(sizeof(*ask) + client.len, session->connection->log);
    if (ask == NULL) {
        return NULL;
    }

    ngx_memzero(ask, sizeof(*ask));
    ask->session = session;
    ask->op = op;
    ask->client_len = client.len;
    ngx_memcpy(ask->chat, chat, CSC_UUID_LEN);

    if (client.len) {
        ngx_memcpy(ask->client, client.data, client.len);
    }

    ngx_queue_insert_tail(&session->asks, &ask->queue);
    session->nasks++;

    return ask;
}


void
ngx_http_cs_chat_event_message(ngx_http_cs_chat_session_t *session, csc_op_e op,
    csc_str_t chat, csc_bus_message_t *message)
{
    ngx_memzero(message, sizeof(csc_bus_message_t));

    message->op = csc_str(csc_op_name(op));
    message->user = ngx_http_cs_chat_ws_user(session);
    message->role = ngx_http_cs_chat_view(*session->role);
    message->chat = chat;
    message->conn.data = session->id;
    message->conn.len = sizeof(session->id);
    message->ws = 1;
}


ngx_int_t
ngx_http_cs_chat_event_send(ngx_http_cs_chat_ask_t *ask, csc_str_t text)
{
    csc_str_t chat;
    csc_bus_message_t message;
    ngx_http_cs_chat_session_t *session;
    u_char msg[CSC_UUID_LEN];

    session = ask->session;

    chat.data = ask->chat;
    chat.len = CSC_UUID_LEN;

    ngx_http_cs_chat_event_message(session, ask->op, chat, &message);
    message.body = text;

    if (ask->op == CSC_OP_MESSAGES_SEND) {
        if (ngx_http_cs_chat_bus_message_id(msg) != NGX_OK) {
            return NGX_ERROR;
        }

        message.msg.data = msg;
        message.msg.len = CSC_UUID_LEN;
    }

    ask->call = ngx_http_cs_chat_bus_request(&message, message.chat,
        session->conf->request_timeout, ngx_http_cs_chat_event_reply, ask);

    return ask->call ? NGX_OK : NGX_ERROR;
}


void
ngx_http_cs_chat_event_free(ngx_http_cs_chat_ask_t *ask)
{
    ngx_queue_remove(&ask->queue);
    ask->session->nasks--;
    ngx_free(ask);
}


static void
ngx_http_cs_chat_event_reply(
    void *data, csc_bus_message_t *reply, csc_error_e error)
{
    ngx_http_cs_chat_ask_t *ask;
    ngx_http_cs_chat_session_t *session;

    ask = data;
    session = ask->session;

    /* it is answered: a look for other requests must not find it */

    ngx_queue_remove(&ask->queue);
    ngx_queue_init(&ask->queue);

    if (ask->resume != NULL) {
        ngx_http_cs_chat_resume_reply(ask, reply, error);

    } else {
        ngx_http_cs_chat_event_answer(ask, reply, error);
    }

    ngx_http_cs_chat_event_free(ask);
    ngx_http_cs_chat_resume_continue(session);
    ngx_http_cs_chat_ws_resume(session);
}


static void
ngx_http_cs_chat_event_answer(
    ngx_http_cs_chat_ask_t *ask, csc_bus_message_t *reply, csc_error_e error)
{
    csc_fault_t fault;
    ngx_http_cs_chat_session_t *session;

    session = ask->session;

    if (reply == NULL) {
        ngx_memzero(&fault, sizeof(fault));
        fault.error = error;
        fault.reply_to = csc_str(csc_op_event(ask->op));
        fault.client_id.data = ask->client;
        fault.client_id.len = ask->client_len;

        ngx_http_cs_chat_event_error(session, &fault);

    } else if (session->out_answers > session->conf->output_limit) {
        /* it asks for more before it has read what it asked for */

        ngx_http_cs_chat_ws_too_slow(session);

    } else {
        ngx_http_cs_chat_event_lines(session, reply->body);

        if (reply->status == 400) {
            ngx_http_cs_chat_event_count(session);
        }
    }

    if (ask->op == CSC_OP_CHATS_JOIN) {
        ngx_http_cs_chat_followed(ask, reply);
    }

    if (ask->op == CSC_OP_TYPING_START
        && (reply == NULL || reply->status != 200)) {
        (void) ngx_http_cs_chat_typing_stops(session, ask->chat);
    }
}


/* A reply may be several messages, one a line. */

void
ngx_http_cs_chat_event_lines(
    ngx_http_cs_chat_session_t *session, csc_str_t body)
{
    csc_str_t line;
    const u_char *end;

    while (body.len) {
        end = memchr(body.data, '\n', body.len);

        line.data = body.data;
        line.len = end ? (size_t) (end - body.data) : body.len;

        if (line.len) {
            ngx_http_cs_chat_ws_answer(session, line);
        }

        if (end == NULL) {
            return;
        }

        body.data += line.len + 1;
        body.len -= line.len + 1;
    }
}


void
ngx_http_cs_chat_event_cancel(ngx_http_cs_chat_session_t *session)
{
    ngx_queue_t *q, *next;
    ngx_http_cs_chat_ask_t *ask;

    for (q = ngx_queue_head(&session->asks);
         q != ngx_queue_sentinel(&session->asks); q = next)
    {
        next = ngx_queue_next(q);
        ask = ngx_queue_data(q, ngx_http_cs_chat_ask_t, queue);

        ngx_http_cs_chat_bus_cancel(ask->call);
        ngx_http_cs_chat_event_free(ask);
    }

    ngx_http_cs_chat_resume_cancel(session);
}


/* Events that are answered here. */

static void
ngx_http_cs_chat_event_ping(
    ngx_http_cs_chat_session_t *session, csc_json_field_t *data)
{
    csc_json_writer_t *w;

    w = ngx_http_cs_chat_ws_writer();
    if (w == NULL) {
        session->failed = 1;
        return;
    }

    csc_json_object(w);
    csc_json_key(w, "type");
    csc_json_text(w, "pong");

    if (data->type != CSC_JSON_ABSENT) {
        csc_json_key(w, "data");
        csc_json_raw(w, data->raw);
    }

    csc_json_end_object(w);

    ngx_http_cs_chat_ws_written(session);
}


/* A fresh token for the same user, before the old one ends. */

static void
ngx_http_cs_chat_event_auth(
    ngx_http_cs_chat_session_t *session, csc_json_field_t *fields)
{
    ngx_int_t rc;
    ngx_str_t token;
    ngx_pool_t *pool;
    csc_json_writer_t *w;
    ngx_http_cs_chat_claims_t claims;
    u_char expires[NGX_HTTP_CS_CHAT_TIME_LEN + 1];

    if (fields[FIELD_TOKEN].type != CSC_JSON_STRING) {
        ngx_http_cs_chat_event_refuse(session, CSC_E_INVALID_INPUT,
            "An auth event needs a token.", "token", fields);
        return;
    }

    if (!ngx_http_cs_chat_bus_ready()) {
        ngx_http_cs_chat_event_refuse(
            session, CSC_E_BACKEND_UNAVAILABLE, NULL, NULL, fields);
        return;
    }

    pool = ngx_create_pool(1024, session->connection->log);
    if (pool == NULL) {
        session->failed = 1;
        return;
    }

    token.data = (u_char *) fields[FIELD_TOKEN].value.data;
    token.len = fields[FIELD_TOKEN].value.len;

    rc = ngx_http_cs_chat_token_verify(
        &session->conf->jwt, &token, pool, &claims);

    if (rc == NGX_OK
        && (ngx_memcmp(claims.user.data, session->user, CSC_UUID_LEN) != 0
            || ngx_http_cs_chat_zone_refuses(
                ngx_http_cs_chat_bus_zone(), &claims)))
    {
        rc = NGX_DECLINED;
    }

    if (rc == NGX_OK) {
        rc = ngx_http_cs_chat_event_exchange(session, &claims);
    }

    ngx_destroy_pool(pool);

    if (rc == NGX_ERROR) {
        session->failed = 1;
        return;
    }

    if (rc != NGX_OK) {
        ngx_http_cs_chat_event_refuse(
            session, CSC_E_INVALID_TOKEN, NULL, "token", fields);
        return;
    }

    w = ngx_http_cs_chat_ws_begin(session, "authenticated");
    if (w == NULL) {
        return;
    }

    ngx_http_cs_chat_time_of(session->expires, expires);

    csc_json_key(w, "expiresAt");
    csc_json_text(w, (char *) expires);
    csc_json_end_object(w);
    csc_json_end_object(w);

    ngx_http_cs_chat_ws_written(session);
}


/* User and name stay; token, its end and the role are taken over. */

static ngx_int_t
ngx_http_cs_chat_event_exchange(
    ngx_http_cs_chat_session_t *session, ngx_http_cs_chat_claims_t *claims)
{
    const ngx_str_t *role;

    role = ngx_http_cs_chat_role(&claims->role);

    if (role == NULL
        || ngx_http_cs_chat_hub_exchange(session, role, claims->key) != NGX_OK)
    {
        return NGX_ERROR;
    }

    session->expires = claims->expires;
    ngx_http_cs_chat_ws_rearm(session);

    return NGX_OK;
}


/* Refusals. */

void
ngx_http_cs_chat_event_refuse(ngx_http_cs_chat_session_t *session,
    csc_error_e error, const char *sentence, const char *field,
    csc_json_field_t *fields)
{
    csc_fault_t fault;

    ngx_memzero(&fault, sizeof(fault));
    fault.error = error;
    fault.sentence = sentence;
    fault.field = csc_str(field);

    if (fields[FIELD_TYPE].type == CSC_JSON_STRING) {
        fault.reply_to = fields[FIELD_TYPE].value;
    }

    if (fields[FIELD_CLIENT].type == CSC_JSON_STRING
        && fields[FIELD_CLIENT].value.len <= MAX_CLIENT_ID)
    {
        fault.client_id = fields[FIELD_CLIENT].value;
    }

    ngx_http_cs_chat_event_error(session, &fault);

    if (csc_error_status(error) < NGX_HTTP_INTERNAL_SERVER_ERROR) {
        ngx_http_cs_chat_event_count(session);
    }
}


static void
ngx_http_cs_chat_event_error(
    ngx_http_cs_chat_session_t *session, csc_fault_t *fault)
{
    csc_json_writer_t *w;

    w = ngx_http_cs_chat_ws_writer();
    if (w == NULL) {
        session->failed = 1;
        return;
    }

    ngx_http_cs_chat_metrics->errors[fault->error]++;
    csc_fault_event(w, fault);
    ngx_http_cs_chat_ws_written(session);
}


/* Who sends too much nonsense in a minute is closed. */

static void
ngx_http_cs_chat_event_count(ngx_http_cs_chat_session_t *session)
{
    if (ngx_time() - session->refused_since >= 60) {
        session->refused_since = ngx_time();
        session->refused = 0;
    }

    if (++session->refused > session->conf->refused_limit) {
        ngx_http_cs_chat_ws_close(
            session, CSC_WS_CLOSE_POLICY, "too many refused events");
    }
}
