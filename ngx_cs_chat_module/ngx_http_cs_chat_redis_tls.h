#ifndef NGX_HTTP_CS_CHAT_REDIS_TLS_H
#define NGX_HTTP_CS_CHAT_REDIS_TLS_H

#include "ngx_http_cs_chat_redis.h"


/*
 * Begins TLS on the socket of link->context where the configuration wants it.
 * NGX_ERROR: it can't be, which the log says.
 */
ngx_int_t ngx_http_cs_chat_link_tls(ngx_http_cs_chat_link_t *link);


#endif /* NGX_HTTP_CS_CHAT_REDIS_TLS_H */
