#include "ngx_http_cs_chat_rest.h"
#include "ngx_http_cs_chat_address.h"
#include "ngx_http_cs_chat_metrics.h"
#include "ngx_http_cs_chat_ws.h"


#define NGX_HTTP_UPGRADE_REQUIRED 426 /* nginx has neither name nor reason */


static void ngx_http_cs_chat_cleanup(void *data);
static ngx_int_t ngx_http_cs_chat_status_headers(
    ngx_http_request_t *r, ngx_uint_t status);
static ngx_int_t ngx_http_cs_chat_send_headers(
    ngx_http_request_t *r, ngx_uint_t status, const char *type, size_t len);
static ngx_int_t ngx_http_cs_chat_refuse_status(
    ngx_http_request_t *r, ngx_uint_t status);
static void ngx_http_cs_chat_refused(ngx_http_request_t *r, csc_error_e error);
static void ngx_http_cs_chat_started(
    void *data, redisReply *reply, csc_error_e error);


/* The request's context. */

ngx_http_cs_chat_ctx_t *
ngx_http_cs_chat_ctx(ngx_http_request_t *r)
{
    ngx_pool_cleanup_t *cln;
    ngx_http_cs_chat_ctx_t *ctx;

    ctx = ngx_http_get_module_ctx(r, ngx_http_cs_chat_module);
    if (ctx != NULL) {
        return ctx;
    }

    ctx = ngx_pcalloc(r->pool, sizeof(ngx_http_cs_chat_ctx_t));
    cln = ngx_pool_cleanup_add(r->pool, 0);

    if (ctx == NULL || cln == NULL) {
        return NULL;
    }

    cln->handler = ngx_http_cs_chat_cleanup;
    cln->data = ctx;

    ngx_http_set_ctx(r, ctx, ngx_http_cs_chat_module);

    return ctx;
}


/* Nobody waits for an answer any more, and no socket has come of it. */

static void
ngx_http_cs_chat_cleanup(void *data)
{
    ngx_http_cs_chat_ctx_t *ctx;

    ctx = data;

    ngx_http_cs_chat_bus_cancel(ctx->call);
    ctx->call = NULL;

    if (ctx->session != NULL) {
        ngx_http_cs_chat_ws_abandon(ctx);
    }

    if (ctx->address) {
        ngx_http_cs_chat_address_release(
            ngx_http_cs_chat_bus_zone(), ctx->address);
    }
}


ngx_int_t
ngx_http_cs_chat_path(ngx_http_request_t *r, ngx_str_t *path)
{
    ngx_str_t prefix;
    ngx_http_cs_chat_loc_conf_t *conf;

    conf = ngx_http_get_module_loc_conf(r, ngx_http_cs_chat_module);
    prefix = conf->prefix;

    if (r->uri.len < prefix.len
        || ngx_strncmp(r->uri.data, prefix.data, prefix.len) != 0
        || (r->uri.len > prefix.len && r->uri.data[prefix.len] != '/'))
    {
        return NGX_DECLINED;
    }

    path->data = r->uri.data + prefix.len;
    path->len = r->uri.len - prefix.len;

    while (path->len && path->data[0] == '/') {
        path->data++;
        path->len--;
    }

    while (path->len && path->data[path->len - 1] == '/') {
        path->len--;
    }

    return NGX_OK;
}


/* Headers. */

ngx_str_t
ngx_http_cs_chat_header_in(ngx_http_request_t *r, const char *name)
{
    size_t len;
    ngx_str_t none;
    ngx_uint_t i;
    ngx_list_part_t *part;
    ngx_table_elt_t *header;

    len = ngx_strlen(name);
    part = &r->headers_in.headers.part;
    header = part->elts;

    for (i = 0; /* void */; i++) {
        if (i >= part->nelts) {
            if (part->next == NULL) {
                break;
            }

            part = part->next;
            header = part->elts;
            i = 0;
        }

        if (header[i].key.len == len
            && ngx_strncasecmp(header[i].key.data, (u_char *) name, len) == 0)
        {
            return header[i].value;
        }
    }

    ngx_str_null(&none);

    return none;
}


ngx_int_t
ngx_http_cs_chat_header(
    ngx_http_request_t *r, const char *name, ngx_str_t *value)
{
    ngx_table_elt_t *header;

    header = ngx_list_push(&r->headers_out.headers);
    if (header == NULL) {
        return NGX_ERROR;
    }

    header->hash = 1;
#if (nginx_version >= 1023000)
    header->next = NULL;
#endif
    header->key.data = (u_char *) name;
    header->key.len = ngx_strlen(name);
    header->value = *value;

    return NGX_OK;
}


/* Answers. */

ngx_int_t
ngx_http_cs_chat_respond(
    ngx_http_request_t *r, ngx_uint_t status, csc_str_t body)
{
    return ngx_http_cs_chat_respond_as(r, status, "application/json", body);
}


