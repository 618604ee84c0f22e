#include "ngx_http_cs_chat_where.h"


#define QUERY_TIMEOUT 3000 /* ms, where "resolver_timeout" is longer */


static void ngx_http_cs_chat_where_answered(ngx_resolver_ctx_t *ctx);
static void ngx_http_cs_chat_where_add(ngx_http_cs_chat_where_t *where,
    struct sockaddr *sockaddr, socklen_t socklen);
static int ngx_libc_cdecl ngx_http_cs_chat_where_compare(
    const void *one, const void *two);
static void ngx_http_cs_chat_where_sort(ngx_http_cs_chat_where_t *where);


void
ngx_http_cs_chat_where_init(ngx_http_cs_chat_where_t *where,
    ngx_http_cs_chat_redis_conf_t *conf, ngx_log_t *log)
{
    ngx_uint_t i;

    ngx_memzero(where, sizeof(ngx_http_cs_chat_where_t));

    where->conf = conf;
    where->log = log;

    for (i = 0; i < conf->naddrs; i++) {
        ngx_http_cs_chat_where_add(
            where, conf->addrs[i].sockaddr, conf->addrs[i].socklen);
    }

    ngx_http_cs_chat_where_sort(where);
}


ngx_int_t
ngx_http_cs_chat_where_ask(ngx_http_cs_chat_query_t *query)
{
    ngx_resolver_ctx_t *ctx;
    ngx_http_cs_chat_redis_conf_t *conf;

    conf = query->where->conf;

    if (conf->name.len == 0 || conf->resolver == NULL) {
        return NGX_DECLINED;
    }

    ctx = ngx_resolve_start(conf->resolver, NULL);

    if (ctx == NULL || ctx == NGX_NO_RESOLVER) {
        return NGX_DECLINED;
    }

    ctx->name = conf->name;
    ctx->handler = ngx_http_cs_chat_where_answered;
    ctx->data = query;
    ctx->timeout = ngx_min(conf->resolver_timeout, QUERY_TIMEOUT);
    ctx->cancelable = 1; /* a process that is to end does not wait for it */

    query->ctx = ctx;

    if (ngx_resolve_name(ctx) != NGX_OK) {
        query->ctx = NULL;
        return NGX_DECLINED;
    }

    return NGX_OK;
}


static void
ngx_http_cs_chat_where_answered(ngx_resolver_ctx_t *ctx)
{
    ngx_uint_t i;
    ngx_http_cs_chat_query_t *query;
    ngx_http_cs_chat_where_t *where;

    query = ctx->data;
    where = query->where;

    if (ctx->state) {
        ngx_log_error(NGX_LOG_ERR, where->log, 0,
            "the name of Redis at \"%V\" could not be resolved (%i: %s)%s",
            &where->conf->address, ctx->state,
            ngx_resolver_strerror(ctx->state),
            where->n ? ": its last address is used" : "");

    } else if (ctx->naddrs) {
        where->n = 0;

        for (i = 0; i < ctx->naddrs; i++) {
            ngx_http_cs_chat_where_add(
                where, ctx->addrs[i].sockaddr, ctx->addrs[i].socklen);
        }

        ngx_http_cs_chat_where_sort(where);
    }

    query->ctx = NULL;
    ngx_resolve_name_done(ctx);

    query->handler(query->data);
}


void
ngx_http_cs_chat_where_cancel(ngx_http_cs_chat_query_t *query)
{
    if (query->ctx != NULL) {
        ngx_resolve_name_done(query->ctx);
        query->ctx = NULL;
    }
}


static void
ngx_http_cs_chat_where_add(ngx_http_cs_chat_where_t *where,
    struct sockaddr *sockaddr, socklen_t socklen)
{
    char *address;
    size_t len;

    if (where->n == NGX_HTTP_CS_CHAT_ADDRESSES) {
        return;
    }

    address = where->addresses[where->n++];
    len = ngx_sock_ntop(
        sockaddr, socklen, (u_char *) address, NGX_SOCKADDR_STRLEN, 0);
    address[len] = '\0';
}


/* nginx's resolver turns the list; in order, all processes try the same. */

static void
ngx_http_cs_chat_where_sort(ngx_http_cs_chat_where_t *where)
{
    ngx_qsort(where->addresses, where->n, sizeof(ngx_http_cs_chat_address_t),
        ngx_http_cs_chat_where_compare);
}


static int ngx_libc_cdecl
ngx_http_cs_chat_where_compare(const void *one, const void *two)
{
    return ngx_strcmp(one, two);
}


ngx_int_t
ngx_http_cs_chat_where_next(
    ngx_http_cs_chat_where_t *where, ngx_http_cs_chat_address_t address)
{
    int order;
    ngx_uint_t i, next;

    if (where->n == 0) {
        return NGX_DECLINED;
    }

    next = 0;

    for (i = where->n; i > 0; i--) {
        order = ngx_strcmp(where->addresses[i - 1], where->current);

        if (order > 0 || (order == 0 && !where->failed)) {
            next = i - 1;
        }
    }

    if (ngx_strcmp(where->addresses[next], where->current) != 0) {
        ngx_log_error(NGX_LOG_NOTICE, where->log, 0,
            "Redis at \"%V\" is sought at %s", &where->conf->address,
            where->addresses[next]);
        ngx_memcpy(where->current, where->addresses[next],
            sizeof(ngx_http_cs_chat_address_t));
    }

    where->failed = 0;
    ngx_memcpy(address, where->current, sizeof(ngx_http_cs_chat_address_t));

    return NGX_OK;
}


void
ngx_http_cs_chat_where_failed(
    ngx_http_cs_chat_where_t *where, ngx_http_cs_chat_address_t address)
{
    if (ngx_strcmp(address, where->current) == 0) {
        where->failed = 1;
    }
}
