/*
 * Health: whether nginx runs, and, under "/ready", whether Redis, a chat
 * worker and PostgreSQL can be reached.
 */

#include "ngx_http_cs_chat_rest.h"
#include "ngx_http_cs_chat_source.h"


static ngx_int_t ngx_http_cs_chat_ready(ngx_http_request_t *r);
static void ngx_http_cs_chat_ready_reply(
    void *data, csc_bus_message_t *reply, csc_error_e error);
static ngx_int_t ngx_http_cs_chat_ready_answer(ngx_http_request_t *r,
    ngx_uint_t redis, ngx_uint_t worker, ngx_uint_t database);


ngx_int_t
ngx_http_cs_chat_health_handler(ngx_http_request_t *r)
{
    ngx_int_t rc;
    ngx_str_t path;
    csc_str_t ok = CSC_STR("{\"status\":\"ok\"}");

    rc = ngx_http_discard_request_body(r);
    if (rc != NGX_OK) {
        return rc;
    }

    if (ngx_http_cs_chat_path(r, &path) != NGX_OK
        || (path.len
            && (path.len != 5 || ngx_strncmp(path.data, "ready", 5) != 0)))
    {
        return ngx_http_cs_chat_refuse(r, CSC_E_NOT_FOUND, NULL, NULL);
    }

    if (!(r->method & (NGX_HTTP_GET | NGX_HTTP_HEAD))) {
        return ngx_http_cs_chat_other_method(r, "GET, HEAD, OPTIONS");
    }

    if (path.len == 0) {
        return ngx_http_cs_chat_respond(r, NGX_HTTP_OK, ok);
    }

    if (ngx_http_cs_chat_ctx(r) == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    return ngx_http_cs_chat_when_started(r, ngx_http_cs_chat_ready);
}


static ngx_int_t
ngx_http_cs_chat_ready(ngx_http_request_t *r)
{
    csc_str_t any = CSC_STR_NULL;
    csc_bus_message_t message;

    if (!ngx_http_cs_chat_bus_ready()) {
        return ngx_http_cs_chat_ready_answer(r, 0, 0, 0);
    }

    ngx_memzero(&message, sizeof(message));
    message.op = csc_str(csc_op_name(CSC_OP_HEALTH));

    return ngx_http_cs_chat_ask(r, &message, any, ngx_http_cs_chat_ready_reply);
}


static void
ngx_http_cs_chat_ready_reply(
    void *data, csc_bus_message_t *reply, csc_error_e error)
{
    ngx_int_t rc;
    ngx_uint_t worker;
    ngx_http_request_t *r;

    r = data;
    ngx_http_cs_chat_ctx(r)->call = NULL;

    /* a worker that has lost its database hears no requests, but is there */

    worker = reply != NULL
             || (error == CSC_E_BACKEND_UNAVAILABLE
                 && ngx_http_cs_chat_sources_alive());

    rc = ngx_http_cs_chat_ready_answer(r, ngx_http_cs_chat_bus_ready(), worker,
        reply != NULL && reply->status == NGX_HTTP_OK);

    ngx_http_cs_chat_finish(r, rc);
}


static ngx_int_t
ngx_http_cs_chat_ready_answer(ngx_http_request_t *r, ngx_uint_t redis,
    ngx_uint_t worker, ngx_uint_t database)
{
    ngx_uint_t ok;
    csc_json_writer_t *w;

    ok = redis && worker && database;
    w = csc_json_writer();

    if (w != NULL) {
        csc_json_object(w);
        csc_json_key(w, "status");
        csc_json_text(w, ok ? "ok" : "unavailable");
        csc_json_key(w, "redis");
        csc_json_text(w, redis ? "ok" : "unavailable");
        csc_json_key(w, "worker");
        csc_json_text(w, worker ? "ok" : "unavailable");
        csc_json_key(w, "database");
        csc_json_text(w, database ? "ok" : "unavailable");
        csc_json_end_object(w);
    }

    return ngx_http_cs_chat_respond_written(
        r, ok ? NGX_HTTP_OK : NGX_HTTP_SERVICE_UNAVAILABLE, w);
}
