/*
 * Tells the chat workers which users have sockets in this process: when one is
 * opened or closed, and all of them again every few seconds, so that a process
 * that dies lets go by its silence.
 */

#ifndef NGX_HTTP_CS_CHAT_PRESENCE_H
#define NGX_HTTP_CS_CHAT_PRESENCE_H

#include "ngx_http_cs_chat_ws.h"


/* Starts and ends the renewal in this process. */
void ngx_http_cs_chat_presence_init(ngx_msec_t interval, ngx_log_t *log);
void ngx_http_cs_chat_presence_exit(void);

/* A session has begun (it follows its user by now), or has ended. */
void ngx_http_cs_chat_presence_open(ngx_http_cs_chat_session_t *session);
void ngx_http_cs_chat_presence_close(ngx_http_cs_chat_session_t *session);

/*
 * The session is about to end: its user is there as before, but may open
 * another in its stead.
 */
void ngx_http_cs_chat_presence_uncount(ngx_http_cs_chat_session_t *session);

/* Announces every user of this process, at once. */
void ngx_http_cs_chat_presence_renew(void);


#endif /* NGX_HTTP_CS_CHAT_PRESENCE_H */
