/*
 * Replies of Redis, as hiredis builds them: one of a link at a time, in a pool
 * of the link's, which is used again for the next.
 */

#ifndef NGX_HTTP_CS_CHAT_REDIS_REPLY_H
#define NGX_HTTP_CS_CHAT_REDIS_REPLY_H

#include "ngx_http_cs_chat_redis.h"


/* What link->context reads becomes such replies; before it reads any. */
void ngx_http_cs_chat_link_replies(ngx_http_cs_chat_link_t *link);

/* Frees the pool of a link that has no context any more. */
void ngx_http_cs_chat_link_replies_end(ngx_http_cs_chat_link_t *link);


#endif /* NGX_HTTP_CS_CHAT_REDIS_REPLY_H */
