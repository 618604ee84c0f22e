/*
 * Where Redis is: the addresses of its name, asked for anew before each
 * attempt to connect, and which of them is the next to try.
 */

#ifndef NGX_HTTP_CS_CHAT_WHERE_H
#define NGX_HTTP_CS_CHAT_WHERE_H

#include "ngx_http_cs_chat_module.h"


#define NGX_HTTP_CS_CHAT_ADDRESSES 16 /* of one name; further ones are left */


/* A numeric address without its port, as hiredis takes it. */
typedef char ngx_http_cs_chat_address_t[NGX_SOCKADDR_STRLEN + 1];


/* Shared by the links of a process, which are to meet at one Redis. */
typedef struct {
    ngx_http_cs_chat_redis_conf_t *conf;
    ngx_log_t *log;
    ngx_uint_t n;
    ngx_http_cs_chat_address_t addresses[NGX_HTTP_CS_CHAT_ADDRESSES];
    ngx_http_cs_chat_address_t current; /* of the last attempt */
    unsigned failed : 1;                /* that attempt */
} ngx_http_cs_chat_where_t;


typedef struct {
    ngx_http_cs_chat_where_t *where;
    void (*handler)(void *data);
    void *data;
    ngx_resolver_ctx_t *ctx; /* NULL: nothing is asked */
} ngx_http_cs_chat_query_t;


/* Begins with what the configuration was resolved to. */
void ngx_http_cs_chat_where_init(ngx_http_cs_chat_where_t *where,
    ngx_http_cs_chat_redis_conf_t *conf, ngx_log_t *log);

/*
 * Asks for the addresses of the name; the query's handler is called once, from
 * within or later, whatever comes of it.  NGX_DECLINED when there is nothing to
 * ask: the handler is not called then.
 */
ngx_int_t ngx_http_cs_chat_where_ask(ngx_http_cs_chat_query_t *query);

/* The handler will not be called. */
void ngx_http_cs_chat_where_cancel(ngx_http_cs_chat_query_t *query);

/*
 * Writes the address to try now: the one before, or, if that failed, another.
 * NGX_DECLINED when there is none.
 */
ngx_int_t ngx_http_cs_chat_where_next(
    ngx_http_cs_chat_where_t *where, ngx_http_cs_chat_address_t address);

/* Nobody, or the wrong one, was found at an address. */
void ngx_http_cs_chat_where_failed(
    ngx_http_cs_chat_where_t *where, ngx_http_cs_chat_address_t address);


#endif /* NGX_HTTP_CS_CHAT_WHERE_H */
