/*
 * The event "resume": what a client missed in up to 100 chats, each asked of
 * the worker that holds it, and one answer for all of them.
 */

#include "ngx_http_cs_chat_event.h"


#define MAX_CHATS 100 /* in one event */
#define IN_FLIGHT 8   /* chats that are asked for at once */
#define MAX_REQUEST 128
#define MAX_FAILURE 128


/* A chat to be resumed, and what the answer says of it. */
typedef struct {
    u_char id[CSC_UUID_LEN];
    int64_t after;
    u_char *result; /* NULL until it is known */
    size_t result_len;
} ngx_http_cs_chat_resumed_t;


struct ngx_http_cs_chat_resume_s {
    ngx_queue_t queue; /* among those of its session */
    ngx_uint_t count;
    ngx_uint_t asked;
    ngx_uint_t settled; /* of those that were asked */
    ngx_msec_t began;
    csc_error_e failure; /* of a chat that had no answer */
    ngx_http_cs_chat_resumed_t chats[];
};


static const char *ngx_http_cs_chat_resume_read(
    csc_str_t list, u_char *scratch, ngx_http_cs_chat_resume_t *resume);
static const char *ngx_http_cs_chat_resume_chat(
    csc_str_t text, u_char *scratch, ngx_http_cs_chat_resume_t *resume);
static void ngx_http_cs_chat_resume_ask(
    ngx_http_cs_chat_session_t *session, ngx_http_cs_chat_resume_t *resume);
static ngx_uint_t ngx_http_cs_chat_resume_is_late(
    ngx_http_cs_chat_session_t *session, ngx_http_cs_chat_resume_t *resume);
static ngx_int_t ngx_http_cs_chat_resume_send(
    ngx_http_cs_chat_session_t *session, ngx_http_cs_chat_resume_t *resume,
    ngx_uint_t place);
static void ngx_http_cs_chat_resume_settle(ngx_http_cs_chat_session_t *session,
    ngx_http_cs_chat_resume_t *resume, ngx_uint_t place, csc_str_t result);
static void ngx_http_cs_chat_resume_failed(ngx_http_cs_chat_session_t *session,
    ngx_http_cs_chat_resume_t *resume, ngx_uint_t place, csc_error_e error);
static void ngx_http_cs_chat_resume_answer(
    ngx_http_cs_chat_session_t *session, ngx_http_cs_chat_resume_t *resume);
static void ngx_http_cs_chat_resume_free(
    ngx_http_cs_chat_session_t *session, ngx_http_cs_chat_resume_t *resume);


void
ngx_http_cs_chat_resume(ngx_http_cs_chat_session_t *session,
    csc_json_field_t *fields, u_char *scratch)
{
    const char *why;
    csc_json_field_t *chats;
    ngx_http_cs_chat_resume_t *resume;

    chats = &fields[NGX_HTTP_CS_CHAT_FIELD_CHATS];

    if (chats->type != CSC_JSON_ARRAY) {
        ngx_http_cs_chat_event_refuse(session, CSC_E_INVALID_INPUT,
            "A resume needs a list of chats.", "chats", fields);
        return;
    }

    resume = ngx_calloc(sizeof(ngx_http_cs_chat_resume_t)
                            + MAX_CHATS * sizeof(ngx_http_cs_chat_resumed_t),
        session->connection->log);

    if (resume == NULL) {
        session->failed = 1;
        return;
    }

    why = ngx_http_cs_chat_resume_read(chats->raw, scratch, resume);

    if (why != NULL) {
        ngx_free(resume);
        ngx_http_cs_chat_event_refuse(
            session, CSC_E_INVALID_INPUT, why, "chats", fields);
        return;
    }

    resume->began = ngx_current_msec;
    ngx_queue_insert_tail(&session->resumes, &resume->queue);
    session->nasks++;

    ngx_http_cs_chat_resume_continue(session);
}


/* What is wrong with the list, or NULL. */

static const char *
ngx_http_cs_chat_resume_read(
    csc_str_t list, u_char *scratch, ngx_http_cs_chat_resume_t *resume)
{
    csc_str_t text;
    const char *why;

    while (csc_json_next(&list, &text) == CSC_OK) {
        if (resume->count == MAX_CHATS) {
            return "A resume takes up to 100 chats.";
        }

        why = ngx_http_cs_chat_resume_chat(text, scratch, resume);
        if (why != NULL) {
            return why;
        }
    }

    return NULL;
}


