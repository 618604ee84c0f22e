/*
 * The tokens that this process has verified of late, so that a client that
 * comes again costs a digest and a look instead of a whole verification.
 * What may change between two requests is never taken from here: times are
 * compared at each use, and revocation and roles are the zone's, as ever.
 */

#ifndef NGX_HTTP_CS_CHAT_TOKEN_CACHE_H
#define NGX_HTTP_CS_CHAT_TOKEN_CACHE_H

#include "ngx_http_cs_chat_jwt.h"


/*
 * Once a process: room for that many tokens, 0 for none.  NGX_ERROR when out
 * of memory.
 */
ngx_int_t ngx_http_cs_chat_token_cache_init(ngx_uint_t max, ngx_log_t *log);
void ngx_http_cs_chat_token_cache_exit(void);

/* As ngx_http_cs_chat_jwt_verify(), by memory where there is one. */
ngx_int_t ngx_http_cs_chat_token_verify(ngx_http_cs_chat_jwt_conf_t *conf,
    ngx_str_t *token, ngx_pool_t *pool, ngx_http_cs_chat_claims_t *claims);


#endif /* NGX_HTTP_CS_CHAT_TOKEN_CACHE_H */
