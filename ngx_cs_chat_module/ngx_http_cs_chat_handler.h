/* Routes of the API: which method and path is which operation. */

#ifndef NGX_HTTP_CS_CHAT_HANDLER_H
#define NGX_HTTP_CS_CHAT_HANDLER_H

#include "ngx_http_cs_chat_rest.h"


/* What a request carries that the operation wants. */
typedef enum {
    NGX_HTTP_CS_CHAT_NOTHING = 0,
    NGX_HTTP_CS_CHAT_QUERY,
    NGX_HTTP_CS_CHAT_JSON
} ngx_http_cs_chat_input_e;


typedef enum {
    NGX_HTTP_CS_CHAT_NO_TOKEN = 0, /* one that comes is not looked at */
    NGX_HTTP_CS_CHAT_ANY_TOKEN,    /* one that comes must hold */
    NGX_HTTP_CS_CHAT_TOKEN
} ngx_http_cs_chat_token_e;


typedef struct ngx_http_cs_chat_route_s {
    ngx_uint_t method;
    const char *path; /* below the location; "*" is the id of a chat */
    csc_op_e op;      /* CSC_OP_NONE: answered here by local */
    ngx_http_cs_chat_token_e token;
    ngx_http_cs_chat_input_e input;
    ngx_http_cs_chat_resume_pt local;
} ngx_http_cs_chat_route_t;


/* Answered in NGINX: ngx_http_cs_chat_auth.c. */
ngx_int_t ngx_http_cs_chat_logout(ngx_http_request_t *r);
ngx_int_t ngx_http_cs_chat_issue_ticket(ngx_http_request_t *r);

/*
 * Answers a login, a registration or a refresh: signs a token for the user of
 * the reply and puts both together.
 */
ngx_int_t ngx_http_cs_chat_send_token(
    ngx_http_request_t *r, csc_bus_message_t *reply);

typedef void (*ngx_http_cs_chat_ticket_pt)(
    ngx_http_request_t *r, csc_error_e error);

/*
 * Takes a ticket out of Redis, good once, and puts its claims into the
 * request's context; the handler hears how it went.  NGX_DONE, or what the
 * content handler returns.
 */
ngx_int_t ngx_http_cs_chat_redeem_ticket(ngx_http_request_t *r,
    ngx_str_t *ticket, ngx_http_cs_chat_ticket_pt handler);


#endif /* NGX_HTTP_CS_CHAT_HANDLER_H */
