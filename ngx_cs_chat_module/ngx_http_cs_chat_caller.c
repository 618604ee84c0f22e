/* Who asks: finds the token of a request and checks it. */

#include "ngx_http_cs_chat_rest.h"
#include "ngx_http_cs_chat_token_cache.h"
#include "ngx_http_cs_chat_zone.h"


static ngx_str_t ngx_http_cs_chat_token(ngx_http_request_t *r);
static ngx_str_t ngx_http_cs_chat_bearer(ngx_str_t header);
static ngx_str_t ngx_http_cs_chat_protocol_token(ngx_http_request_t *r);


csc_error_e
ngx_http_cs_chat_authenticate(ngx_http_request_t *r)
{
    ngx_int_t rc;
    ngx_str_t token;
    ngx_http_cs_chat_ctx_t *ctx;
    ngx_http_cs_chat_loc_conf_t *conf;

    ctx = ngx_http_cs_chat_ctx(r);
    if (ctx == NULL) {
        return CSC_E_INTERNAL_ERROR;
    }

    if (ctx->authenticated) {
        return ctx->auth;
    }

    ctx->authenticated = 1;
    ctx->auth = CSC_E_AUTH_REQUIRED;

    token = ngx_http_cs_chat_token(r);

    if (token.len == 0) {
        return ctx->auth;
    }

    conf = ngx_http_get_module_loc_conf(r, ngx_http_cs_chat_module);
    rc = ngx_http_cs_chat_token_verify(
        &conf->jwt, &token, r->pool, &ctx->claims);

    /* one that was revoked counts for nobody, in limits and logs too */

    if (rc == NGX_OK
        && ngx_http_cs_chat_zone_refuses(
            ngx_http_cs_chat_bus_zone(), &ctx->claims))
    {
        rc = NGX_DECLINED;
    }

    ctx->auth = (rc == NGX_OK)         ? CSC_E_NONE
                : (rc == NGX_DECLINED) ? CSC_E_INVALID_TOKEN
                                       : CSC_E_INTERNAL_ERROR;

    return ctx->auth;
}


csc_error_e
ngx_http_cs_chat_trust(ngx_http_request_t *r)
{
    csc_error_e error;
    ngx_http_cs_chat_ctx_t *ctx;

    error = ngx_http_cs_chat_authenticate(r);

    if (error != CSC_E_NONE) {
        return error;
    }

    if (!ngx_http_cs_chat_bus_ready()) {
        return CSC_E_BACKEND_UNAVAILABLE;
    }

    ctx = ngx_http_cs_chat_ctx(r);

    if (ngx_http_cs_chat_zone_refuses(
            ngx_http_cs_chat_bus_zone(), &ctx->claims)) {
        return CSC_E_INVALID_TOKEN;
    }

    return CSC_E_NONE;
}


/*
 * Browsers can't set a header on a WebSocket, so only there the token may also
 * come as a sub-protocol or in the query.
 */

static ngx_str_t
ngx_http_cs_chat_token(ngx_http_request_t *r)
{
    ngx_str_t token;

    if (r->headers_in.authorization != NULL) {
        return ngx_http_cs_chat_bearer(r->headers_in.authorization->value);
    }

    ngx_str_null(&token);

    if (r->headers_in.upgrade == NULL) {
        return token;
    }

    token = ngx_http_cs_chat_protocol_token(r);

    if (token.len == 0) {
        (void) ngx_http_arg(r, (u_char *) "token", 5, &token);
    }

    return token;
}


static ngx_str_t
ngx_http_cs_chat_bearer(ngx_str_t header)
{
    size_t len;
    ngx_str_t token;

    token = header;
    len = sizeof("Bearer ") - 1;

    if (header.len <= len
        || ngx_strncasecmp(header.data, (u_char *) "Bearer ", len) != 0)
    {
        /* another scheme: a token that is never accepted */

        ngx_str_set(&token, "-");
        return token;
    }

    token.data += len;
    token.len -= len;

    while (token.len && *token.data == ' ') {
        token.data++;
        token.len--;
    }

    if (token.len == 0) {
        ngx_str_set(&token, "-");
    }

    return token;
}


/* "Sec-WebSocket-Protocol: bearer, TOKEN" */

static ngx_str_t
ngx_http_cs_chat_protocol_token(ngx_http_request_t *r)
{
    u_char *p, *last;
    ngx_str_t header, token;

    ngx_str_null(&token);
    header = ngx_http_cs_chat_header_in(r, "Sec-WebSocket-Protocol");

    if (header.len < 7 || ngx_strncmp(header.data, "bearer", 6) != 0) {
        return token;
    }

    p = header.data + 6;
    last = header.data + header.len;

    while (p < last && *p == ' ') {
        p++;
    }

    if (p == last || *p++ != ',') {
        return token;
    }

    while (p < last && *p == ' ') {
        p++;
    }

    token.data = p;

    while (p < last && *p != ' ' && *p != ',') {
        p++;
    }

    token.len = p - token.data;

    return token;
}
