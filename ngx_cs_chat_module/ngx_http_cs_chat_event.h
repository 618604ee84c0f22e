/*
 * What the files that handle a client's events share: requests of a session
 * that await their reply, and refusals.
 */

#ifndef NGX_HTTP_CS_CHAT_EVENT_H
#define NGX_HTTP_CS_CHAT_EVENT_H

#include "ngx_http_cs_chat_bus.h"
#include "ngx_http_cs_chat_ws.h"

#include "csc_uuid.h"


/* The fields of an event that matter here. */
enum {
    NGX_HTTP_CS_CHAT_FIELD_TYPE = 0,
    NGX_HTTP_CS_CHAT_FIELD_DATA,
    NGX_HTTP_CS_CHAT_FIELD_CHAT,
    NGX_HTTP_CS_CHAT_FIELD_CHATS,
    NGX_HTTP_CS_CHAT_FIELD_CLIENT,
    NGX_HTTP_CS_CHAT_FIELD_TOKEN,
    NGX_HTTP_CS_CHAT_FIELDS
};


typedef struct ngx_http_cs_chat_resume_s ngx_http_cs_chat_resume_t;


/* A request of a session that awaits its reply. */
typedef struct {
    ngx_queue_t queue;
    ngx_http_cs_chat_session_t *session;
    ngx_http_cs_chat_call_t *call;
    csc_op_e op;
    u_char chat[CSC_UUID_LEN];
    ngx_http_cs_chat_resume_t *resume; /* that it is a part of, or NULL */
    ngx_uint_t place;                  /* of its chat in the resume */
    size_t client_len;
    u_char client[];
} ngx_http_cs_chat_ask_t;


/* --- ngx_http_cs_chat_event.c --- */

/*
 * A request about a chat; client, the clientId that an error repeats, may be
 * empty.  NULL when out of memory.
 */
ngx_http_cs_chat_ask_t *ngx_http_cs_chat_event_ask(
    ngx_http_cs_chat_session_t *session, csc_op_e op, u_char *chat,
    csc_str_t client);

/* A message of a session about a chat, with all but its body. */
void ngx_http_cs_chat_event_message(ngx_http_cs_chat_session_t *session,
    csc_op_e op, csc_str_t chat, csc_bus_message_t *message);

/*
 * Sends it with the WebSocket message that asks for it; its reply comes later.
 * NGX_ERROR when that can't be done: the ask is still the caller's.
 */
ngx_int_t ngx_http_cs_chat_event_send(
    ngx_http_cs_chat_ask_t *ask, csc_str_t text);

/* Takes it off its session and frees it. */
void ngx_http_cs_chat_event_free(ngx_http_cs_chat_ask_t *ask);

/* Sends what the chat worker answered: messages, one a line. */
void ngx_http_cs_chat_event_lines(
    ngx_http_cs_chat_session_t *session, csc_str_t body);

/* Answers an event with an error; one of the client's own doing is counted. */
void ngx_http_cs_chat_event_refuse(ngx_http_cs_chat_session_t *session,
    csc_error_e error, const char *sentence, const char *field,
    csc_json_field_t *fields);

/* --- ngx_http_cs_chat_follow.c --- */

/*
 * Follows a chat, holding back what comes by it until the reply.  NGX_DECLINED
 * when the session follows too many, NGX_ERROR when out of memory.
 */
ngx_int_t ngx_http_cs_chat_follow(
    ngx_http_cs_chat_session_t *session, csc_str_t chat);

/* The reply to a join or resume is there, or (NULL) there will be none. */
void ngx_http_cs_chat_followed(
    ngx_http_cs_chat_ask_t *ask, csc_bus_message_t *reply);

/* Ends what ngx_http_cs_chat_follow() began, where it was begun. */
void ngx_http_cs_chat_unfollow(
    ngx_http_cs_chat_session_t *session, csc_str_t chat);

/* --- ngx_http_cs_chat_resume.c --- */

/*
 * The event "resume".  scratch has room for the text that the fields are
 * views of.
 */
void ngx_http_cs_chat_resume(ngx_http_cs_chat_session_t *session,
    csc_json_field_t *fields, u_char *scratch);

/* The reply about one of its chats, or NULL and why there is none. */
void ngx_http_cs_chat_resume_reply(
    ngx_http_cs_chat_ask_t *ask, csc_bus_message_t *reply, csc_error_e error);

/* The session ends. */
void ngx_http_cs_chat_resume_cancel(ngx_http_cs_chat_session_t *session);


#endif /* NGX_HTTP_CS_CHAT_EVENT_H */
