/* The location that shows the metrics: for Prometheus, or as JSON. */

#include "ngx_http_cs_chat_metrics.h"
#include "ngx_http_cs_chat_rest.h"


static ngx_int_t ngx_http_cs_chat_metrics_format(
    ngx_http_request_t *r, ngx_uint_t *json);
static void ngx_http_cs_chat_metrics_rows(ngx_http_cs_chat_metrics_sum_t *sum,
    csc_metrics_row_t *nginx, csc_metrics_row_t *workers);
static ngx_int_t ngx_http_cs_chat_metrics_text(ngx_http_request_t *r,
    csc_metrics_row_t *nginx, csc_metrics_row_t *workers, ngx_uint_t n);
static ngx_int_t ngx_http_cs_chat_metrics_json(ngx_http_request_t *r,
    csc_metrics_row_t *nginx, csc_metrics_row_t *workers, ngx_uint_t n);


ngx_int_t
ngx_http_cs_chat_metrics_handler(ngx_http_request_t *r)
{
    ngx_int_t rc;
    ngx_uint_t json;
    csc_metrics_row_t nginx, *workers;
    ngx_http_cs_chat_metrics_sum_t sum;

    rc = ngx_http_discard_request_body(r);
    if (rc != NGX_OK) {
        return rc;
    }

    if (!(r->method & (NGX_HTTP_GET | NGX_HTTP_HEAD))) {
        return ngx_http_cs_chat_other_method(r, "GET, HEAD, OPTIONS");
    }

    if (ngx_http_cs_chat_metrics_format(r, &json) != NGX_OK) {
        return ngx_http_cs_chat_refuse(r, CSC_E_INVALID_INPUT,
            "The format must be \"text\" or \"json\".", "format");
    }

    rc = ngx_http_cs_chat_metrics_collect(&sum, r->pool);

    if (rc == NGX_DECLINED) {
        return ngx_http_cs_chat_refuse(r, CSC_E_BACKEND_UNAVAILABLE,
            "The shared memory zone has no room for metrics.", NULL);
    }

    if (rc != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    workers = ngx_palloc(
        r->pool, (sum.nworkers + 1) * sizeof(csc_metrics_row_t));
    if (workers == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ngx_http_cs_chat_metrics_rows(&sum, &nginx, workers);

    return json
               ? ngx_http_cs_chat_metrics_json(r, &nginx, workers, sum.nworkers)
               : ngx_http_cs_chat_metrics_text(
                   r, &nginx, workers, sum.nworkers);
}


/* As the argument says, else as the client likes it. */

static ngx_int_t
ngx_http_cs_chat_metrics_format(ngx_http_request_t *r, ngx_uint_t *json)
{
    ngx_str_t format, accept;

    if (ngx_http_arg(r, (u_char *) "format", 6, &format) == NGX_OK) {
        *json = format.len == 4 && ngx_strncmp(format.data, "json", 4) == 0;

        return (*json
                   || (format.len == 4
                       && ngx_strncmp(format.data, "text", 4) == 0))
                   ? NGX_OK
                   : NGX_ERROR;
    }

    accept = ngx_http_cs_chat_header_in(r, "Accept");

    *json = accept.len
            && ngx_strlcasestrn(accept.data, accept.data + accept.len,
                   (u_char *) "application/json",
                   sizeof("application/json") - 2)
                   != NULL;

    return NGX_OK;
}


static void
ngx_http_cs_chat_metrics_rows(ngx_http_cs_chat_metrics_sum_t *sum,
    csc_metrics_row_t *nginx, csc_metrics_row_t *workers)
{
    ngx_uint_t i;

    ngx_memzero(nginx, sizeof(csc_metrics_row_t));
    nginx->values = (uint64_t *) &sum->nginx;

    for (i = 0; i < sum->nworkers; i++) {
        workers[i].name.data = sum->workers[i].id;
        workers[i].name.len = NGX_HTTP_CS_CHAT_SRC_LEN;
        workers[i].values = (uint64_t *) &sum->workers[i].values;
    }
}


static ngx_int_t
ngx_http_cs_chat_metrics_text(ngx_http_request_t *r, csc_metrics_row_t *nginx,
    csc_metrics_row_t *workers, ngx_uint_t n)
{
    size_t first, size;
    u_char *text;
    csc_str_t body;

    first = csc_metrics_text(&csc_nginx_metrics, nginx, 1, NULL, 0);
    size = first + csc_metrics_text(&csc_worker_metrics, workers, n, NULL, 0);

    text = ngx_pnalloc(r->pool, size);
    if (text == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    (void) csc_metrics_text(&csc_nginx_metrics, nginx, 1, text, first);
    (void) csc_metrics_text(
        &csc_worker_metrics, workers, n, text + first, size - first);

    body.data = text;
    body.len = size;

    return ngx_http_cs_chat_respond_as(
        r, NGX_HTTP_OK, "text/plain; version=0.0.4", body);
}


static ngx_int_t
ngx_http_cs_chat_metrics_json(ngx_http_request_t *r, csc_metrics_row_t *nginx,
    csc_metrics_row_t *workers, ngx_uint_t n)
{
    csc_json_writer_t *w;

    w = csc_json_writer();

    if (w != NULL) {
        csc_json_object(w);
        csc_metrics_json(w, &csc_nginx_metrics, nginx, 1);
        csc_metrics_json(w, &csc_worker_metrics, workers, n);
        csc_json_end_object(w);
    }

    return ngx_http_cs_chat_respond_written(r, NGX_HTTP_OK, w);
}
