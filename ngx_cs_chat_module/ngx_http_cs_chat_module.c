#include "ngx_http_cs_chat_module.h"
#include "ngx_http_cs_chat_address.h"
#include "ngx_http_cs_chat_bus.h"
#include "ngx_http_cs_chat_hub.h"
#include "ngx_http_cs_chat_metrics.h"
#include "ngx_http_cs_chat_presence.h"
#include "ngx_http_cs_chat_token_cache.h"
#include "ngx_http_cs_chat_ws.h"


static ngx_int_t ngx_http_cs_chat_init(ngx_conf_t *cf);
static ngx_int_t ngx_http_cs_chat_init_module(ngx_cycle_t *cycle);
static void ngx_http_cs_chat_check_zone(ngx_cycle_t *cycle,
    ngx_http_cs_chat_main_conf_t *conf, ngx_int_t processes);
static ngx_int_t ngx_http_cs_chat_init_process(ngx_cycle_t *cycle);
static void ngx_http_cs_chat_exit_process(ngx_cycle_t *cycle);


static ngx_http_module_t ngx_http_cs_chat_module_ctx = {
    ngx_http_cs_chat_add_variables, /* preconfiguration */
    ngx_http_cs_chat_init,          /* postconfiguration */

    ngx_http_cs_chat_create_main_conf, /* create main configuration */
    ngx_http_cs_chat_init_main_conf,   /* init main configuration */

    NULL, /* create server configuration */
    NULL, /* merge server configuration */

    ngx_http_cs_chat_create_loc_conf, /* create location configuration */
    ngx_http_cs_chat_merge_loc_conf   /* merge location configuration */
};


ngx_module_t ngx_http_cs_chat_module = { NGX_MODULE_V1,
    &ngx_http_cs_chat_module_ctx,  /* module context */
    ngx_http_cs_chat_commands,     /* module directives */
    NGX_HTTP_MODULE,               /* module type */
    NULL,                          /* init master */
    ngx_http_cs_chat_init_module,  /* init module */
    ngx_http_cs_chat_init_process, /* init process */
    NULL,                          /* init thread */
    NULL,                          /* exit thread */
    ngx_http_cs_chat_exit_process, /* exit process */
    NULL,                          /* exit master */
    NGX_MODULE_V1_PADDING };


static ngx_int_t
ngx_http_cs_chat_init(ngx_conf_t *cf)
{
    ngx_http_handler_pt *handler;
    ngx_http_core_main_conf_t *cmcf;
    ngx_http_cs_chat_main_conf_t *conf;

    conf = ngx_http_conf_get_module_main_conf(cf, ngx_http_cs_chat_module);

    if (conf->locations == 0) {
        return NGX_OK;
    }

    cmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_core_module);

    handler = ngx_array_push(&cmcf->phases[NGX_HTTP_REWRITE_PHASE].handlers);
    if (handler == NULL) {
        return NGX_ERROR;
    }

    *handler = ngx_http_cs_chat_error_handler;

    return NGX_OK;
}


/* The whole configuration is known, whatever stands in front of "http". */

static ngx_int_t
ngx_http_cs_chat_init_module(ngx_cycle_t *cycle)
{
    ngx_core_conf_t *ccf;
    ngx_http_cs_chat_main_conf_t *conf;

    ccf = (ngx_core_conf_t *) ngx_get_conf(cycle->conf_ctx, ngx_core_module);
    conf = ngx_http_cycle_get_module_main_conf(cycle, ngx_http_cs_chat_module);

    if (conf != NULL && ccf->shutdown_timeout
        && conf->longest_drain >= ccf->shutdown_timeout)
    {
        ngx_log_error(NGX_LOG_WARN, cycle->log, 0,
            "\"cs_chat_drain_time\" is %Mms and \"worker_shutdown_timeout\" "
            "only %Mms: it will cut off WebSockets that were not told to "
            "reconnect",
            conf->longest_drain, ccf->shutdown_timeout);
    }

    if (conf != NULL && conf->metrics) {
        ngx_http_cs_chat_check_zone(cycle, conf, ccf->worker_processes);
    }

    return NGX_OK;
}


/* A reload needs room for old and new processes. */

static void
ngx_http_cs_chat_check_zone(
    ngx_cycle_t *cycle, ngx_http_cs_chat_main_conf_t *conf, ngx_int_t processes)
{
    size_t size;

    size = ngx_http_cs_chat_metrics_size((ngx_uint_t) processes * 2)
           + 8 * ngx_pagesize;

    if (conf->zone->shm.size < size) {
        ngx_log_error(NGX_LOG_WARN, cycle->log, 0,
            "\"cs_chat_zone\" has %uz bytes and should have %uz: "
            "\"cs_chat_metrics\" may not show what all of %i worker "
            "processes count",
            conf->zone->shm.size, size, processes);
    }
}


static ngx_int_t
ngx_http_cs_chat_init_process(ngx_cycle_t *cycle)
{
    ngx_http_cs_chat_main_conf_t *conf;

    /* cache managers come by here as well */

    if (ngx_process != NGX_PROCESS_WORKER && ngx_process != NGX_PROCESS_SINGLE)
    {
        return NGX_OK;
    }

    conf = ngx_http_cycle_get_module_main_conf(cycle, ngx_http_cs_chat_module);

    if (conf == NULL || conf->locations == 0) {
        return NGX_OK;
    }

    if (ngx_http_cs_chat_token_cache_init(conf->token_cache, cycle->log)
        != NGX_OK) {
        return NGX_ERROR;
    }

    ngx_http_cs_chat_metrics_init(conf, cycle->log);
    ngx_http_cs_chat_hub_init(cycle->log);
    ngx_http_cs_chat_ws_init(cycle->log);
    ngx_http_cs_chat_presence_init(conf->presence_interval, cycle->log);
    ngx_http_cs_chat_address_init(conf->zone);

    return ngx_http_cs_chat_bus_init(conf, cycle->log);
}


static void
ngx_http_cs_chat_exit_process(ngx_cycle_t *cycle)
{
    ngx_http_cs_chat_main_conf_t *conf;

    conf = ngx_http_cycle_get_module_main_conf(cycle, ngx_http_cs_chat_module);

    if (conf == NULL || conf->locations == 0) {
        return;
    }

    ngx_http_cs_chat_presence_exit();
    ngx_http_cs_chat_bus_exit();
    ngx_http_cs_chat_ws_exit();
    ngx_http_cs_chat_metrics_exit();
    ngx_http_cs_chat_token_cache_exit();
}
