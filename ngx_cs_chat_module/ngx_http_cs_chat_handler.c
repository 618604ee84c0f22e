#include "ngx_http_cs_chat_handler.h"

#include "csc_query.h"
#include "csc_uuid.h"


#define MAX_KEY 256 /* bytes of an Idempotency-Key that are passed on */


static const ngx_http_cs_chat_route_t *ngx_http_cs_chat_route(
    ngx_http_request_t *r, ngx_str_t *chat, const char **allow);
static ngx_uint_t ngx_http_cs_chat_match(
    const char *pattern, ngx_str_t *path, ngx_str_t *chat);
static const char *ngx_http_cs_chat_allow(ngx_uint_t methods);
static ngx_int_t ngx_http_cs_chat_api_start(ngx_http_request_t *r);
static ngx_int_t ngx_http_cs_chat_api_body(ngx_http_request_t *r);
static ngx_int_t ngx_http_cs_chat_limit_body(
    ngx_http_request_t *r, size_t limit);
static ngx_uint_t ngx_http_cs_chat_json_type(ngx_http_request_t *r);
static void ngx_http_cs_chat_api_read(ngx_http_request_t *r);
static ngx_int_t ngx_http_cs_chat_gather(
    ngx_http_request_t *r, csc_str_t *body, u_char **copy);
static ngx_int_t ngx_http_cs_chat_copy_buf(ngx_buf_t *b, u_char *dst);
static ngx_int_t ngx_http_cs_chat_api_send(
    ngx_http_request_t *r, csc_str_t body);
static ngx_int_t ngx_http_cs_chat_api_key(
    ngx_http_request_t *r, csc_str_t *key);
static void ngx_http_cs_chat_api_reply(
    void *data, csc_bus_message_t *reply, csc_error_e error);


