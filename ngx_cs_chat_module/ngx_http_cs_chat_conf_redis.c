/* Directives of what all processes share: Redis, the prefix, the zone. */

#include "ngx_http_cs_chat_conf.h"
#include "ngx_http_cs_chat_redis.h"
#include "ngx_http_cs_chat_zone.h"

#include "csc_bus.h"


static char *ngx_http_cs_chat_redis_option(
    ngx_conf_t *cf, ngx_http_cs_chat_redis_conf_t *redis, ngx_str_t *option);
static ngx_uint_t ngx_http_cs_chat_option(
    ngx_str_t *option, const char *name, ngx_str_t *value);


char *
ngx_http_cs_chat_set_redis(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    char *rc;
    ngx_str_t *value;
    ngx_uint_t i;
    ngx_http_cs_chat_redis_conf_t *redis;

    redis = &((ngx_http_cs_chat_main_conf_t *) conf)->redis;

    if (redis->address.data != NULL) {
        return "is duplicate";
    }

    value = cf->args->elts;

    rc = ngx_http_cs_chat_redis_address(cf, redis, &value[1]);

    for (i = 2; rc == NGX_CONF_OK && i < cf->args->nelts; i++) {
        rc = ngx_http_cs_chat_redis_option(cf, redis, &value[i]);
    }

    if (rc != NGX_CONF_OK) {
        return rc;
    }

    if (redis->tls_ca.len && !redis->tls) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
            "\"tls_ca\" in \"cs_chat_redis\" needs \"tls=on\" beside it");
        return NGX_CONF_ERROR;
    }

    if (redis->user.len && redis->password.len == 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
            "\"cs_chat_redis\" has user \"%V\" but no password: add "
            "\"password_file=PATH\"",
            &redis->user);
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


/*
 * Host names are looked up now: so mistakes are found, and there is an address
 * where no "resolver" is configured or it fails.
 */

char *
ngx_http_cs_chat_redis_address(
    ngx_conf_t *cf, ngx_http_cs_chat_redis_conf_t *redis, ngx_str_t *address)
{
    ngx_url_t u;
    struct sockaddr *sockaddr;

    redis->address = *address;

    ngx_memzero(&u, sizeof(ngx_url_t));
    u.url = *address;
    u.default_port = 6379;

    if (ngx_parse_url(cf->pool, &u) != NGX_OK) {
        if (u.err && ngx_strcmp(u.err, "host not found") == 0) {
            redis->name = u.host;
            redis->port = u.port;
            return NGX_CONF_OK;
        }

        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
            "invalid address \"%V\" in \"cs_chat_redis\": %s; it must be "
            "\"host:port\" or \"unix:/path\"",
            address, u.err ? u.err : "not understood");
        return NGX_CONF_ERROR;
    }

    sockaddr = u.addrs[0].sockaddr;

#if (NGX_HAVE_UNIX_DOMAIN)
    if (sockaddr->sa_family == AF_UNIX) {
        redis->path.data =
            (u_char *) ((struct sockaddr_un *) sockaddr)->sun_path;
        redis->path.len = ngx_strlen(redis->path.data);
        return NGX_CONF_OK;
    }
#endif

    if (u.host.data[0] != '['
        && ngx_inet_addr(u.host.data, u.host.len) == INADDR_NONE)
    {
        redis->name = u.host;
    }

    redis->addrs = u.addrs;
    redis->naddrs = u.naddrs;
    redis->port = ngx_inet_get_port(sockaddr);

    return NGX_CONF_OK;
}


/* Where there is a resolver, the name may be known to it alone, or later. */

char *
ngx_http_cs_chat_init_redis(
    ngx_conf_t *cf, ngx_http_cs_chat_redis_conf_t *redis)
{
    ngx_http_core_loc_conf_t *clcf;

    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);

    /* nginx makes one without servers where none is configured */

    if (clcf->resolver != NULL && clcf->resolver->connections.nelts) {
        redis->resolver = clcf->resolver;
    }

    redis->resolver_timeout = clcf->resolver_timeout;
    ngx_conf_init_msec_value(redis->resolver_timeout, 30000);

    if (redis->naddrs || redis->path.len || redis->resolver != NULL) {
        return NGX_CONF_OK;
    }

    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
        "invalid address \"%V\" in \"cs_chat_redis\": host not found, and "
        "there "
        "is no \"resolver\" that could find it later",
        &redis->address);

    return NGX_CONF_ERROR;
}


