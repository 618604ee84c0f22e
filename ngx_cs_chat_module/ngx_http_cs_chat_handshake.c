/*
 * The opening handshake of a WebSocket (RFC 6455, 4.2): everything is checked
 * before the connection is upgraded.
 */

#include "ngx_http_cs_chat_address.h"
#include "ngx_http_cs_chat_handler.h"
#include "ngx_http_cs_chat_ws.h"


static ngx_int_t ngx_http_cs_chat_handshake(ngx_http_request_t *r);
static csc_error_e ngx_http_cs_chat_handshake_check(
    ngx_http_request_t *r, const char **sentence);
static void ngx_http_cs_chat_handshake_redeemed(
    ngx_http_request_t *r, csc_error_e error);
static ngx_int_t ngx_http_cs_chat_upgrade(ngx_http_request_t *r);
static ngx_uint_t ngx_http_cs_chat_too_many(
    ngx_http_request_t *r, ngx_http_cs_chat_claims_t *claims);
static ngx_uint_t ngx_http_cs_chat_too_many_from(
    ngx_http_request_t *r, ngx_http_cs_chat_ctx_t *ctx);
static ngx_int_t ngx_http_cs_chat_upgrade_headers(ngx_http_request_t *r);
static ngx_uint_t ngx_http_cs_chat_has_word(ngx_str_t header, const char *word);