static const char *
ngx_http_cs_chat_resume_chat(
    csc_str_t text, u_char *scratch, ngx_http_cs_chat_resume_t *resume)
{
    ngx_uint_t i;
    const char *why;
    csc_json_field_t fields[2];
    ngx_http_cs_chat_resumed_t *chat;

    ngx_memzero(fields, sizeof(fields));
    fields[0].name = "chatId";
    fields[1].name = "afterSeq";

    chat = &resume->chats[resume->count];

    if (csc_json_read(text, fields, 2, scratch, &why) != CSC_OK
        || fields[0].type != CSC_JSON_STRING
        || csc_uuid_parse(fields[0].value, chat->id) != CSC_OK)
    {
        return "Each chat needs a chatId that is the id of a chat.";
    }

    if (csc_json_integer(&fields[1], 0, INT64_MAX, &chat->after) != CSC_OK) {
        return "Each chat needs an afterSeq that is a whole number.";
    }

    for (i = 0; i < resume->count; i++) {
        if (ngx_memcmp(resume->chats[i].id, chat->id, CSC_UUID_LEN) == 0) {
            return "A chat may stand only once in the list.";
        }
    }

    resume->count++;

    return NULL;
}


/*
 * One after the other, a few chats at a time, and no faster than the client
 * reads: the answers may be long.
 */

void
ngx_http_cs_chat_resume_continue(ngx_http_cs_chat_session_t *session)
{
    ngx_queue_t *q, *next;
    ngx_http_cs_chat_resume_t *resume;

    for (q = ngx_queue_head(&session->resumes);
         q != ngx_queue_sentinel(&session->resumes); q = next)
    {
        next = ngx_queue_next(q);
        resume = ngx_queue_data(q, ngx_http_cs_chat_resume_t, queue);

        ngx_http_cs_chat_resume_ask(session, resume);

        if (resume->settled < resume->count) {
            return;
        }

        ngx_http_cs_chat_resume_answer(session, resume);
        ngx_http_cs_chat_resume_free(session, resume);
    }
}


static void
ngx_http_cs_chat_resume_ask(
    ngx_http_cs_chat_session_t *session, ngx_http_cs_chat_resume_t *resume)
{
    ngx_uint_t place;

    while (resume->asked < resume->count
           && resume->asked - resume->settled < IN_FLIGHT
           && session->out_answers <= session->conf->output_limit / 2)
    {
        place = resume->asked++;

        if (ngx_http_cs_chat_resume_is_late(session, resume)) {
            ngx_http_cs_chat_resume_failed(
                session, resume, place, resume->failure);
            continue;
        }

        if (ngx_http_cs_chat_resume_send(session, resume, place) != NGX_OK) {
            ngx_http_cs_chat_resume_failed(
                session, resume, place, CSC_E_BACKEND_UNAVAILABLE);
        }
    }
}


/*
 * A client does not wait for one deadline after the other: once the time of a
 * request is over and there was no answer for a chat, the rest is left too.
 */

static ngx_uint_t
ngx_http_cs_chat_resume_is_late(
    ngx_http_cs_chat_session_t *session, ngx_http_cs_chat_resume_t *resume)
{
    return resume->failure != CSC_E_NONE
           && ngx_current_msec - resume->began
                  >= session->conf->request_timeout;
}


static ngx_int_t
ngx_http_cs_chat_resume_send(ngx_http_cs_chat_session_t *session,
    ngx_http_cs_chat_resume_t *resume, ngx_uint_t place)
{
    csc_str_t id, text, none = CSC_STR_NULL;
    ngx_http_cs_chat_ask_t *ask;
    ngx_http_cs_chat_resumed_t *chat;
    u_char buf[MAX_REQUEST];

    chat = &resume->chats[place];
    id.data = chat->id;
    id.len = CSC_UUID_LEN;

    ask = ngx_http_cs_chat_event_ask(
        session, CSC_OP_CHATS_RESUME, chat->id, none);
    if (ask == NULL) {
        return NGX_ERROR;
    }

    ask->resume = resume;
    ask->place = place;

    text.data = buf;
    text.len = ngx_snprintf(buf, sizeof(buf),
                   "{\"data\":{\"chatId\":\"%*s\",\"afterSeq\":%L}}",
                   (size_t) CSC_UUID_LEN, chat->id, chat->after)
               - buf;

    if (ngx_http_cs_chat_follow(session, id) == NGX_OK) {
        if (ngx_http_cs_chat_event_send(ask, text) == NGX_OK) {
            return NGX_OK;
        }

        /* as if it had been asked and had failed */

        ngx_http_cs_chat_followed(ask, NULL);
    }

    ngx_http_cs_chat_event_free(ask);

    return NGX_ERROR;
}