static const ngx_http_cs_chat_route_t routes[] = {

    { NGX_HTTP_POST, "auth/login", CSC_OP_AUTH_LOGIN, NGX_HTTP_CS_CHAT_NO_TOKEN,
        NGX_HTTP_CS_CHAT_JSON, NULL },

    { NGX_HTTP_POST, "auth/register", CSC_OP_AUTH_REGISTER,
        NGX_HTTP_CS_CHAT_ANY_TOKEN, NGX_HTTP_CS_CHAT_JSON, NULL },

    { NGX_HTTP_POST, "auth/refresh", CSC_OP_AUTH_REFRESH,
        NGX_HTTP_CS_CHAT_TOKEN, NGX_HTTP_CS_CHAT_NOTHING, NULL },

    { NGX_HTTP_POST, "auth/logout", CSC_OP_NONE, NGX_HTTP_CS_CHAT_TOKEN,
        NGX_HTTP_CS_CHAT_NOTHING, ngx_http_cs_chat_logout },

    { NGX_HTTP_POST, "auth/ws-ticket", CSC_OP_NONE, NGX_HTTP_CS_CHAT_TOKEN,
        NGX_HTTP_CS_CHAT_NOTHING, ngx_http_cs_chat_issue_ticket },

    { NGX_HTTP_GET, "ws", CSC_OP_NONE, NGX_HTTP_CS_CHAT_NO_TOKEN,
        NGX_HTTP_CS_CHAT_NOTHING, ngx_http_cs_chat_websocket_handler },

    { NGX_HTTP_GET, "users/me", CSC_OP_USERS_ME, NGX_HTTP_CS_CHAT_TOKEN,
        NGX_HTTP_CS_CHAT_NOTHING, NULL },

    { NGX_HTTP_GET, "users", CSC_OP_USERS_LIST, NGX_HTTP_CS_CHAT_TOKEN,
        NGX_HTTP_CS_CHAT_QUERY, NULL },

    { NGX_HTTP_PUT, "users/status", CSC_OP_USERS_STATUS, NGX_HTTP_CS_CHAT_TOKEN,
        NGX_HTTP_CS_CHAT_JSON, NULL },

    { NGX_HTTP_GET, "chats", CSC_OP_CHATS_LIST, NGX_HTTP_CS_CHAT_TOKEN,
        NGX_HTTP_CS_CHAT_QUERY, NULL },

    { NGX_HTTP_POST, "chats", CSC_OP_CHATS_CREATE, NGX_HTTP_CS_CHAT_TOKEN,
        NGX_HTTP_CS_CHAT_JSON, NULL },

    { NGX_HTTP_GET, "chats/*", CSC_OP_CHATS_GET, NGX_HTTP_CS_CHAT_TOKEN,
        NGX_HTTP_CS_CHAT_NOTHING, NULL },

    { NGX_HTTP_DELETE, "chats/*", CSC_OP_CHATS_DELETE, NGX_HTTP_CS_CHAT_TOKEN,
        NGX_HTTP_CS_CHAT_NOTHING, NULL },

    { NGX_HTTP_GET, "chats/*/messages", CSC_OP_MESSAGES_LIST,
        NGX_HTTP_CS_CHAT_TOKEN, NGX_HTTP_CS_CHAT_QUERY, NULL },

    { NGX_HTTP_POST, "chats/*/messages", CSC_OP_MESSAGES_SEND,
        NGX_HTTP_CS_CHAT_TOKEN, NGX_HTTP_CS_CHAT_JSON, NULL },

    { NGX_HTTP_PUT, "chats/*/status", CSC_OP_CHATS_STATUS,
        NGX_HTTP_CS_CHAT_TOKEN, NGX_HTTP_CS_CHAT_JSON, NULL },

    { NGX_HTTP_PUT, "chats/*/assign", CSC_OP_CHATS_ASSIGN,
        NGX_HTTP_CS_CHAT_TOKEN, NGX_HTTP_CS_CHAT_JSON, NULL },

    { NGX_HTTP_PUT, "chats/*/archive", CSC_OP_CHATS_ARCHIVE,
        NGX_HTTP_CS_CHAT_TOKEN, NGX_HTTP_CS_CHAT_NOTHING, NULL },

    { NGX_HTTP_PUT, "chats/*/unarchive", CSC_OP_CHATS_UNARCHIVE,
        NGX_HTTP_CS_CHAT_TOKEN, NGX_HTTP_CS_CHAT_NOTHING, NULL },

    { NGX_HTTP_GET, "archived-chats", CSC_OP_CHATS_ARCHIVED,
        NGX_HTTP_CS_CHAT_TOKEN, NGX_HTTP_CS_CHAT_QUERY, NULL },

    { NGX_HTTP_GET, "available-agents", CSC_OP_AGENTS_AVAILABLE,
        NGX_HTTP_CS_CHAT_TOKEN, NGX_HTTP_CS_CHAT_NOTHING, NULL },

    { NGX_HTTP_GET, "available-customers", CSC_OP_CUSTOMERS_AVAILABLE,
        NGX_HTTP_CS_CHAT_TOKEN, NGX_HTTP_CS_CHAT_NOTHING, NULL },

    { 0, NULL, CSC_OP_NONE, NGX_HTTP_CS_CHAT_NO_TOKEN, NGX_HTTP_CS_CHAT_NOTHING,
        NULL }
};


/* Of several faults: route, method, token, type and size, then the rest. */