ngx_int_t
ngx_http_cs_chat_websocket_handler(ngx_http_request_t *r)
{
    ngx_int_t rc;
    ngx_http_cs_chat_ctx_t *ctx;

    rc = ngx_http_discard_request_body(r);
    if (rc != NGX_OK) {
        return rc;
    }

    ctx = ngx_http_cs_chat_ctx(r);
    if (ctx == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ctx->handshake = 1;

    if (r->method != NGX_HTTP_GET) {
        return ngx_http_cs_chat_other_method(r, "GET");
    }

    return ngx_http_cs_chat_when_started(r, ngx_http_cs_chat_handshake);
}


static ngx_int_t
ngx_http_cs_chat_handshake(ngx_http_request_t *r)
{
    ngx_str_t ticket;
    csc_error_e error, fault;
    const char *sentence;

    error = ngx_http_cs_chat_trust(r);
    ngx_str_null(&ticket);

    if (error == CSC_E_AUTH_REQUIRED) {
        (void) ngx_http_arg(r, (u_char *) "ticket", 6, &ticket);
    }

    if (error != CSC_E_NONE && ticket.len == 0) {
        return ngx_http_cs_chat_refuse(r, error, NULL, NULL);
    }

    /* a ticket is used up only by a handshake that is otherwise in order */

    fault = ngx_http_cs_chat_handshake_check(r, &sentence);

    if (fault != CSC_E_NONE) {
        return ngx_http_cs_chat_refuse(r, fault, sentence, NULL);
    }

    if (error != CSC_E_NONE) {
        return ngx_http_cs_chat_redeem_ticket(
            r, &ticket, ngx_http_cs_chat_handshake_redeemed);
    }

    return ngx_http_cs_chat_upgrade(r);
}


static csc_error_e
ngx_http_cs_chat_handshake_check(ngx_http_request_t *r, const char **sentence)
{
    ngx_str_t connection, version, key;
    ngx_http_cs_chat_ctx_t *ctx;

    ctx = ngx_http_cs_chat_ctx(r);

    if (r->http_version != NGX_HTTP_VERSION_11) {
        *sentence = "A WebSocket needs HTTP/1.1.";
        return CSC_E_INVALID_INPUT;
    }

    if (r->headers_in.upgrade == NULL
        || !ngx_http_cs_chat_has_word(
            r->headers_in.upgrade->value, "websocket"))
    {
        *sentence = "This is a WebSocket: send Upgrade: websocket.";
        return CSC_E_INVALID_INPUT;
    }

    /* r->headers_in.connection is not set before nginx 1.23 */

    connection = ngx_http_cs_chat_header_in(r, "Connection");

    if (!ngx_http_cs_chat_has_word(connection, "upgrade")) {
        *sentence = "This is a WebSocket: send Connection: Upgrade.";
        return CSC_E_INVALID_INPUT;
    }

    if (r->headers_in.content_length_n > 0 || r->headers_in.chunked) {
        *sentence = "A WebSocket handshake has no body.";
        return CSC_E_INVALID_INPUT;
    }

    version = ngx_http_cs_chat_header_in(r, "Sec-WebSocket-Version");

    if (version.len != 2 || ngx_strncmp(version.data, "13", 2) != 0) {
        *sentence = "The WebSocket version must be 13.";
        return CSC_E_UPGRADE_REQUIRED;
    }

    key = ngx_http_cs_chat_header_in(r, "Sec-WebSocket-Key");

    ctx->accept = ngx_pnalloc(r->pool, CSC_WS_ACCEPT_LEN);
    if (ctx->accept == NULL) {
        *sentence = NULL;
        return CSC_E_INTERNAL_ERROR;
    }

    if (csc_ws_accept(ngx_http_cs_chat_view(key), ctx->accept) != CSC_OK) {
        *sentence = "Sec-WebSocket-Key must be 16 bytes in base64.";
        return CSC_E_INVALID_INPUT;
    }

    if (!ngx_http_cs_chat_origin_allowed(r)) {
        *sentence = "Pages of this origin may not connect.";
        return CSC_E_ACCESS_DENIED;
    }

    return CSC_E_NONE;
}


static void
ngx_http_cs_chat_handshake_redeemed(ngx_http_request_t *r, csc_error_e error)
{
    ngx_int_t rc;

    rc = (error == CSC_E_NONE) ? ngx_http_cs_chat_upgrade(r)
                               : ngx_http_cs_chat_refuse(r, error, NULL, NULL);

    ngx_http_cs_chat_finish(r, rc);
}


static ngx_int_t
ngx_http_cs_chat_upgrade(ngx_http_request_t *r)
{
    ngx_int_t rc;
    ngx_http_cs_chat_ctx_t *ctx;
    ngx_http_core_loc_conf_t *clcf;

    ctx = ngx_http_cs_chat_ctx(r);
    clcf = ngx_http_get_module_loc_conf(r, ngx_http_core_module);

    if (ngx_http_cs_chat_too_many(r, &ctx->claims)) {
        return ngx_http_cs_chat_refuse(r, CSC_E_RATE_LIMITED,
            "You have too many connections: close one.", NULL);
    }

    if (ngx_http_cs_chat_too_many_from(r, ctx)) {
        return ngx_http_cs_chat_refuse(r, CSC_E_RATE_LIMITED,
            "Your address has too many connections.", NULL);
    }

    /* an event that waits for the ACK of the one before it is late */

    if (clcf->tcp_nodelay && ngx_tcp_nodelay(r->connection) != NGX_OK) {
        return NGX_ERROR;
    }

    if (ngx_http_cs_chat_upgrade_headers(r) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    r->headers_out.status = NGX_HTTP_SWITCHING_PROTOCOLS;
    ngx_str_set(&r->headers_out.status_line, "101 Switching Protocols");
    r->headers_out.content_length_n = -1;
    r->keepalive = 0;

    rc = ngx_http_send_header(r);

    if (rc == NGX_ERROR || rc > NGX_OK) {
        return NGX_ERROR;
    }

    if (ngx_http_cs_chat_ws_open(r, &ctx->claims) != NGX_OK) {
        return NGX_ERROR;
    }

    return NGX_DONE;
}


/* What other processes have is known to the chat worker, which closes it. */

static ngx_uint_t
ngx_http_cs_chat_too_many(
    ngx_http_request_t *r, ngx_http_cs_chat_claims_t *claims)
{
    ngx_http_cs_chat_session_t *oldest;
    ngx_http_cs_chat_loc_conf_t *conf;

    conf = ngx_http_get_module_loc_conf(r, ngx_http_cs_chat_module);

    return conf->refuse_newest
           && ngx_http_cs_chat_hub_sockets(
                  ngx_http_cs_chat_view(claims->user), &oldest)
                  >= conf->sockets_per_user;
}


/* 0 when there is room, and the socket to be is counted. */

static ngx_uint_t
ngx_http_cs_chat_too_many_from(
    ngx_http_request_t *r, ngx_http_cs_chat_ctx_t *ctx)
{
    ngx_int_t rc;
    uint64_t address;
    ngx_http_cs_chat_loc_conf_t *conf;
    static ngx_uint_t said;

    conf = ngx_http_get_module_loc_conf(r, ngx_http_cs_chat_module);
    address = ngx_http_cs_chat_address(r->connection->sockaddr);

    if (conf->sockets_per_address == 0 || address == 0) {
        return 0;
    }

    rc = ngx_http_cs_chat_address_take(
        ngx_http_cs_chat_bus_zone(), address, conf->sockets_per_address);

    if (rc == NGX_OK) {
        ctx->address = address;

    } else if (rc == NGX_DECLINED && !said) {
        said = 1;
        ngx_log_error(NGX_LOG_WARN, r->connection->log, 0,
            "\"cs_chat_zone\" has no room: WebSockets are not counted by "
            "address");
    }

    return rc == NGX_BUSY;
}


static ngx_int_t
ngx_http_cs_chat_upgrade_headers(ngx_http_request_t *r)
{
    ngx_str_t value, protocol;
    ngx_str_t websocket = ngx_string("websocket");
    ngx_str_t bearer = ngx_string("bearer");

    value.data = ngx_http_cs_chat_ctx(r)->accept;
    value.len = CSC_WS_ACCEPT_LEN;

    if (ngx_http_cs_chat_header(r, "Upgrade", &websocket) != NGX_OK
        || ngx_http_cs_chat_header(r, "Sec-WebSocket-Accept", &value) != NGX_OK)
    {
        return NGX_ERROR;
    }

    /* a browser gives up when the sub-protocol it asked for is not chosen */

    protocol = ngx_http_cs_chat_header_in(r, "Sec-WebSocket-Protocol");

    if (ngx_http_cs_chat_has_word(protocol, "bearer")) {
        return ngx_http_cs_chat_header(r, "Sec-WebSocket-Protocol", &bearer);
    }

    return NGX_OK;
}


/* 1 when a comma-separated header has the word, in any case. */

static ngx_uint_t
ngx_http_cs_chat_has_word(ngx_str_t header, const char *word)
{
    size_t len;
    u_char *p, *last, *start;

    len = ngx_strlen(word);
    p = header.data;
    last = header.data + header.len;

    while (p < last) {
        while (p < last && (*p == ' ' || *p == ',' || *p == '\t')) {
            p++;
        }

        start = p;

        while (p < last && *p != ' ' && *p != ',' && *p != '\t') {
            p++;
        }

        if ((size_t) (p - start) == len
            && ngx_strncasecmp(start, (u_char *) word, len) == 0)
        {
            return 1;
        }
    }

    return 0;
}