/* The last line is what the answer says of the chat, those before replays. */

void
ngx_http_cs_chat_resume_reply(
    ngx_http_cs_chat_ask_t *ask, csc_bus_message_t *reply, csc_error_e error)
{
    u_char *last, *p;
    csc_str_t replay, result;
    ngx_http_cs_chat_session_t *session;

    session = ask->session;

    if (reply == NULL) {
        ask->resume->failure = error;
        ngx_http_cs_chat_resume_failed(session, ask->resume, ask->place, error);
        ngx_http_cs_chat_followed(ask, NULL);
        return;
    }

    last = (u_char *) reply->body.data;

    for (p = last + reply->body.len; p > last; p--) {
        if (p[-1] == '\n') {
            break;
        }
    }

    replay.data = last;
    replay.len = p - last;
    result.data = p;
    result.len = reply->body.len - replay.len;

    ngx_http_cs_chat_event_lines(session, replay);
    ngx_http_cs_chat_resume_settle(session, ask->resume, ask->place, result);
    ngx_http_cs_chat_followed(ask, reply);
}


static void
ngx_http_cs_chat_resume_failed(ngx_http_cs_chat_session_t *session,
    ngx_http_cs_chat_resume_t *resume, ngx_uint_t place, csc_error_e error)
{
    csc_str_t result;
    u_char buf[MAX_FAILURE];

    result.data = buf;
    result.len = ngx_snprintf(buf, sizeof(buf),
                     "{\"chatId\":\"%*s\",\"error\":\"%s\"}",
                     (size_t) CSC_UUID_LEN, resume->chats[place].id,
                     csc_error_code(error))
                 - buf;

    ngx_http_cs_chat_resume_settle(session, resume, place, result);
}


static void
ngx_http_cs_chat_resume_settle(ngx_http_cs_chat_session_t *session,
    ngx_http_cs_chat_resume_t *resume, ngx_uint_t place, csc_str_t result)
{
    ngx_http_cs_chat_resumed_t *chat;

    chat = &resume->chats[place];
    chat->result = ngx_alloc(result.len, session->connection->log);

    if (chat->result == NULL) {
        session->failed = 1;

    } else {
        ngx_memcpy(chat->result, result.data, result.len);
        chat->result_len = result.len;
    }

    resume->settled++;
}


static void
ngx_http_cs_chat_resume_answer(
    ngx_http_cs_chat_session_t *session, ngx_http_cs_chat_resume_t *resume)
{
    csc_str_t result, text;
    ngx_uint_t i;
    csc_json_writer_t *w;

    w = ngx_http_cs_chat_ws_begin(session, "resumed");
    if (w == NULL) {
        return;
    }

    csc_json_key(w, "chats");
    csc_json_array(w);

    for (i = 0; i < resume->count; i++) {
        result.data = resume->chats[i].result;
        result.len = resume->chats[i].result_len;
        csc_json_raw(w, result);
    }

    csc_json_end_array(w);
    csc_json_end_object(w);
    csc_json_end_object(w);

    if (csc_json_finish(w, &text) != CSC_OK) {
        session->failed = 1;
        return;
    }

    ngx_http_cs_chat_ws_answer(session, text);
}


static void
ngx_http_cs_chat_resume_free(
    ngx_http_cs_chat_session_t *session, ngx_http_cs_chat_resume_t *resume)
{
    ngx_uint_t i;

    for (i = 0; i < resume->count; i++) {
        if (resume->chats[i].result != NULL) {
            ngx_free(resume->chats[i].result);
        }
    }

    ngx_queue_remove(&resume->queue);
    session->nasks--;
    ngx_free(resume);
}


void
ngx_http_cs_chat_resume_cancel(ngx_http_cs_chat_session_t *session)
{
    ngx_queue_t *q, *next;

    for (q = ngx_queue_head(&session->resumes);
         q != ngx_queue_sentinel(&session->resumes); q = next)
    {
        next = ngx_queue_next(q);
        ngx_http_cs_chat_resume_free(
            session, ngx_queue_data(q, ngx_http_cs_chat_resume_t, queue));
    }
}