ngx_int_t
ngx_http_cs_chat_api_handler(ngx_http_request_t *r)
{
    ngx_int_t rc;
    ngx_str_t chat;
    const char *allow;
    ngx_http_cs_chat_ctx_t *ctx;

    ctx = ngx_http_cs_chat_ctx(r);
    if (ctx == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ctx->route = ngx_http_cs_chat_route(r, &chat, &allow);

    if (ctx->route == NULL || ctx->route->input != NGX_HTTP_CS_CHAT_JSON) {
        rc = ngx_http_discard_request_body(r);
        if (rc != NGX_OK) {
            return rc;
        }
    }

    if (ctx->route == NULL) {
        if (allow == NULL) {
            return ngx_http_cs_chat_refuse(r, CSC_E_NOT_FOUND, NULL, NULL);
        }

        return ngx_http_cs_chat_other_method(r, allow);
    }

    if (ctx->route->local == ngx_http_cs_chat_websocket_handler) {
        return ngx_http_cs_chat_websocket_handler(r);
    }

    /* an id that is none is the last fault of those seen here */

    if (chat.len != CSC_UUID_LEN
        || csc_uuid_parse(ngx_http_cs_chat_view(chat), ctx->chat) != CSC_OK)
    {
        ctx->chat[0] = chat.data ? '?' : '\0';
    }

    return ngx_http_cs_chat_when_started(r, ngx_http_cs_chat_api_start);
}


/*
 * The route of a request.  NULL when there is none: *allow then names the
 * methods of the path, or is NULL for an unknown path.  *chat is the id in the
 * path as it stands, data is NULL where the path has none.
 */

static const ngx_http_cs_chat_route_t *
ngx_http_cs_chat_route(
    ngx_http_request_t *r, ngx_str_t *chat, const char **allow)
{
    ngx_str_t path, id;
    ngx_uint_t methods, method;
    const ngx_http_cs_chat_route_t *route;

    ngx_str_null(chat);
    *allow = NULL;
    methods = 0;
    method = (r->method == NGX_HTTP_HEAD) ? NGX_HTTP_GET : r->method;

    if (ngx_http_cs_chat_path(r, &path) != NGX_OK) {
        return NULL;
    }

    for (route = routes; route->path; route++) {
        if (!ngx_http_cs_chat_match(route->path, &path, &id)) {
            continue;
        }

        if (route->method == method) {
            *chat = id;
            return route;
        }

        methods |= route->method;
    }

    if (methods) {
        *allow = ngx_http_cs_chat_allow(methods);
    }

    return NULL;
}


static ngx_uint_t
ngx_http_cs_chat_match(const char *pattern, ngx_str_t *path, ngx_str_t *chat)
{
    u_char *p, *last;

    ngx_str_null(chat);

    p = path->data;
    last = p + path->len;

    for (/* void */; *pattern; pattern++) {
        if (*pattern != '*') {
            if (p == last || *p++ != (u_char) *pattern) {
                return 0;
            }

            continue;
        }

        chat->data = p;

        while (p < last && *p != '/') {
            p++;
        }

        chat->len = p - chat->data;

        if (chat->len == 0) {
            return 0;
        }
    }

    return p == last;
}


static const char *
ngx_http_cs_chat_allow(ngx_uint_t methods)
{
    switch (methods) {
    case NGX_HTTP_GET:
        return "GET, HEAD, OPTIONS";

    case NGX_HTTP_GET | NGX_HTTP_POST:
        return "GET, HEAD, POST, OPTIONS";

    case NGX_HTTP_GET | NGX_HTTP_DELETE:
        return "GET, HEAD, DELETE, OPTIONS";

    case NGX_HTTP_PUT:
        return "PUT, OPTIONS";

    default:
        return "POST, OPTIONS";
    }
}


static ngx_int_t
ngx_http_cs_chat_api_start(ngx_http_request_t *r)
{
    csc_error_e error;
    csc_str_t query;
    ngx_http_cs_chat_ctx_t *ctx;

    ctx = ngx_http_cs_chat_ctx(r);
    error = CSC_E_NONE;

    if (ctx->route->token != NGX_HTTP_CS_CHAT_NO_TOKEN) {
        error = ngx_http_cs_chat_trust(r);
    }

    if (error == CSC_E_AUTH_REQUIRED
        && ctx->route->token == NGX_HTTP_CS_CHAT_ANY_TOKEN)
    {
        error = CSC_E_NONE;
    }

    if (error != CSC_E_NONE) {
        if (ctx->route->input == NGX_HTTP_CS_CHAT_JSON) {
            (void) ngx_http_discard_request_body(r);
        }

        return ngx_http_cs_chat_refuse(r, error, NULL, NULL);
    }

    if (ctx->route->local != NULL) {
        return ctx->route->local(r);
    }

    if (ctx->route->input == NGX_HTTP_CS_CHAT_JSON) {
        return ngx_http_cs_chat_api_body(r);
    }

    query = ngx_http_cs_chat_view(r->args);

    if (ctx->route->input != NGX_HTTP_CS_CHAT_QUERY) {
        query.len = 0;
    }

    return ngx_http_cs_chat_api_send(r, query);
}


/* Request bodies. */

static ngx_int_t
ngx_http_cs_chat_api_body(ngx_http_request_t *r)
{
    ngx_int_t rc;
    csc_error_e error;
    ngx_http_cs_chat_loc_conf_t *conf;

    conf = ngx_http_get_module_loc_conf(r, ngx_http_cs_chat_module);
    error = CSC_E_NONE;

    if (!ngx_http_cs_chat_json_type(r)) {
        error = CSC_E_UNSUPPORTED_MEDIA_TYPE;

    } else if (r->headers_in.content_length_n > (off_t) conf->max_body_size) {
        error = CSC_E_PAYLOAD_TOO_LARGE;
    }

    if (error != CSC_E_NONE) {
        (void) ngx_http_discard_request_body(r);
        return ngx_http_cs_chat_refuse(r, error, NULL, NULL);
    }

    if (r->headers_in.content_length_n < 0
        && ngx_http_cs_chat_limit_body(r, conf->max_body_size) != NGX_OK)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    rc = ngx_http_read_client_request_body(r, ngx_http_cs_chat_api_read);

    if (rc >= NGX_HTTP_SPECIAL_RESPONSE) {
        return rc;
    }

    return NGX_DONE;
}


/*
 * nginx checks client_max_body_size before it looks for a handler, so that an
 * oversized body would be refused before a missing token is; its limit is off
 * in our locations and the module's own applies.  Only a body of unknown
 * length has to be limited while it is read: for this request alone, and not
 * for longer, as nginx looks at its configuration even after it is freed.
 */

static ngx_int_t
ngx_http_cs_chat_limit_body(ngx_http_request_t *r, size_t limit)
{
    void **loc_conf;
    ngx_http_core_loc_conf_t *clcf;

    loc_conf = ngx_palloc(r->pool, ngx_http_max_module * sizeof(void *));
    clcf = ngx_palloc(r->pool, sizeof(ngx_http_core_loc_conf_t));

    if (loc_conf == NULL || clcf == NULL) {
        return NGX_ERROR;
    }

    ngx_memcpy(loc_conf, r->loc_conf, ngx_http_max_module * sizeof(void *));
    *clcf = *(ngx_http_core_loc_conf_t *) ngx_http_get_module_loc_conf(
        r, ngx_http_core_module);

    clcf->client_max_body_size = (off_t) limit;
    loc_conf[ngx_http_core_module.ctx_index] = clcf;

    ngx_http_cs_chat_ctx(r)->loc_conf = r->loc_conf;
    r->loc_conf = loc_conf;

    return NGX_OK;
}


/* JSON, text/plain, or nothing said. */

static ngx_uint_t
ngx_http_cs_chat_json_type(ngx_http_request_t *r)
{
    size_t len;
    ngx_str_t type;

    if (r->headers_in.content_type == NULL) {
        return 1;
    }

    type = r->headers_in.content_type->value;

    for (len = 0; len < type.len; len++) {
        if (type.data[len] == ';' || type.data[len] == ' ') {
            break;
        }
    }

    if (len == 0) {
        return 1;
    }

    if (len == sizeof("text/plain") - 1) {
        return ngx_strncasecmp(type.data, (u_char *) "text/plain", len) == 0;
    }

    if (len == sizeof("application/json") - 1) {
        return ngx_strncasecmp(type.data, (u_char *) "application/json", len)
               == 0;
    }

    return len > 5
           && ngx_strncasecmp(type.data + len - 5, (u_char *) "+json", 5) == 0;
}


static void
ngx_http_cs_chat_api_read(ngx_http_request_t *r)
{
    u_char *scratch, *copy;
    ngx_int_t rc;
    csc_str_t body;
    const char *why;
    ngx_http_cs_chat_ctx_t *ctx;

    ctx = ngx_http_cs_chat_ctx(r);

    if (ctx->loc_conf != NULL) {
        r->loc_conf = ctx->loc_conf;
    }

    if (ngx_http_cs_chat_gather(r, &body, &copy) != NGX_OK) {
        ngx_http_finalize_request(r, NGX_HTTP_INTERNAL_SERVER_ERROR);
        return;
    }

    scratch = ngx_pnalloc(r->pool, body.len + 1);

    if (scratch == NULL) {
        rc = NGX_HTTP_INTERNAL_SERVER_ERROR;

    } else if (csc_json_read(body, NULL, 0, scratch, &why) != CSC_OK) {
        rc = ngx_http_cs_chat_refuse(r, CSC_E_INVALID_INPUT, why, NULL);

    } else {
        rc = ngx_http_cs_chat_api_send(r, body);
    }

    /* many may wait for their answer, and none needs its body any more */

    if (scratch != NULL) {
        (void) ngx_pfree(r->pool, scratch);
    }

    if (copy != NULL) {
        (void) ngx_pfree(r->pool, copy);
    }

    ngx_http_finalize_request(r, rc);
}


/* The body in one piece: where it lies when it is one, else a copy. */

static ngx_int_t
ngx_http_cs_chat_gather(ngx_http_request_t *r, csc_str_t *body, u_char **copy)
{
    off_t len;
    u_char *data;
    ngx_chain_t *cl;

    *copy = NULL;
    body->len = 0;
    body->data = (u_char *) "";

    if (r->request_body == NULL || r->request_body->bufs == NULL) {
        return NGX_OK;
    }

    cl = r->request_body->bufs;

    if (cl->next == NULL && !cl->buf->in_file) {
        body->data = cl->buf->pos;
        body->len = cl->buf->last - cl->buf->pos;
        return NGX_OK;
    }

    len = 0;

    for (/* void */; cl; cl = cl->next) {
        len += ngx_buf_size(cl->buf);
    }

    data = ngx_pnalloc(r->pool, (size_t) len + 1);
    if (data == NULL) {
        return NGX_ERROR;
    }

    *copy = data;
    body->data = data;

    for (cl = r->request_body->bufs; cl; cl = cl->next) {
        len = ngx_buf_size(cl->buf);

        /* the last one may be empty, and then lies nowhere */

        if (len == 0) {
            continue;
        }

        if (ngx_http_cs_chat_copy_buf(cl->buf, data + body->len) != NGX_OK) {
            return NGX_ERROR;
        }

        body->len += (size_t) len;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_cs_chat_copy_buf(ngx_buf_t *b, u_char *dst)
{
    ssize_t n;
    size_t size;

    if (!b->in_file) {
        ngx_memcpy(dst, b->pos, b->last - b->pos);
        return NGX_OK;
    }

    size = (size_t) (b->file_last - b->file_pos);
    n = ngx_read_file(b->file, dst, size, b->file_pos);

    return (n == (ssize_t) size) ? NGX_OK : NGX_ERROR;
}


/* The request to the chat workers, and its reply. */

static ngx_int_t
ngx_http_cs_chat_api_send(ngx_http_request_t *r, csc_str_t body)
{
    csc_str_t shard_by;
    csc_bus_message_t message;
    ngx_http_cs_chat_ctx_t *ctx;
    ngx_http_cs_chat_loc_conf_t *conf;
    u_char msg[CSC_UUID_LEN];

    ctx = ngx_http_cs_chat_ctx(r);
    conf = ngx_http_get_module_loc_conf(r, ngx_http_cs_chat_module);

    if (ctx->chat[0] == '?') {
        return ngx_http_cs_chat_refuse(
            r, CSC_E_INVALID_INPUT, "The id in the path must be a UUID.", NULL);
    }

    ngx_memzero(&message, sizeof(message));
    message.op = csc_str(csc_op_name(ctx->route->op));
    message.body = body;

    if (ctx->auth == CSC_E_NONE && ctx->authenticated) {
        message.user = ngx_http_cs_chat_view(ctx->claims.user);
        message.role = ngx_http_cs_chat_view(ctx->claims.role);
    }

    shard_by = message.user;

    if (ctx->chat[0] != '\0') {
        message.chat.data = ctx->chat;
        message.chat.len = CSC_UUID_LEN;
        shard_by = message.chat;
    }

    if (ctx->route->op == CSC_OP_AUTH_REGISTER) {
        message.min_password = conf->min_password_length;
    }

    /* an id of its own, which tells when it was made */

    if (ctx->route->op == CSC_OP_MESSAGES_SEND
        || ctx->route->op == CSC_OP_CHATS_ASSIGN)
    {
        if (ngx_http_cs_chat_bus_message_id(msg) != NGX_OK) {
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }

        message.msg.data = msg;
        message.msg.len = CSC_UUID_LEN;
    }

    if (ctx->route->op == CSC_OP_MESSAGES_SEND
        && ngx_http_cs_chat_api_key(r, &message.key) != NGX_OK)
    {
        return ngx_http_cs_chat_refuse(r, CSC_E_INVALID_INPUT,
            "The Idempotency-Key must have 1 to 64 characters.", "clientId");
    }

    return ngx_http_cs_chat_ask(
        r, &message, shard_by, ngx_http_cs_chat_api_reply);
}


static ngx_int_t
ngx_http_cs_chat_api_key(ngx_http_request_t *r, csc_str_t *key)
{
    u_char *encoded;
    ngx_str_t header;

    header = ngx_http_cs_chat_header_in(r, "Idempotency-Key");

    if (header.data == NULL) {
        return NGX_OK;
    }

    if (header.len == 0 || header.len > MAX_KEY) {
        return NGX_ERROR;
    }

    encoded = ngx_pnalloc(r->pool, header.len * 3);
    if (encoded == NULL) {
        return NGX_ERROR;
    }

    key->data = encoded;
    key->len = csc_pct_encode(ngx_http_cs_chat_view(header), encoded);

    return NGX_OK;
}


static void
ngx_http_cs_chat_api_reply(
    void *data, csc_bus_message_t *reply, csc_error_e error)
{
    ngx_int_t rc;
    ngx_http_request_t *r;
    ngx_http_cs_chat_ctx_t *ctx;

    r = data;
    ctx = ngx_http_cs_chat_ctx(r);
    ctx->call = NULL;

    if (reply == NULL) {
        rc = ngx_http_cs_chat_refuse(r, error, NULL, NULL);
        ngx_http_cs_chat_finish(r, rc);
        return;
    }

    ctx->worker_us = reply->us;
    ctx->worker_answered = 1;

    if (reply->status < 200 || reply->status > 599) {
        rc = ngx_http_cs_chat_refuse(r, CSC_E_INTERNAL_ERROR, NULL, NULL);

    } else if (reply->user.len && reply->status < 300) {
        rc = ngx_http_cs_chat_send_token(r, reply);

    } else {
        rc = ngx_http_cs_chat_respond_copy(r, reply->status, reply->body);
    }

    ngx_http_cs_chat_finish(r, rc);
}