ngx_int_t
ngx_http_cs_chat_respond_as(
    ngx_http_request_t *r, ngx_uint_t status, const char *type, csc_str_t body)
{
    ngx_int_t rc;
    ngx_buf_t *b;
    ngx_chain_t out;

    rc = ngx_http_cs_chat_send_headers(r, status, type, body.len);

    if (rc == NGX_ERROR || rc > NGX_OK || r->header_only) {
        return rc;
    }

    b = ngx_calloc_buf(r->pool);
    if (b == NULL) {
        return NGX_ERROR;
    }

    b->pos = (u_char *) body.data;
    b->last = b->pos + body.len;
    b->memory = body.len ? 1 : 0;
    b->last_buf = (r == r->main) ? 1 : 0;
    b->last_in_chain = 1;

    out.buf = b;
    out.next = NULL;

    return ngx_http_output_filter(r, &out);
}


ngx_int_t
ngx_http_cs_chat_respond_copy(
    ngx_http_request_t *r, ngx_uint_t status, csc_str_t body)
{
    u_char *copy;

    copy = ngx_pnalloc(r->pool, body.len + 1);
    if (copy == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ngx_memcpy(copy, body.data, body.len);
    body.data = copy;

    return ngx_http_cs_chat_respond(r, status, body);
}


ngx_int_t
ngx_http_cs_chat_respond_written(
    ngx_http_request_t *r, ngx_uint_t status, csc_json_writer_t *w)
{
    ngx_int_t rc;
    csc_str_t body;

    if (w == NULL || csc_json_finish(w, &body) != CSC_OK) {
        rc = NGX_HTTP_INTERNAL_SERVER_ERROR;

    } else {
        rc = ngx_http_cs_chat_respond_copy(r, status, body);
    }

    csc_json_free(w);

    return rc;
}


ngx_int_t
ngx_http_cs_chat_respond_empty(ngx_http_request_t *r, ngx_uint_t status)
{
    if (ngx_http_cs_chat_cors(r) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    r->headers_out.status = status;
    r->headers_out.content_length_n = (status == NGX_HTTP_NO_CONTENT) ? -1 : 0;
    r->header_only = 1;

    return ngx_http_send_header(r);
}


/* What a status wants to have beside it, whoever found it. */

static ngx_int_t
ngx_http_cs_chat_status_headers(ngx_http_request_t *r, ngx_uint_t status)
{
    ngx_str_t one = ngx_string("1");
    ngx_str_t version = ngx_string("13");

    switch (status) {
    case NGX_HTTP_TOO_MANY_REQUESTS:
    case NGX_HTTP_SERVICE_UNAVAILABLE:
        return ngx_http_cs_chat_header(r, "Retry-After", &one);

    case NGX_HTTP_UPGRADE_REQUIRED:
        ngx_str_set(&r->headers_out.status_line, "426 Upgrade Required");
        return ngx_http_cs_chat_header(r, "Sec-WebSocket-Version", &version);

    default:
        return NGX_OK;
    }
}


static ngx_int_t
ngx_http_cs_chat_send_headers(
    ngx_http_request_t *r, ngx_uint_t status, const char *type, size_t len)
{
    ngx_str_t no_store = ngx_string("no-store");

    if (ngx_http_cs_chat_cors(r) != NGX_OK
        || ngx_http_cs_chat_header(r, "Cache-Control", &no_store) != NGX_OK
        || ngx_http_cs_chat_status_headers(r, status) != NGX_OK)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    r->headers_out.status = status;
    r->headers_out.content_length_n = len;
    r->headers_out.content_type.data = (u_char *) type;
    r->headers_out.content_type.len = ngx_strlen(type);
    r->headers_out.content_type_len = r->headers_out.content_type.len;
    r->headers_out.content_type_lowcase = NULL;
    ngx_str_set(&r->headers_out.charset, "utf-8");

    return ngx_http_send_header(r);
}


static void
ngx_http_cs_chat_refused(ngx_http_request_t *r, csc_error_e error)
{
    ngx_http_cs_chat_ctx_t *ctx;

    ctx = ngx_http_get_module_ctx(r, ngx_http_cs_chat_module);
    ngx_http_cs_chat_metrics->errors[error]++;

    if (ctx != NULL && ctx->handshake) {
        ngx_http_cs_chat_metrics->refused[error]++;
    }
}


ngx_int_t
ngx_http_cs_chat_refuse(ngx_http_request_t *r, csc_error_e error,
    const char *sentence, const char *field)
{
    csc_fault_t fault;
    csc_json_writer_t *w;

    ngx_memzero(&fault, sizeof(fault));
    fault.error = error;
    fault.sentence = sentence;
    fault.field = csc_str(field);

    ngx_http_cs_chat_refused(r, error);
    w = csc_json_writer();

    if (w != NULL) {
        csc_fault_envelope(w, &fault);
    }

    return ngx_http_cs_chat_respond_written(r, csc_error_status(error), w);
}


ngx_int_t
ngx_http_cs_chat_other_method(ngx_http_request_t *r, const char *allow)
{
    ngx_str_t methods;

    if (r->method == NGX_HTTP_OPTIONS) {
        return ngx_http_cs_chat_options(r, allow);
    }

    methods.data = (u_char *) allow;
    methods.len = ngx_strlen(allow);

    if (ngx_http_cs_chat_header(r, "Allow", &methods) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    return ngx_http_cs_chat_refuse(r, CSC_E_METHOD_NOT_ALLOWED, NULL, NULL);
}


static ngx_int_t
ngx_http_cs_chat_refuse_status(ngx_http_request_t *r, ngx_uint_t status)
{
    csc_error_e error;

    switch (status) {
    case NGX_HTTP_UNAUTHORIZED:
        error = CSC_E_AUTH_REQUIRED;
        break;

    case NGX_HTTP_FORBIDDEN:
        error = CSC_E_ACCESS_DENIED;
        break;

    case NGX_HTTP_NOT_FOUND:
        error = CSC_E_NOT_FOUND;
        break;

    case NGX_HTTP_REQUEST_ENTITY_TOO_LARGE:
        error = CSC_E_PAYLOAD_TOO_LARGE;
        break;

    case NGX_HTTP_TOO_MANY_REQUESTS:
        error = CSC_E_RATE_LIMITED;
        break;

    case NGX_HTTP_SERVICE_UNAVAILABLE:
        error = CSC_E_BACKEND_UNAVAILABLE;
        break;

    case NGX_HTTP_GATEWAY_TIME_OUT:
        error = CSC_E_BACKEND_TIMEOUT;
        break;

    default:
        error = (status < NGX_HTTP_INTERNAL_SERVER_ERROR)
                    ? CSC_E_INVALID_INPUT
                    : CSC_E_INTERNAL_ERROR;
    }

    return ngx_http_cs_chat_refuse(r, error, NULL, NULL);
}


ngx_int_t
ngx_http_cs_chat_error_handler(ngx_http_request_t *r)
{
    ngx_http_cs_chat_loc_conf_t *conf;

    conf = ngx_http_get_module_loc_conf(r, ngx_http_cs_chat_module);

    if (r->err_status == 0 || conf->kind == NGX_HTTP_CS_CHAT_NONE) {
        return NGX_DECLINED;
    }

    /* else its bytes would be taken for the next request */

    if (ngx_http_discard_request_body(r) != NGX_OK) {
        r->keepalive = 0;
    }

    return ngx_http_cs_chat_refuse_status(r, r->err_status);
}


/* Awaiting. */

void
ngx_http_cs_chat_suspend(ngx_http_request_t *r)
{
    r->main->count++;
    r->read_event_handler = ngx_http_test_reading;
    r->write_event_handler = ngx_http_request_empty_handler;
}


void
ngx_http_cs_chat_finish(ngx_http_request_t *r, ngx_int_t rc)
{
    ngx_connection_t *c;

    c = r->connection;

    ngx_http_finalize_request(r, rc);
    ngx_http_run_posted_requests(c);
}


ngx_int_t
ngx_http_cs_chat_when_started(
    ngx_http_request_t *r, ngx_http_cs_chat_resume_pt resume)
{
    ngx_http_cs_chat_ctx_t *ctx;

    if (!ngx_http_cs_chat_bus_starting()) {
        return resume(r);
    }

    ctx = ngx_http_cs_chat_ctx(r);
    if (ctx == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ctx->resume = resume;
    ctx->call = ngx_http_cs_chat_bus_wait(ngx_http_cs_chat_started, r);

    if (ctx->call == NULL) {
        return ngx_http_cs_chat_refuse(
            r, CSC_E_BACKEND_UNAVAILABLE, NULL, NULL);
    }

    ngx_http_cs_chat_suspend(r);

    return NGX_DONE;
}


static void
ngx_http_cs_chat_started(void *data, redisReply *reply, csc_error_e error)
{
    ngx_http_request_t *r;
    ngx_http_cs_chat_ctx_t *ctx;

    r = data;
    ctx = ngx_http_cs_chat_ctx(r);
    ctx->call = NULL;

    ngx_http_cs_chat_finish(r, ctx->resume(r));
}


ngx_int_t
ngx_http_cs_chat_ask(ngx_http_request_t *r, csc_bus_message_t *message,
    csc_str_t shard_by, ngx_http_cs_chat_reply_pt handler)
{
    ngx_http_cs_chat_ctx_t *ctx;
    ngx_http_cs_chat_loc_conf_t *conf;

    ctx = ngx_http_cs_chat_ctx(r);
    conf = ngx_http_get_module_loc_conf(r, ngx_http_cs_chat_module);

    ctx->call = ngx_http_cs_chat_bus_request(
        message, shard_by, conf->request_timeout, handler, r);

    if (ctx->call == NULL) {
        return ngx_http_cs_chat_refuse(
            r, CSC_E_BACKEND_UNAVAILABLE, NULL, NULL);
    }

    ngx_http_cs_chat_suspend(r);

    return NGX_DONE;
}
