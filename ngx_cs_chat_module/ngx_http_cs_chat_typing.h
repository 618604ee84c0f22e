/*
 * Who is writing.  A socket tells now and then that its user writes; whoever
 * shows that to others ends it by itself, so that no part that dies leaves a
 * dot behind: after a time, at the writer's message, and when the chat goes
 * out of somebody's sight.
 */

#ifndef NGX_HTTP_CS_CHAT_TYPING_H
#define NGX_HTTP_CS_CHAT_TYPING_H

#include "ngx_http_cs_chat_module.h"

#include "csc_bus.h"


struct ngx_http_cs_chat_session_s;


void ngx_http_cs_chat_typing_init(ngx_msec_t timeout, ngx_log_t *log);
void ngx_http_cs_chat_typing_exit(void);

/* Passes an event on to the hub, with the ends of typing that it brings. */
void ngx_http_cs_chat_typing_event(csc_bus_message_t *event);

/* --- what a socket of this process says --- */

/*
 * 1 when others are to be told that the user writes, or writes no more; 0 when
 * they have just been told.
 */
ngx_uint_t ngx_http_cs_chat_typing_starts(
    struct ngx_http_cs_chat_session_s *session, u_char *chat);
ngx_uint_t ngx_http_cs_chat_typing_stops(
    struct ngx_http_cs_chat_session_s *session, u_char *chat);

/* The socket leaves a chat, or (NULL) all: others are told. */
void ngx_http_cs_chat_typing_leave(
    struct ngx_http_cs_chat_session_s *session, u_char *chat);


#endif /* NGX_HTTP_CS_CHAT_TYPING_H */
