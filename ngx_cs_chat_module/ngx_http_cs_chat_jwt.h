/*
 * Tokens (RFC 7519), signed and checked with the configured key and algorithm.
 */

#ifndef NGX_HTTP_CS_CHAT_JWT_H
#define NGX_HTTP_CS_CHAT_JWT_H

#include <ngx_config.h>
#include <ngx_core.h>


#define NGX_HTTP_CS_CHAT_TOKEN_KEY_LEN 32 /* hexadecimal digits */
#define NGX_HTTP_CS_CHAT_DIGEST_LEN 32    /* bytes of a SHA-256 */
#define NGX_HTTP_CS_CHAT_MAX_TOKEN 4096   /* bytes of a token we look at */
#define NGX_HTTP_CS_CHAT_MIN_KEY 16       /* bytes of a signing key */


typedef struct {
    ngx_str_t key;
    ngx_uint_t algorithm; /* jwt_alg_t */
    time_t lifetime;      /* seconds */
    time_t leeway;        /* seconds */

    /* Of key and algorithm: what verifies the same has the same. */
    u_char identity[NGX_HTTP_CS_CHAT_DIGEST_LEN];
} ngx_http_cs_chat_jwt_conf_t;


typedef struct {
    ngx_str_t user;     /* id, lower case */
    ngx_str_t username; /* may be empty in a foreign token */
    ngx_str_t role;
    time_t expires;
    time_t not_before; /* 0: none */

    /* Names this token where it is revoked: a hash, never the token. */
    u_char key[NGX_HTTP_CS_CHAT_TOKEN_KEY_LEN];
} ngx_http_cs_chat_claims_t;


/* The same role as a constant of the product; NULL for one that is none. */
const ngx_str_t *ngx_http_cs_chat_role(ngx_str_t *role);

/*
 * Sets the identity of a configuration that has its key and algorithm.
 * NGX_ERROR when out of memory.
 */
ngx_int_t ngx_http_cs_chat_jwt_identify(ngx_http_cs_chat_jwt_conf_t *conf);

/*
 * Checks signature, algorithm, times and claims of a token; the claims are
 * copied into the pool.  NGX_OK; NGX_DECLINED for a token that is not to be
 * accepted; NGX_ERROR when out of memory.  Revocation is not looked at.
 */
ngx_int_t ngx_http_cs_chat_jwt_verify(ngx_http_cs_chat_jwt_conf_t *conf,
    ngx_str_t *token, ngx_pool_t *pool, ngx_http_cs_chat_claims_t *claims);

/* Whether claims hold just now: NGX_OK, or NGX_DECLINED. */
ngx_int_t ngx_http_cs_chat_jwt_timely(
    ngx_http_cs_chat_jwt_conf_t *conf, ngx_http_cs_chat_claims_t *claims);

/*
 * Signs a token of the configured lifetime for user, username and role of the
 * claims.  NGX_OK and *token in the pool, or NGX_ERROR.
 */
ngx_int_t ngx_http_cs_chat_jwt_sign(ngx_http_cs_chat_jwt_conf_t *conf,
    ngx_http_cs_chat_claims_t *claims, ngx_pool_t *pool, ngx_str_t *token);


#endif /* NGX_HTTP_CS_CHAT_JWT_H */
