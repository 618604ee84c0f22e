/*
 * The directives.  Each is checked here, so that "nginx -t" finds what can be
 * found without the network, and says which value is wrong and what is right.
 */

#include "ngx_http_cs_chat_conf.h"
#include "ngx_http_cs_chat_zone.h"

#include <jwt.h>


/* What a number, time or size may be. */
typedef enum {
    NGX_HTTP_CS_CHAT_MSEC = 0,
    NGX_HTTP_CS_CHAT_SEC,
    NGX_HTTP_CS_CHAT_SIZE,
    NGX_HTTP_CS_CHAT_NUMBER
} ngx_http_cs_chat_unit_e;


typedef struct {
    ngx_http_cs_chat_unit_e unit;
    ngx_int_t min;
    ngx_int_t max;
    const char *right; /* for the message */
} ngx_http_cs_chat_range_t;


static char *ngx_http_cs_chat_set_range(
    ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
static char *ngx_http_cs_chat_set_sockets(
    ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
static char *ngx_http_cs_chat_set_kind(
    ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
static char *ngx_http_cs_chat_check_key(
    ngx_conf_t *cf, ngx_http_cs_chat_loc_conf_t *conf);
static char *ngx_http_cs_chat_setup_location(
    ngx_conf_t *cf, ngx_http_cs_chat_loc_conf_t *conf);
static ngx_int_t ngx_http_cs_chat_error_pages(
    ngx_conf_t *cf, ngx_http_core_loc_conf_t *clcf);


static ngx_http_cs_chat_range_t request_timeout = { NGX_HTTP_CS_CHAT_MSEC, 100,
    300000, "a time from 100ms to 5m" };

static ngx_http_cs_chat_range_t lifetime = { NGX_HTTP_CS_CHAT_SEC, 60,
    315360000, "a time from 1m to 10y" };

static ngx_http_cs_chat_range_t leeway = { NGX_HTTP_CS_CHAT_SEC, 0, 600,
    "a time from 0s to 10m" };

static ngx_http_cs_chat_range_t body_size = { NGX_HTTP_CS_CHAT_SIZE, 1024,
    16777216, "a size from 1k to 16m" };

static ngx_http_cs_chat_range_t ping_interval = { NGX_HTTP_CS_CHAT_MSEC, 1000,
    3600000, "a time from 1s to 1h" };

static ngx_http_cs_chat_range_t pong_timeout = { NGX_HTTP_CS_CHAT_MSEC, 100,
    3600000, "a time from 100ms to 1h" };

static ngx_http_cs_chat_range_t output_limit = { NGX_HTTP_CS_CHAT_SIZE, 65536,
    1073741824, "a size from 64k to 1g" };

static ngx_http_cs_chat_range_t sockets_per_user = { NGX_HTTP_CS_CHAT_NUMBER, 1,
    100000, "a number from 1 to 100000" };

static ngx_http_cs_chat_range_t sockets_per_address = { NGX_HTTP_CS_CHAT_NUMBER,
    0, 1000000, "a number from 0 to 1000000" };

static ngx_http_cs_chat_range_t pending_limit = { NGX_HTTP_CS_CHAT_NUMBER, 1,
    100000, "a number from 1 to 100000" };

static ngx_http_cs_chat_range_t refused_limit = { NGX_HTTP_CS_CHAT_NUMBER, 20,
    100000, "a number from 20 to 100000" };

static ngx_http_cs_chat_range_t order_chats = { NGX_HTTP_CS_CHAT_NUMBER, 1,
    10000000, "a number from 1 to 10000000" };

static ngx_http_cs_chat_range_t order_wait = { NGX_HTTP_CS_CHAT_MSEC, 100,
    60000, "a time from 100ms to 1m" };

static ngx_http_cs_chat_range_t typing_timeout = { NGX_HTTP_CS_CHAT_MSEC, 500,
    60000, "a time from 500ms to 1m" };

static ngx_http_cs_chat_range_t presence_interval = { NGX_HTTP_CS_CHAT_MSEC,
    1000, 600000, "a time from 1s to 10m" };

static ngx_http_cs_chat_range_t drain_time = { NGX_HTTP_CS_CHAT_MSEC, 0,
    3600000, "a time from 0s to 1h" };

static ngx_http_cs_chat_range_t max_requests = { NGX_HTTP_CS_CHAT_NUMBER, 1,
    10000000, "a number from 1 to 10000000" };

static ngx_http_cs_chat_range_t token_cache = { NGX_HTTP_CS_CHAT_NUMBER, 0,
    10000000, "a number from 0 to 10000000" };

static ngx_http_cs_chat_range_t min_password = { NGX_HTTP_CS_CHAT_NUMBER, 8,
    128, "a number from 8 to 128" };


#define ANYWHERE NGX_HTTP_MAIN_CONF | NGX_HTTP_SRV_CONF | NGX_HTTP_LOC_CONF
#define IN_LOC(member) offsetof(ngx_http_cs_chat_loc_conf_t, member)
#define IN_MAIN(member) offsetof(ngx_http_cs_chat_main_conf_t, member)


ngx_command_t ngx_http_cs_chat_commands[] = {

    { ngx_string("cs_chat_redis"), NGX_HTTP_MAIN_CONF | NGX_CONF_1MORE,
        ngx_http_cs_chat_set_redis, NGX_HTTP_MAIN_CONF_OFFSET, 0, NULL },

    { ngx_string("cs_chat_redis_buffer"), NGX_HTTP_MAIN_CONF | NGX_CONF_TAKE1,
        ngx_http_cs_chat_set_range, NGX_HTTP_MAIN_CONF_OFFSET,
        IN_MAIN(redis_buffer), &output_limit },

    { ngx_string("cs_chat_max_requests"), NGX_HTTP_MAIN_CONF | NGX_CONF_TAKE1,
        ngx_http_cs_chat_set_range, NGX_HTTP_MAIN_CONF_OFFSET,
        IN_MAIN(max_requests), &max_requests },

    { ngx_string("cs_chat_order_chats"), NGX_HTTP_MAIN_CONF | NGX_CONF_TAKE1,
        ngx_http_cs_chat_set_range, NGX_HTTP_MAIN_CONF_OFFSET,
        IN_MAIN(order.chats), &order_chats },

    { ngx_string("cs_chat_order_wait"), NGX_HTTP_MAIN_CONF | NGX_CONF_TAKE1,
        ngx_http_cs_chat_set_range, NGX_HTTP_MAIN_CONF_OFFSET,
        IN_MAIN(order.wait), &order_wait },

    { ngx_string("cs_chat_order_buffer"), NGX_HTTP_MAIN_CONF | NGX_CONF_TAKE1,
        ngx_http_cs_chat_set_range, NGX_HTTP_MAIN_CONF_OFFSET,
        IN_MAIN(order.buffer), &output_limit },

    { ngx_string("cs_chat_typing_timeout"), NGX_HTTP_MAIN_CONF | NGX_CONF_TAKE1,
        ngx_http_cs_chat_set_range, NGX_HTTP_MAIN_CONF_OFFSET,
        IN_MAIN(typing_timeout), &typing_timeout },

    { ngx_string("cs_chat_presence_interval"),
        NGX_HTTP_MAIN_CONF | NGX_CONF_TAKE1, ngx_http_cs_chat_set_range,
        NGX_HTTP_MAIN_CONF_OFFSET, IN_MAIN(presence_interval),
        &presence_interval },

    { ngx_string("cs_chat_prefix"), NGX_HTTP_MAIN_CONF | NGX_CONF_TAKE1,
        ngx_http_cs_chat_set_prefix, NGX_HTTP_MAIN_CONF_OFFSET, 0, NULL },

    { ngx_string("cs_chat_zone"), NGX_HTTP_MAIN_CONF | NGX_CONF_TAKE1,
        ngx_http_cs_chat_set_zone, NGX_HTTP_MAIN_CONF_OFFSET, 0, NULL },

    { ngx_string("cs_chat_jwt_key"), ANYWHERE | NGX_CONF_TAKE1,
        ngx_http_cs_chat_set_key, NGX_HTTP_LOC_CONF_OFFSET, 0, NULL },

    { ngx_string("cs_chat_jwt_key_file"), ANYWHERE | NGX_CONF_TAKE1,
        ngx_http_cs_chat_set_key_file, NGX_HTTP_LOC_CONF_OFFSET, 0, NULL },

    { ngx_string("cs_chat_jwt_algorithm"), ANYWHERE | NGX_CONF_TAKE1,
        ngx_http_cs_chat_set_algorithm, NGX_HTTP_LOC_CONF_OFFSET, 0, NULL },

    { ngx_string("cs_chat_jwt_lifetime"), ANYWHERE | NGX_CONF_TAKE1,
        ngx_http_cs_chat_set_range, NGX_HTTP_LOC_CONF_OFFSET,
        IN_LOC(jwt.lifetime), &lifetime },

    { ngx_string("cs_chat_jwt_leeway"), ANYWHERE | NGX_CONF_TAKE1,
        ngx_http_cs_chat_set_range, NGX_HTTP_LOC_CONF_OFFSET,
        IN_LOC(jwt.leeway), &leeway },

    { ngx_string("cs_chat_token_cache"), NGX_HTTP_MAIN_CONF | NGX_CONF_TAKE1,
        ngx_http_cs_chat_set_range, NGX_HTTP_MAIN_CONF_OFFSET,
        IN_MAIN(token_cache), &token_cache },

    { ngx_string("cs_chat_cors_origins"), ANYWHERE | NGX_CONF_1MORE,
        ngx_http_cs_chat_set_origins, NGX_HTTP_LOC_CONF_OFFSET, 0, NULL },

    { ngx_string("cs_chat_request_timeout"), ANYWHERE | NGX_CONF_TAKE1,
        ngx_http_cs_chat_set_range, NGX_HTTP_LOC_CONF_OFFSET,
        IN_LOC(request_timeout), &request_timeout },

    { ngx_string("cs_chat_max_body_size"), ANYWHERE | NGX_CONF_TAKE1,
        ngx_http_cs_chat_set_range, NGX_HTTP_LOC_CONF_OFFSET,
        IN_LOC(max_body_size), &body_size },

    { ngx_string("cs_chat_max_message_size"), ANYWHERE | NGX_CONF_TAKE1,
        ngx_http_cs_chat_set_range, NGX_HTTP_LOC_CONF_OFFSET,
        IN_LOC(max_message_size), &body_size },

    { ngx_string("cs_chat_ping_interval"), ANYWHERE | NGX_CONF_TAKE1,
        ngx_http_cs_chat_set_range, NGX_HTTP_LOC_CONF_OFFSET,
        IN_LOC(ping_interval), &ping_interval },

    { ngx_string("cs_chat_pong_timeout"), ANYWHERE | NGX_CONF_TAKE1,
        ngx_http_cs_chat_set_range, NGX_HTTP_LOC_CONF_OFFSET,
        IN_LOC(pong_timeout), &pong_timeout },

    { ngx_string("cs_chat_drain_time"), ANYWHERE | NGX_CONF_TAKE1,
        ngx_http_cs_chat_set_range, NGX_HTTP_LOC_CONF_OFFSET,
        IN_LOC(drain_time), &drain_time },

    { ngx_string("cs_chat_output_limit"), ANYWHERE | NGX_CONF_TAKE1,
        ngx_http_cs_chat_set_range, NGX_HTTP_LOC_CONF_OFFSET,
        IN_LOC(output_limit), &output_limit },

    { ngx_string("cs_chat_sockets_per_user"), ANYWHERE | NGX_CONF_TAKE12,
        ngx_http_cs_chat_set_sockets, NGX_HTTP_LOC_CONF_OFFSET,
        IN_LOC(sockets_per_user), &sockets_per_user },

    { ngx_string("cs_chat_sockets_per_address"), ANYWHERE | NGX_CONF_TAKE1,
        ngx_http_cs_chat_set_range, NGX_HTTP_LOC_CONF_OFFSET,
        IN_LOC(sockets_per_address), &sockets_per_address },

    { ngx_string("cs_chat_pending_limit"), ANYWHERE | NGX_CONF_TAKE1,
        ngx_http_cs_chat_set_range, NGX_HTTP_LOC_CONF_OFFSET,
        IN_LOC(pending_limit), &pending_limit },

    { ngx_string("cs_chat_refused_limit"), ANYWHERE | NGX_CONF_TAKE1,
        ngx_http_cs_chat_set_range, NGX_HTTP_LOC_CONF_OFFSET,
        IN_LOC(refused_limit), &refused_limit },

    { ngx_string("cs_chat_min_password_length"), ANYWHERE | NGX_CONF_TAKE1,
        ngx_http_cs_chat_set_range, NGX_HTTP_LOC_CONF_OFFSET,
        IN_LOC(min_password_length), &min_password },

    { ngx_string("cs_chat_legacy_events"), ANYWHERE | NGX_CONF_FLAG,
        ngx_conf_set_flag_slot, NGX_HTTP_LOC_CONF_OFFSET, IN_LOC(legacy_events),
        NULL },

    { ngx_string("cs_chat_api"),
        NGX_HTTP_LOC_CONF | NGX_CONF_NOARGS | NGX_CONF_TAKE1,
        ngx_http_cs_chat_set_kind, NGX_HTTP_LOC_CONF_OFFSET,
        NGX_HTTP_CS_CHAT_API, (void *) ngx_http_cs_chat_api_handler },

    { ngx_string("cs_chat_websocket"), NGX_HTTP_LOC_CONF | NGX_CONF_NOARGS,
        ngx_http_cs_chat_set_kind, NGX_HTTP_LOC_CONF_OFFSET,
        NGX_HTTP_CS_CHAT_WEBSOCKET,
        (void *) ngx_http_cs_chat_websocket_handler },

    { ngx_string("cs_chat_health"),
        NGX_HTTP_LOC_CONF | NGX_CONF_NOARGS | NGX_CONF_TAKE1,
        ngx_http_cs_chat_set_kind, NGX_HTTP_LOC_CONF_OFFSET,
        NGX_HTTP_CS_CHAT_HEALTH, (void *) ngx_http_cs_chat_health_handler },

    { ngx_string("cs_chat_metrics"), NGX_HTTP_LOC_CONF | NGX_CONF_NOARGS,
        ngx_http_cs_chat_set_kind, NGX_HTTP_LOC_CONF_OFFSET,
        NGX_HTTP_CS_CHAT_METRICS, (void *) ngx_http_cs_chat_metrics_handler },

    ngx_null_command
};


/* Configurations. */

void *
ngx_http_cs_chat_create_main_conf(ngx_conf_t *cf)
{
    ngx_http_cs_chat_main_conf_t *conf;

    /* set to zero: no address, no prefix, no zone, no location */

    conf = ngx_pcalloc(cf->pool, sizeof(ngx_http_cs_chat_main_conf_t));
    if (conf == NULL) {
        return NULL;
    }

    conf->redis_buffer = NGX_CONF_UNSET_SIZE;
    conf->max_requests = NGX_CONF_UNSET_UINT;
    conf->token_cache = NGX_CONF_UNSET_UINT;
    conf->typing_timeout = NGX_CONF_UNSET_MSEC;
    conf->presence_interval = NGX_CONF_UNSET_MSEC;
    conf->order.chats = NGX_CONF_UNSET_UINT;
    conf->order.wait = NGX_CONF_UNSET_MSEC;
    conf->order.buffer = NGX_CONF_UNSET_SIZE;

    return conf;
}


char *
ngx_http_cs_chat_init_main_conf(ngx_conf_t *cf, void *conf)
{
    ngx_http_cs_chat_main_conf_t *mcf;
    ngx_str_t address = ngx_string("127.0.0.1:6379");
    ngx_str_t zone = ngx_string("cs_chat");

    mcf = conf;

    if (mcf->locations == 0) {
        return NGX_CONF_OK;
    }

    ngx_conf_init_size_value(mcf->redis_buffer, 16777216);
    ngx_conf_init_uint_value(mcf->max_requests, 65536);
    ngx_conf_init_uint_value(mcf->token_cache, 10000);
    ngx_conf_init_msec_value(mcf->typing_timeout, 6000);
    ngx_conf_init_msec_value(mcf->presence_interval, 10000);
    ngx_conf_init_uint_value(mcf->order.chats, 65536);
    ngx_conf_init_msec_value(mcf->order.wait, 3000);
    ngx_conf_init_size_value(mcf->order.buffer, 4194304);

    if (mcf->prefix.data == NULL) {
        ngx_str_set(&mcf->prefix, "cs_chat:");
    }

    if (mcf->zone == NULL) {
        mcf->zone = ngx_http_cs_chat_zone_add(
            cf, &zone, NGX_HTTP_CS_CHAT_ZONE_SIZE);
        if (mcf->zone == NULL) {
            return NGX_CONF_ERROR;
        }
    }

    if (mcf->redis.address.data == NULL
        && ngx_http_cs_chat_redis_address(cf, &mcf->redis, &address)
               != NGX_CONF_OK)
    {
        return NGX_CONF_ERROR;
    }

    return ngx_http_cs_chat_init_redis(cf, &mcf->redis);
}


void *
ngx_http_cs_chat_create_loc_conf(ngx_conf_t *cf)
{
    ngx_http_cs_chat_loc_conf_t *conf;

    conf = ngx_pcalloc(cf->pool, sizeof(ngx_http_cs_chat_loc_conf_t));
    if (conf == NULL) {
        return NULL;
    }

    conf->jwt.algorithm = NGX_CONF_UNSET_UINT;
    conf->jwt.lifetime = NGX_CONF_UNSET;
    conf->jwt.leeway = NGX_CONF_UNSET;
    conf->origins = NGX_CONF_UNSET_PTR;
    conf->any_origin = NGX_CONF_UNSET;
    conf->request_timeout = NGX_CONF_UNSET_MSEC;
    conf->max_body_size = NGX_CONF_UNSET_SIZE;
    conf->max_message_size = NGX_CONF_UNSET_SIZE;
    conf->ping_interval = NGX_CONF_UNSET_MSEC;
    conf->pong_timeout = NGX_CONF_UNSET_MSEC;
    conf->drain_time = NGX_CONF_UNSET_MSEC;
    conf->output_limit = NGX_CONF_UNSET_SIZE;
    conf->sockets_per_user = NGX_CONF_UNSET_UINT;
    conf->refuse_newest = NGX_CONF_UNSET_UINT;
    conf->sockets_per_address = NGX_CONF_UNSET_UINT;
    conf->pending_limit = NGX_CONF_UNSET_UINT;
    conf->refused_limit = NGX_CONF_UNSET_UINT;
    conf->legacy_events = NGX_CONF_UNSET;
    conf->min_password_length = NGX_CONF_UNSET_UINT;

    return conf;
}


char *
ngx_http_cs_chat_merge_loc_conf(ngx_conf_t *cf, void *parent, void *child)
{
    ngx_http_core_loc_conf_t *clcf;
    ngx_http_cs_chat_loc_conf_t *prev, *conf;
    ngx_http_cs_chat_main_conf_t *mcf;

    prev = parent;
    conf = child;
    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);

    /* "if" and "limit_except" are locations of their own in the same place */

    if (clcf->noname && prev->kind != NGX_HTTP_CS_CHAT_NONE) {
        conf->kind = prev->kind;
        conf->handler = prev->handler;
        conf->location = prev->location;
        conf->prefix = prev->prefix;
        clcf->handler = prev->handler;
    }

    ngx_conf_merge_str_value(conf->jwt.key, prev->jwt.key, "");
    ngx_conf_merge_uint_value(
        conf->jwt.algorithm, prev->jwt.algorithm, JWT_ALG_HS256);
    ngx_conf_merge_sec_value(conf->jwt.lifetime, prev->jwt.lifetime, 86400);
    ngx_conf_merge_sec_value(conf->jwt.leeway, prev->jwt.leeway, 30);
    ngx_conf_merge_ptr_value(conf->origins, prev->origins, NULL);
    ngx_conf_merge_value(conf->any_origin, prev->any_origin, 0);
    ngx_conf_merge_msec_value(
        conf->request_timeout, prev->request_timeout, 5000);
    ngx_conf_merge_size_value(conf->max_body_size, prev->max_body_size, 262144);
    ngx_conf_merge_size_value(
        conf->max_message_size, prev->max_message_size, 262144);
    ngx_conf_merge_msec_value(conf->ping_interval, prev->ping_interval, 30000);
    ngx_conf_merge_msec_value(conf->pong_timeout, prev->pong_timeout, 30000);
    ngx_conf_merge_msec_value(conf->drain_time, prev->drain_time, 5000);
    ngx_conf_merge_size_value(conf->output_limit, prev->output_limit, 1048576);
    ngx_conf_merge_uint_value(
        conf->sockets_per_user, prev->sockets_per_user, 20);
    ngx_conf_merge_uint_value(conf->refuse_newest, prev->refuse_newest, 0);
    ngx_conf_merge_uint_value(
        conf->sockets_per_address, prev->sockets_per_address, 0);
    ngx_conf_merge_uint_value(conf->pending_limit, prev->pending_limit, 256);
    ngx_conf_merge_uint_value(conf->refused_limit, prev->refused_limit, 60);
    ngx_conf_merge_value(conf->legacy_events, prev->legacy_events, 1);
    ngx_conf_merge_uint_value(
        conf->min_password_length, prev->min_password_length, 8);

    if (conf->kind == NGX_HTTP_CS_CHAT_NONE) {
        return NGX_CONF_OK;
    }

    mcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_cs_chat_module);
    mcf->longest_drain = ngx_max(mcf->longest_drain, conf->drain_time);

    if ((conf->kind == NGX_HTTP_CS_CHAT_API
            || conf->kind == NGX_HTTP_CS_CHAT_WEBSOCKET)
        && ngx_http_cs_chat_check_key(cf, conf) != NGX_CONF_OK)
    {
        return NGX_CONF_ERROR;
    }

    return ngx_http_cs_chat_setup_location(cf, conf);
}


static char *
ngx_http_cs_chat_check_key(ngx_conf_t *cf, ngx_http_cs_chat_loc_conf_t *conf)
{
    size_t strong;

    if (conf->jwt.key.len == 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
            "location \"%V\" serves the chat but has no signing key: set "
            "\"cs_chat_jwt_key\" or \"cs_chat_jwt_key_file\"",
            &conf->location);
        return NGX_CONF_ERROR;
    }

    strong = (conf->jwt.algorithm == JWT_ALG_HS256)   ? 32
             : (conf->jwt.algorithm == JWT_ALG_HS384) ? 48
                                                      : 64;

    if (conf->jwt.key.len < strong) {
        ngx_conf_log_error(NGX_LOG_WARN, cf, 0,
            "the signing key of location \"%V\" has %uz bytes; the algorithm "
            "is at full strength from %uz bytes on (RFC 7518, 3.2)",
            &conf->location, conf->jwt.key.len, strong);
    }

    return (ngx_http_cs_chat_jwt_identify(&conf->jwt) == NGX_OK)
               ? NGX_CONF_OK
               : NGX_CONF_ERROR;
}


