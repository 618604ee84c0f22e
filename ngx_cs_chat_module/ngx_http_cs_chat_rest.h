/*
 * Answers over HTTP: the envelope, its headers, errors, CORS, and the
 * asynchronous rests of a request.
 */

#ifndef NGX_HTTP_CS_CHAT_REST_H
#define NGX_HTTP_CS_CHAT_REST_H

#include "ngx_http_cs_chat_module.h"
#include "ngx_http_cs_chat_bus.h"

#include "csc_json.h"


/*
 * Sends status and a JSON body; the bytes must stay valid until the request
 * ends.  The result is what a content handler returns, or what the request is
 * finalized with.
 */
ngx_int_t ngx_http_cs_chat_respond(
    ngx_http_request_t *r, ngx_uint_t status, csc_str_t body);

/* The same with another type than JSON. */
ngx_int_t ngx_http_cs_chat_respond_as(
    ngx_http_request_t *r, ngx_uint_t status, const char *type, csc_str_t body);

/* JSON with a copy of the body. */
ngx_int_t ngx_http_cs_chat_respond_copy(
    ngx_http_request_t *r, ngx_uint_t status, csc_str_t body);

/* Sends what a writer holds, and frees it. */
ngx_int_t ngx_http_cs_chat_respond_written(
    ngx_http_request_t *r, ngx_uint_t status, csc_json_writer_t *w);

/* Sends a status without a body. */
ngx_int_t ngx_http_cs_chat_respond_empty(
    ngx_http_request_t *r, ngx_uint_t status);

/* Sends an error; sentence and field may be NULL. */
ngx_int_t ngx_http_cs_chat_refuse(ngx_http_request_t *r, csc_error_e error,
    const char *sentence, const char *field);

/* Adds a response header; both texts must stay valid. */
ngx_int_t ngx_http_cs_chat_header(
    ngx_http_request_t *r, const char *name, ngx_str_t *value);

/* The value of a request header; empty when there is none. */
ngx_str_t ngx_http_cs_chat_header_in(ngx_http_request_t *r, const char *name);

/* Adds the headers that let a page of another origin read the answer. */
ngx_int_t ngx_http_cs_chat_cors(ngx_http_request_t *r);

/*
 * Answers a method that a path does not serve: OPTIONS with the methods that
 * it does, anything else with 405.
 */
ngx_int_t ngx_http_cs_chat_other_method(
    ngx_http_request_t *r, const char *allow);

/* Answers a preflight or other OPTIONS request. */
ngx_int_t ngx_http_cs_chat_options(ngx_http_request_t *r, const char *allow);

/*
 * 1 when a page of the request's Origin may use this location: no Origin, one
 * that is configured, or the server's own.
 */
ngx_uint_t ngx_http_cs_chat_origin_allowed(ngx_http_request_t *r);

/*
 * CSC_E_NONE when the caller is who the token says: the token holds, it is not
 * revoked, and what is revoked is known.
 */
csc_error_e ngx_http_cs_chat_trust(ngx_http_request_t *r);

typedef ngx_int_t (*ngx_http_cs_chat_resume_pt)(ngx_http_request_t *r);

/*
 * Keeps the request while an answer is awaited: ctx->call has to be set after
 * it.  The client may leave meanwhile; the call is then cancelled.
 */
void ngx_http_cs_chat_suspend(ngx_http_request_t *r);

/* Ends what was suspended, from an event handler outside of the request. */
void ngx_http_cs_chat_finish(ngx_http_request_t *r, ngx_int_t rc);

/*
 * Calls resume(r) once the process has made its first attempt to reach Redis:
 * at once, or later.  The result is for the content handler.
 */
ngx_int_t ngx_http_cs_chat_when_started(
    ngx_http_request_t *r, ngx_http_cs_chat_resume_pt resume);

/*
 * Sends a request to the chat workers and awaits the reply: NGX_DONE, or what
 * the content handler returns.
 */
ngx_int_t ngx_http_cs_chat_ask(ngx_http_request_t *r,
    csc_bus_message_t *message, csc_str_t shard_by,
    ngx_http_cs_chat_reply_pt handler);


#endif /* NGX_HTTP_CS_CHAT_REST_H */
