/*
 * Variables for log_format, limit_req, limit_conn and map: whom a request is
 * from, and what it cost in the chat worker.
 */

#include "ngx_http_cs_chat_module.h"


static ngx_int_t ngx_http_cs_chat_variable_user(
    ngx_http_request_t *r, ngx_http_variable_value_t *v, uintptr_t data);
static ngx_int_t ngx_http_cs_chat_variable_role(
    ngx_http_request_t *r, ngx_http_variable_value_t *v, uintptr_t data);
static ngx_int_t ngx_http_cs_chat_variable_time(
    ngx_http_request_t *r, ngx_http_variable_value_t *v, uintptr_t data);
static ngx_http_cs_chat_ctx_t *ngx_http_cs_chat_variable_ctx(
    ngx_http_request_t *r);
static ngx_int_t ngx_http_cs_chat_variable_set(
    ngx_http_variable_value_t *v, ngx_str_t *value);


static ngx_http_variable_t variables[] = {

    { ngx_string("cs_chat_user_id"), NULL, ngx_http_cs_chat_variable_user, 0,
        NGX_HTTP_VAR_NOCACHEABLE, 0 },

    { ngx_string("cs_chat_role"), NULL, ngx_http_cs_chat_variable_role, 0,
        NGX_HTTP_VAR_NOCACHEABLE, 0 },

    { ngx_string("cs_chat_worker_time"), NULL, ngx_http_cs_chat_variable_time,
        0, NGX_HTTP_VAR_NOCACHEABLE, 0 },

    ngx_http_null_variable
};


ngx_int_t
ngx_http_cs_chat_add_variables(ngx_conf_t *cf)
{
    ngx_http_variable_t *v, *var;

    for (v = variables; v->name.len; v++) {
        var = ngx_http_add_variable(cf, &v->name, v->flags);
        if (var == NULL) {
            return NGX_ERROR;
        }

        var->get_handler = v->get_handler;
        var->data = v->data;
    }

    return NGX_OK;
}


/* The context with claims that hold, NULL when there are none. */

static ngx_http_cs_chat_ctx_t *
ngx_http_cs_chat_variable_ctx(ngx_http_request_t *r)
{
    ngx_http_cs_chat_loc_conf_t *conf;

    conf = ngx_http_get_module_loc_conf(r, ngx_http_cs_chat_module);

    if (conf->kind != NGX_HTTP_CS_CHAT_API
        && conf->kind != NGX_HTTP_CS_CHAT_WEBSOCKET)
    {
        return NULL;
    }

    if (ngx_http_cs_chat_authenticate(r) != CSC_E_NONE) {
        return NULL;
    }

    return ngx_http_cs_chat_ctx(r);
}


static ngx_int_t
ngx_http_cs_chat_variable_set(ngx_http_variable_value_t *v, ngx_str_t *value)
{
    v->valid = 1;
    v->no_cacheable = 0;
    v->not_found = 0;
    v->len = value->len;
    v->data = value->data;

    return NGX_OK;
}


static ngx_int_t
ngx_http_cs_chat_variable_user(
    ngx_http_request_t *r, ngx_http_variable_value_t *v, uintptr_t data)
{
    ngx_http_cs_chat_ctx_t *ctx;

    ctx = ngx_http_cs_chat_variable_ctx(r);

    if (ctx == NULL) {
        v->not_found = 1;
        return NGX_OK;
    }

    return ngx_http_cs_chat_variable_set(v, &ctx->claims.user);
}


static ngx_int_t
ngx_http_cs_chat_variable_role(
    ngx_http_request_t *r, ngx_http_variable_value_t *v, uintptr_t data)
{
    ngx_http_cs_chat_ctx_t *ctx;

    ctx = ngx_http_cs_chat_variable_ctx(r);

    if (ctx == NULL) {
        v->not_found = 1;
        return NGX_OK;
    }

    return ngx_http_cs_chat_variable_set(v, &ctx->claims.role);
}


/* Seconds with a resolution of microseconds, "0.001234". */

static ngx_int_t
ngx_http_cs_chat_variable_time(
    ngx_http_request_t *r, ngx_http_variable_value_t *v, uintptr_t data)
{
    ngx_str_t value;
    ngx_http_cs_chat_ctx_t *ctx;

    ctx = ngx_http_get_module_ctx(r, ngx_http_cs_chat_module);

    if (ctx == NULL || !ctx->worker_answered) {
        v->not_found = 1;
        return NGX_OK;
    }

    value.data = ngx_pnalloc(r->pool, NGX_INT64_LEN + sizeof(".000000"));
    if (value.data == NULL) {
        return NGX_ERROR;
    }

    value.len = ngx_sprintf(value.data, "%uL.%06uL", ctx->worker_us / 1000000,
                    ctx->worker_us % 1000000)
                - value.data;

    return ngx_http_cs_chat_variable_set(v, &value);
}
