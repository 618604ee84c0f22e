/* Directives of who may come in: keys and algorithms of tokens, origins. */

#include "ngx_http_cs_chat_conf.h"

#include <jwt.h>


#define MAX_KEY_FILE 4096 /* bytes of a file with a key or a password */


static ngx_uint_t ngx_http_cs_chat_origin_valid(ngx_str_t *origin);


/* Tokens. */

char *
ngx_http_cs_chat_set_key(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_str_t *value;
    ngx_http_cs_chat_loc_conf_t *lcf;

    lcf = conf;

    if (lcf->jwt.key.data != NULL) {
        return "is duplicate, or stands beside \"cs_chat_jwt_key_file\"";
    }

    value = cf->args->elts;
    lcf->jwt.key = value[1];

    /* the value is a secret: its length is named in its stead */

    if (value[1].len < NGX_HTTP_CS_CHAT_MIN_KEY) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
            "the key in \"cs_chat_jwt_key\" has %uz bytes: it must have at "
            "least %d",
            value[1].len, NGX_HTTP_CS_CHAT_MIN_KEY);
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


char *
ngx_http_cs_chat_set_key_file(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_str_t *value;
    ngx_http_cs_chat_loc_conf_t *lcf;

    lcf = conf;

    if (lcf->jwt.key.data != NULL) {
        return "is duplicate, or stands beside \"cs_chat_jwt_key\"";
    }

    value = cf->args->elts;

    if (ngx_http_cs_chat_read_secret(cf, &value[1], &lcf->jwt.key) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    if (lcf->jwt.key.len < NGX_HTTP_CS_CHAT_MIN_KEY) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
            "the key in file \"%V\" has %uz bytes: it must have at least %d",
            &value[1], lcf->jwt.key.len, NGX_HTTP_CS_CHAT_MIN_KEY);
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


/* The content of a file without the line feed at its end. */

ngx_int_t
ngx_http_cs_chat_read_secret(ngx_conf_t *cf, ngx_str_t *path, ngx_str_t *secret)
{
    ssize_t n;
    ngx_fd_t fd;
    u_char *buf;

    if (ngx_conf_full_name(cf->cycle, path, 1) != NGX_OK) {
        return NGX_ERROR;
    }

    buf = ngx_pnalloc(cf->pool, MAX_KEY_FILE + 1);
    if (buf == NULL) {
        return NGX_ERROR;
    }

    fd = ngx_open_file(path->data, NGX_FILE_RDONLY, NGX_FILE_OPEN, 0);

    if (fd == NGX_INVALID_FILE) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, ngx_errno,
            "the file \"%V\" can't be opened", path);
        return NGX_ERROR;
    }

    n = ngx_read_fd(fd, buf, MAX_KEY_FILE + 1);

    if (n < 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, ngx_errno,
            "the file \"%V\" can't be read", path);
        (void) ngx_close_file(fd);
        return NGX_ERROR;
    }

    (void) ngx_close_file(fd);

    while (n > 0 && (buf[n - 1] == LF || buf[n - 1] == CR)) {
        n--;
    }

    if (n == 0 || n > MAX_KEY_FILE) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
            "the file \"%V\" must hold one secret of 1 to %d bytes", path,
            MAX_KEY_FILE);
        return NGX_ERROR;
    }

    secret->data = buf;
    secret->len = n;

    return NGX_OK;
}


char *
ngx_http_cs_chat_set_algorithm(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_str_t *value;
    ngx_http_cs_chat_loc_conf_t *lcf;

    lcf = conf;

    if (lcf->jwt.algorithm != NGX_CONF_UNSET_UINT) {
        return "is duplicate";
    }

    value = cf->args->elts;

    if (ngx_strcmp(value[1].data, "HS256") == 0) {
        lcf->jwt.algorithm = JWT_ALG_HS256;

    } else if (ngx_strcmp(value[1].data, "HS384") == 0) {
        lcf->jwt.algorithm = JWT_ALG_HS384;

    } else if (ngx_strcmp(value[1].data, "HS512") == 0) {
        lcf->jwt.algorithm = JWT_ALG_HS512;

    } else {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
            "invalid value \"%V\" in \"cs_chat_jwt_algorithm\": it must be "
            "HS256, HS384 or HS512",
            &value[1]);
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


/* CORS. */

char *
ngx_http_cs_chat_set_origins(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_str_t *value, *origin;
    ngx_uint_t i;
    ngx_http_cs_chat_loc_conf_t *lcf;

    lcf = conf;

    if (lcf->any_origin != NGX_CONF_UNSET) {
        return "is duplicate";
    }

    lcf->any_origin = 0;
    lcf->origins = NULL;
    value = cf->args->elts;

    if (cf->args->nelts == 2 && ngx_strcmp(value[1].data, "off") == 0) {
        return NGX_CONF_OK;
    }

    if (cf->args->nelts == 2 && ngx_strcmp(value[1].data, "*") == 0) {
        lcf->any_origin = 1;
        return NGX_CONF_OK;
    }

    lcf->origins = ngx_array_create(
        cf->pool, cf->args->nelts - 1, sizeof(ngx_str_t));
    if (lcf->origins == NULL) {
        return NGX_CONF_ERROR;
    }

    for (i = 1; i < cf->args->nelts; i++) {
        if (!ngx_http_cs_chat_origin_valid(&value[i])) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                "invalid origin \"%V\" in \"cs_chat_cors_origins\": it must be "
                "\"scheme://host\" or \"scheme://host:port\" without a path; "
                "\"*\" or \"off\" must stand alone",
                &value[i]);
            return NGX_CONF_ERROR;
        }

        origin = ngx_array_push(lcf->origins);
        *origin = value[i];
    }

    return NGX_CONF_OK;
}


/* What a browser sends: a scheme, "://", a host and no port or one. */

static ngx_uint_t
ngx_http_cs_chat_origin_valid(ngx_str_t *origin)
{
    u_char *p, *host, *last;
    ngx_int_t port;

    last = origin->data + origin->len;
    host = ngx_strnstr(origin->data, "://", origin->len);

    if (host == NULL || host == origin->data || host + 3 == last) {
        return 0;
    }

    for (p = origin->data; p < host; p++) {
        if (!isalnum(*p) && ngx_strchr("+-.", *p) == NULL) {
            return 0;
        }
    }

    host += 3;

    for (p = host; p < last; p++) {
        if (*p <= 0x20 || *p >= 0x7f || ngx_strchr("/?#*,@\\", *p) != NULL) {
            return 0;
        }
    }

    /* the colons of an IPv6 address stand in brackets */

    for (p = last; p > host && p[-1] != ':' && p[-1] != ']'; p--) {
        /* void */
    }

    if (p == host || p[-1] == ']') {
        return p == host || p == last;
    }

    port = ngx_atoi(p, last - p);

    return port > 0 && port < 65536 && p - 1 > host;
}