/* nginx's own settings of a location that is ours. */

static char *
ngx_http_cs_chat_setup_location(
    ngx_conf_t *cf, ngx_http_cs_chat_loc_conf_t *conf)
{
    ngx_http_core_loc_conf_t *clcf;

    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);

    /* "cs_chat_max_body_size" applies, after the token was looked at */

    clcf->client_max_body_size = 0;

    if (ngx_http_cs_chat_error_pages(cf, clcf) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


/*
 * What nginx and other modules refuse (limit_req, limit_conn, auth_request,
 * deny, a body that is too large) is answered in the API's own form, but where
 * the configuration has an error_page of its own.  The request comes back to
 * the same location, where ngx_http_cs_chat_error_handler() waits for it.
 */

static ngx_int_t
ngx_http_cs_chat_error_pages(ngx_conf_t *cf, ngx_http_core_loc_conf_t *clcf)
{
    static ngx_int_t statuses[] = { 400, 401, 403, 404, 413, 429, 500, 502, 503,
        504, 0 };

    ngx_int_t *status;
    ngx_str_t uri = ngx_string("$uri");
    ngx_uint_t i, found;
    ngx_array_t *pages;
    ngx_http_err_page_t *page;
    ngx_http_complex_value_t value;
    ngx_http_compile_complex_value_t ccv;

    ngx_memzero(&ccv, sizeof(ngx_http_compile_complex_value_t));
    ccv.cf = cf;
    ccv.value = &uri;
    ccv.complex_value = &value;

    if (ngx_http_compile_complex_value(&ccv) != NGX_OK) {
        return NGX_ERROR;
    }

    pages = ngx_array_create(cf->pool, 16, sizeof(ngx_http_err_page_t));
    if (pages == NULL) {
        return NGX_ERROR;
    }

    if (clcf->error_pages != NULL) {
        page = ngx_array_push_n(pages, clcf->error_pages->nelts);
        if (page == NULL) {
            return NGX_ERROR;
        }

        ngx_memcpy(page, clcf->error_pages->elts,
            clcf->error_pages->nelts * sizeof(ngx_http_err_page_t));
    }

    for (status = statuses; *status; status++) {
        found = 0;
        page = pages->elts;

        for (i = 0; i < pages->nelts; i++) {
            if (page[i].status == *status) {
                found = 1;
            }
        }

        if (found) {
            continue;
        }

        page = ngx_array_push(pages);
        if (page == NULL) {
            return NGX_ERROR;
        }

        ngx_memzero(page, sizeof(ngx_http_err_page_t));
        page->status = *status;
        page->overwrite = -1;
        page->value = value;
    }

    clcf->error_pages = pages;

    return NGX_OK;
}


/* Numbers, times and sizes. */

static char *
ngx_http_cs_chat_set_range(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    void *member;
    ngx_int_t n;
    ngx_str_t *value;
    ngx_http_cs_chat_range_t *range;

    range = cmd->post;
    member = (char *) conf + cmd->offset;
    value = cf->args->elts;

    switch (range->unit) {
    case NGX_HTTP_CS_CHAT_MSEC:
        if (*(ngx_msec_t *) member != NGX_CONF_UNSET_MSEC) {
            return "is duplicate";
        }

        n = ngx_parse_time(&value[1], 0);
        break;

    case NGX_HTTP_CS_CHAT_SEC:
        if (*(time_t *) member != NGX_CONF_UNSET) {
            return "is duplicate";
        }

        n = ngx_parse_time(&value[1], 1);
        break;

    case NGX_HTTP_CS_CHAT_SIZE:
        if (*(size_t *) member != NGX_CONF_UNSET_SIZE) {
            return "is duplicate";
        }

        n = (ngx_int_t) ngx_parse_offset(&value[1]);
        break;

    default:
        if (*(ngx_uint_t *) member != NGX_CONF_UNSET_UINT) {
            return "is duplicate";
        }

        n = ngx_atoi(value[1].data, value[1].len);
    }

    if (n == NGX_ERROR || n < range->min || n > range->max) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
            "invalid value \"%V\" in \"%V\": it must be %s", &value[1],
            &cmd->name, range->right);
        return NGX_CONF_ERROR;
    }

    if (range->unit == NGX_HTTP_CS_CHAT_SEC) {
        *(time_t *) member = n;

    } else {
        *(ngx_uint_t *) member = n;
    }

    return NGX_CONF_OK;
}