static char *
ngx_http_cs_chat_redis_option(
    ngx_conf_t *cf, ngx_http_cs_chat_redis_conf_t *redis, ngx_str_t *option)
{
    ngx_int_t n;
    ngx_str_t value;

    if (ngx_http_cs_chat_option(option, "user=", &redis->user)) {
        return NGX_CONF_OK;
    }

    if (ngx_http_cs_chat_option(option, "password_file=", &value)) {
        return (ngx_http_cs_chat_read_secret(cf, &value, &redis->password)
                   == NGX_OK)
                   ? NGX_CONF_OK
                   : NGX_CONF_ERROR;
    }

    if (ngx_http_cs_chat_option(option, "database=", &value)) {
        n = ngx_atoi(value.data, value.len);

        if (n == NGX_ERROR || n > 65535) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                "invalid \"%V\" in \"cs_chat_redis\": the database must be a "
                "number from 0 to 65535",
                option);
            return NGX_CONF_ERROR;
        }

        redis->database = n;
        return NGX_CONF_OK;
    }

    if (ngx_http_cs_chat_option(option, "tls_ca=", &redis->tls_ca)) {
        return (ngx_conf_full_name(cf->cycle, &redis->tls_ca, 1) == NGX_OK)
                   ? NGX_CONF_OK
                   : NGX_CONF_ERROR;
    }

    if (ngx_http_cs_chat_option(option, "tls=", &value)) {
        if (value.len == 3 && ngx_strncmp(value.data, "off", 3) == 0) {
            return NGX_CONF_OK;
        }

        if (value.len == 2 && ngx_strncmp(value.data, "on", 2) == 0) {
#if (NGX_CS_CHAT_REDIS_TLS)
            redis->tls = 1;
            return NGX_CONF_OK;
#else
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                "\"tls=on\" in \"cs_chat_redis\" needs a module that was built "
                "with hiredis 1.0 or later and its TLS support; this one was "
                "built with hiredis %d.%d",
                HIREDIS_MAJOR, HIREDIS_MINOR);
            return NGX_CONF_ERROR;
#endif
        }
    }

    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
        "invalid parameter \"%V\" in \"cs_chat_redis\": it must be "
        "\"user=NAME\", \"password_file=PATH\", \"database=N\", \"tls=on\" or "
        "\"tls_ca=PATH\"",
        option);

    return NGX_CONF_ERROR;
}


static ngx_uint_t
ngx_http_cs_chat_option(ngx_str_t *option, const char *name, ngx_str_t *value)
{
    size_t len;

    len = ngx_strlen(name);

    if (option->len <= len || ngx_strncmp(option->data, name, len) != 0) {
        return 0;
    }

    value->data = option->data + len;
    value->len = option->len - len;

    return 1;
}


char *
ngx_http_cs_chat_set_prefix(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    size_t i;
    ngx_str_t *value;
    ngx_http_cs_chat_main_conf_t *mcf;

    mcf = conf;

    if (mcf->prefix.data != NULL) {
        return "is duplicate";
    }

    value = cf->args->elts;
    mcf->prefix = value[1];

    for (i = 0; i < mcf->prefix.len; i++) {
        if (mcf->prefix.data[i] <= 0x20 || mcf->prefix.data[i] >= 0x7f) {
            break;
        }
    }

    if (i != mcf->prefix.len || i == 0 || i > CSC_BUS_MAX_PREFIX) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
            "invalid value \"%V\" in \"cs_chat_prefix\": it must be 1 to %d "
            "printable ASCII characters without spaces",
            &mcf->prefix, CSC_BUS_MAX_PREFIX);
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


char *
ngx_http_cs_chat_set_zone(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    u_char *colon;
    ssize_t size;
    ngx_str_t *value, name, text;
    ngx_http_cs_chat_main_conf_t *mcf;

    mcf = conf;

    if (mcf->zone != NULL) {
        return "is duplicate";
    }

    value = cf->args->elts;
    colon = ngx_strlchr(value[1].data, value[1].data + value[1].len, ':');

    if (colon == NULL || colon == value[1].data) {
        goto invalid;
    }

    name.data = value[1].data;
    name.len = colon - name.data;
    text.data = colon + 1;
    text.len = value[1].data + value[1].len - text.data;
    size = ngx_parse_size(&text);

    if (size < (ssize_t) (8 * ngx_pagesize)) {
        goto invalid;
    }

    mcf->zone = ngx_http_cs_chat_zone_add(cf, &name, size);

    return mcf->zone ? NGX_CONF_OK : NGX_CONF_ERROR;

invalid:

    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
        "invalid value \"%V\" in \"cs_chat_zone\": it must be \"NAME:SIZE\" "
        "with a size of at least %ui bytes, as in \"cs_chat:1m\"",
        &value[1], 8 * ngx_pagesize);

    return NGX_CONF_ERROR;
}
