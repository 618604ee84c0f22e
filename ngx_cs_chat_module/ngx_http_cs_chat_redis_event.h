/*
 * The adapter between hiredis and nginx's event loop: when a link's socket is
 * read and written.
 */

#ifndef NGX_HTTP_CS_CHAT_REDIS_EVENT_H
#define NGX_HTTP_CS_CHAT_REDIS_EVENT_H

#include "ngx_http_cs_chat_redis.h"


/* Prepares a link's own events, once. */
void ngx_http_cs_chat_link_events(ngx_http_cs_chat_link_t *link);

/*
 * Puts the socket of link->context on the event loop, until hiredis frees that
 * context.  NGX_ERROR: there is no free connection.
 */
ngx_int_t ngx_http_cs_chat_link_attach(ngx_http_cs_chat_link_t *link);


#endif /* NGX_HTTP_CS_CHAT_REDIS_EVENT_H */
