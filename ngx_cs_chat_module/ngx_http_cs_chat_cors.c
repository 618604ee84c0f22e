/* Which pages may use the API: CORS (the Fetch standard, 3.2), origins. */

#include "ngx_http_cs_chat_rest.h"


static ngx_uint_t ngx_http_cs_chat_origin_listed(
    ngx_http_cs_chat_loc_conf_t *conf, ngx_str_t *origin);


ngx_int_t
ngx_http_cs_chat_cors(ngx_http_request_t *r)
{
    ngx_str_t origin;
    ngx_http_cs_chat_loc_conf_t *conf;
    ngx_str_t any = ngx_string("*");
    ngx_str_t yes = ngx_string("true");
    ngx_str_t vary = ngx_string("Origin");
    ngx_str_t exposed = ngx_string("Retry-After");

    conf = ngx_http_get_module_loc_conf(r, ngx_http_cs_chat_module);

    if (conf->origins == NULL && !conf->any_origin) {
        return NGX_OK;
    }

    if (ngx_http_cs_chat_header(r, "Vary", &vary) != NGX_OK) {
        return NGX_ERROR;
    }

    origin = ngx_http_cs_chat_header_in(r, "Origin");

    if (origin.len == 0 || !ngx_http_cs_chat_origin_listed(conf, &origin)) {
        return NGX_OK;
    }

    /* anyone, but then without credentials */

    if (conf->any_origin) {
        origin = any;

    } else if (ngx_http_cs_chat_header(
                   r, "Access-Control-Allow-Credentials", &yes)
               != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (ngx_http_cs_chat_header(r, "Access-Control-Allow-Origin", &origin)
            != NGX_OK
        || ngx_http_cs_chat_header(r, "Access-Control-Expose-Headers", &exposed)
               != NGX_OK)
    {
        return NGX_ERROR;
    }

    return NGX_OK;
}


ngx_int_t
ngx_http_cs_chat_options(ngx_http_request_t *r, const char *allow)
{
    ngx_str_t methods, origin;
    ngx_http_cs_chat_loc_conf_t *conf;
    ngx_str_t age = ngx_string("600");
    ngx_str_t headers = ngx_string("Authorization, Content-Type, "
                                   "Idempotency-Key");

    methods.data = (u_char *) allow;
    methods.len = ngx_strlen(allow);

    conf = ngx_http_get_module_loc_conf(r, ngx_http_cs_chat_module);
    origin = ngx_http_cs_chat_header_in(r, "Origin");

    if (ngx_http_cs_chat_header(r, "Allow", &methods) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (origin.len && ngx_http_cs_chat_origin_listed(conf, &origin)
        && (ngx_http_cs_chat_header(r, "Access-Control-Allow-Methods", &methods)
                != NGX_OK
            || ngx_http_cs_chat_header(
                   r, "Access-Control-Allow-Headers", &headers)
                   != NGX_OK
            || ngx_http_cs_chat_header(r, "Access-Control-Max-Age", &age)
                   != NGX_OK))
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    return ngx_http_cs_chat_respond_empty(r, NGX_HTTP_NO_CONTENT);
}


static ngx_uint_t
ngx_http_cs_chat_origin_listed(
    ngx_http_cs_chat_loc_conf_t *conf, ngx_str_t *origin)
{
    ngx_uint_t i;
    ngx_str_t *listed;

    if (conf->any_origin) {
        return 1;
    }

    if (conf->origins == NULL) {
        return 0;
    }

    listed = conf->origins->elts;

    for (i = 0; i < conf->origins->nelts; i++) {
        if (origin->len == listed[i].len
            && ngx_strncasecmp(origin->data, listed[i].data, origin->len) == 0)
        {
            return 1;
        }
    }

    return 0;
}


ngx_uint_t
ngx_http_cs_chat_origin_allowed(ngx_http_request_t *r)
{
    u_char *p, *last;
    ngx_str_t origin, host;
    ngx_http_cs_chat_loc_conf_t *conf;

    origin = ngx_http_cs_chat_header_in(r, "Origin");

    if (origin.len == 0) {
        return 1;
    }

    conf = ngx_http_get_module_loc_conf(r, ngx_http_cs_chat_module);

    if (ngx_http_cs_chat_origin_listed(conf, &origin)) {
        return 1;
    }

    /* a page of this very host */

    if (r->headers_in.host == NULL) {
        return 0;
    }

    host = r->headers_in.host->value;
    last = origin.data + origin.len;
    p = ngx_strnstr(origin.data, "://", origin.len);

    if (p == NULL) {
        return 0;
    }

    p += 3;

    return (size_t) (last - p) == host.len
           && ngx_strncasecmp(p, host.data, host.len) == 0;
}