/* Locations. */

static char *
ngx_http_cs_chat_set_sockets(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_str_t *value;
    ngx_http_cs_chat_loc_conf_t *lcf;

    lcf = conf;
    value = cf->args->elts;
    lcf->refuse_newest = 0;

    if (cf->args->nelts == 3) {
        lcf->refuse_newest = ngx_strcmp(value[2].data, "close=newest") == 0;

        if (!lcf->refuse_newest
            && ngx_strcmp(value[2].data, "close=oldest") != 0) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                "invalid parameter \"%V\" in \"%V\": it must be "
                "\"close=oldest\" or \"close=newest\"",
                &value[2], &cmd->name);
            return NGX_CONF_ERROR;
        }
    }

    return ngx_http_cs_chat_set_range(cf, cmd, conf);
}


static char *
ngx_http_cs_chat_set_kind(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_str_t *value;
    ngx_uint_t regex;
    ngx_http_core_loc_conf_t *clcf;
    ngx_http_cs_chat_loc_conf_t *lcf;
    ngx_http_cs_chat_main_conf_t *mcf;

    lcf = conf;
    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);

    if (lcf->kind != NGX_HTTP_CS_CHAT_NONE) {
        return "stands beside another of \"cs_chat_api\", "
               "\"cs_chat_websocket\", \"cs_chat_health\" and "
               "\"cs_chat_metrics\"";
    }

    if (clcf->named) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
            "\"%V\" can't stand in named location \"%V\": requests must come "
            "to its location by their path",
            &cmd->name, &clcf->name);
        return NGX_CONF_ERROR;
    }

