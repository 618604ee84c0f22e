/*
 * Configuration and request context of the module, shared by its files.
 */

#ifndef NGX_HTTP_CS_CHAT_MODULE_H
#define NGX_HTTP_CS_CHAT_MODULE_H

#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>

#include "csc_core.h"
#include "csc_error.h"
#include "csc_ops.h"
#include "ngx_http_cs_chat_jwt.h"


/* What a location of the module serves. */
typedef enum {
    NGX_HTTP_CS_CHAT_NONE = 0,
    NGX_HTTP_CS_CHAT_API,
    NGX_HTTP_CS_CHAT_WEBSOCKET,
    NGX_HTTP_CS_CHAT_HEALTH,
    NGX_HTTP_CS_CHAT_METRICS
} ngx_http_cs_chat_kind_e;


typedef struct {
    ngx_str_t address;        /* as configured, for messages */
    ngx_str_t name;           /* of the host; empty where it is numeric */
    ngx_addr_t *addrs;        /* that the configuration was resolved to */
    ngx_uint_t naddrs;        /* 0 for a Unix socket */
    ngx_resolver_t *resolver; /* NULL: the name is resolved no more */
    ngx_msec_t resolver_timeout;
    in_port_t port;
    ngx_str_t path; /* of the Unix socket, NUL-terminated */
    ngx_str_t user;
    ngx_str_t password;
    ngx_uint_t database;
    ngx_flag_t tls;
    ngx_str_t tls_ca;
} ngx_http_cs_chat_redis_conf_t;


/* The order of messages, see ngx_http_cs_chat_order.h. */
typedef struct {
    ngx_uint_t chats; /* that are remembered, per process */
    ngx_msec_t wait;  /* for messages that are missing */
    size_t buffer;    /* bytes of events that wait behind them */
} ngx_http_cs_chat_order_conf_t;


typedef struct {
    ngx_http_cs_chat_redis_conf_t redis;
    ngx_http_cs_chat_order_conf_t order;
    ngx_msec_t typing_timeout;
    ngx_msec_t presence_interval;
    size_t redis_buffer;     /* bytes that may wait for Redis */
    ngx_uint_t max_requests; /* that may await an answer */
    ngx_uint_t token_cache;  /* verified tokens that are remembered */
    ngx_str_t prefix;
    ngx_str_t zone_name;
    ngx_shm_zone_t *zone;
    ngx_uint_t locations;     /* that use the module */
    ngx_uint_t metrics;       /* of them, those that show metrics */
    ngx_msec_t longest_drain; /* of all of them */
} ngx_http_cs_chat_main_conf_t;


typedef struct {
    ngx_uint_t kind; /* ngx_http_cs_chat_kind_e */
    ngx_http_handler_pt handler;
    ngx_str_t location; /* its name, for messages */
    ngx_str_t prefix;   /* of the paths, without a slash at its end */

    ngx_http_cs_chat_jwt_conf_t jwt;

    ngx_array_t *origins; /* of ngx_str_t, lower case; NULL: none */
    ngx_flag_t any_origin;

    ngx_msec_t request_timeout;
    size_t max_body_size;
    size_t max_message_size;

    ngx_msec_t ping_interval;
    ngx_msec_t pong_timeout;
    ngx_msec_t drain_time;
    size_t output_limit;
    ngx_uint_t sockets_per_user;
    ngx_uint_t refuse_newest;       /* of too many; else the oldest is closed */
    ngx_uint_t sockets_per_address; /* 0: any number */
    ngx_uint_t pending_limit;
    ngx_uint_t refused_limit;
    ngx_flag_t legacy_events;

    ngx_uint_t min_password_length;
} ngx_http_cs_chat_loc_conf_t;


typedef struct {
    /* Who asks; filled once by ngx_http_cs_chat_authenticate(). */
    ngx_http_cs_chat_claims_t claims;
    csc_error_e auth;           /* what is wrong with the token */
    unsigned authenticated : 1; /* the token has been looked at */

    /* What is asked, see the handler. */
    const struct ngx_http_cs_chat_route_s *route;
    u_char chat[36];
    void **loc_conf; /* to be restored when the body has been read */

    /* The answer that is awaited. */
    struct ngx_http_cs_chat_call_s *call;
    ngx_int_t (*resume)(ngx_http_request_t *r);
    void (*redeemed)(ngx_http_request_t *r, csc_error_e error);
    ngx_str_t ticket; /* to be given out */

    /* The WebSocket that the request becomes. */
    u_char *accept;                             /* Sec-WebSocket-Accept */
    struct ngx_http_cs_chat_session_s *session; /* while it opens */
    ngx_event_t *opening;                       /* and what goes on with it */
    uint64_t address; /* that it is counted for, 0: none */
    uint64_t worker_us;
    unsigned worker_answered : 1;
    unsigned handshake : 1; /* of a WebSocket */
} ngx_http_cs_chat_ctx_t;


extern ngx_module_t ngx_http_cs_chat_module;


/* The request's context, made at the first call; NULL when out of memory. */
ngx_http_cs_chat_ctx_t *ngx_http_cs_chat_ctx(ngx_http_request_t *r);

/*
 * Looks for the request's token and checks it, once a request; later calls
 * give what the first one found.  CSC_E_NONE and ctx->claims, or what is wrong.
 * A ticket is not looked at here: it takes a round trip to Redis.
 */
csc_error_e ngx_http_cs_chat_authenticate(ngx_http_request_t *r);

/*
 * The path below the location's prefix, without slashes around it.
 * NGX_DECLINED when the request is for another place.
 */
ngx_int_t ngx_http_cs_chat_path(ngx_http_request_t *r, ngx_str_t *path);

/* The content handlers of the four kinds of location. */
ngx_int_t ngx_http_cs_chat_api_handler(ngx_http_request_t *r);
ngx_int_t ngx_http_cs_chat_websocket_handler(ngx_http_request_t *r);
ngx_int_t ngx_http_cs_chat_health_handler(ngx_http_request_t *r);
ngx_int_t ngx_http_cs_chat_metrics_handler(ngx_http_request_t *r);

/*
 * Handler of the rewrite phase, before any other: answers what was refused in
 * a location of ours, see ngx_http_cs_chat_error_pages().
 */
ngx_int_t ngx_http_cs_chat_error_handler(ngx_http_request_t *r);

/* The directives, ngx_http_cs_chat_conf.c. */
extern ngx_command_t ngx_http_cs_chat_commands[];

void *ngx_http_cs_chat_create_main_conf(ngx_conf_t *cf);
char *ngx_http_cs_chat_init_main_conf(ngx_conf_t *cf, void *conf);
void *ngx_http_cs_chat_create_loc_conf(ngx_conf_t *cf);
char *ngx_http_cs_chat_merge_loc_conf(
    ngx_conf_t *cf, void *parent, void *child);

/* Variables for logs and limits, ngx_http_cs_chat_variables.c. */
ngx_int_t ngx_http_cs_chat_add_variables(ngx_conf_t *cf);


/* ngx_str_t and csc_str_t have the same members in the same order. */
static ngx_inline csc_str_t
ngx_http_cs_chat_view(ngx_str_t s)
{
    csc_str_t view;

    view.len = s.len;
    view.data = s.data;

    return view;
}


#endif /* NGX_HTTP_CS_CHAT_MODULE_H */