#if (NGX_PCRE)
    regex = clcf->regex != NULL;
#else
    regex = 0;
#endif

    /* the others serve whatever comes to their location */

    if (regex && cf->args->nelts == 1
        && (cmd->offset == NGX_HTTP_CS_CHAT_API
            || cmd->offset == NGX_HTTP_CS_CHAT_HEALTH))
    {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
            "\"%V\" in location \"%V\" can't tell where its paths begin: use "
            "a prefix location, or name the prefix, as in \"%V /api/\"",
            &cmd->name, &clcf->name, &cmd->name);
        return NGX_CONF_ERROR;
    }

    lcf->kind = cmd->offset;
    lcf->location = clcf->name;
    lcf->prefix = clcf->name;

    if (cf->args->nelts == 2) {
        value = cf->args->elts;

        if (value[1].data[0] != '/') {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                "invalid prefix \"%V\" in \"%V\": it must begin with \"/\"",
                &value[1], &cmd->name);
            return NGX_CONF_ERROR;
        }

        lcf->prefix = value[1];
    }

    while (lcf->prefix.len && lcf->prefix.data[lcf->prefix.len - 1] == '/') {
        lcf->prefix.len--;
    }

    lcf->handler = (ngx_http_handler_pt) cmd->post;
    clcf->handler = lcf->handler;

    mcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_cs_chat_module);
    mcf->locations++;
    mcf->metrics += lcf->kind == NGX_HTTP_CS_CHAT_METRICS;

    return NGX_CONF_OK;
}
