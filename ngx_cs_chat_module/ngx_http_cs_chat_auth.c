/*
 * What NGINX answers about tokens itself: it alone knows the key.
 */

#include "ngx_http_cs_chat_handler.h"
#include "ngx_http_cs_chat_hub.h"
#include "ngx_http_cs_chat_zone.h"

#include <openssl/evp.h>
#include <openssl/rand.h>

#include "csc_query.h"
#include "csc_uuid.h"


#define TICKET_BYTES 32
#define TICKET_LEN 43      /* of TICKET_BYTES in base64url */
#define TICKET_LIFETIME 30 /* seconds */
#define DIGEST_LEN 64      /* SHA-256 in hexadecimal */
#define KEY_SIZE 256       /* of a key in Redis */


static void ngx_http_cs_chat_logged_out(
    void *data, redisReply *reply, csc_error_e error);
static ngx_int_t ngx_http_cs_chat_ticket_hash(ngx_str_t *ticket, u_char *hash);
static ngx_int_t ngx_http_cs_chat_ticket_value(
    ngx_http_request_t *r, ngx_str_t *value);
static void ngx_http_cs_chat_ticket_issued(
    void *data, redisReply *reply, csc_error_e error);
static void ngx_http_cs_chat_ticket_redeemed(
    void *data, redisReply *reply, csc_error_e error);
static ngx_int_t ngx_http_cs_chat_ticket_claims(
    ngx_http_request_t *r, redisReply *reply);
static ngx_int_t ngx_http_cs_chat_word(ngx_str_t *rest, ngx_str_t *word);


ngx_int_t
ngx_http_cs_chat_send_token(ngx_http_request_t *r, csc_bus_message_t *reply)
{
    size_t len;
    csc_str_t text;
    ngx_str_t token;
    csc_json_writer_t *w;
    ngx_http_cs_chat_claims_t claims;
    ngx_http_cs_chat_loc_conf_t *conf;

    ngx_memzero(&claims, sizeof(claims));
    claims.user.data = (u_char *) reply->user.data;
    claims.user.len = reply->user.len;
    claims.role.data = (u_char *) reply->role.data;
    claims.role.len = reply->role.len;

    claims.username.data = ngx_pnalloc(r->pool, reply->name.len + 1);

    if (claims.username.data == NULL
        || ngx_http_cs_chat_role(&claims.role) == NULL
        || csc_pct_decode(reply->name, 0, claims.username.data, &len) != CSC_OK)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    claims.username.len = len;
    conf = ngx_http_get_module_loc_conf(r, ngx_http_cs_chat_module);

    if (ngx_http_cs_chat_jwt_sign(&conf->jwt, &claims, r->pool, &token)
        != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    w = csc_json_writer();

    if (w == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    /* flat for one kind of client, nested for the other */

    text = ngx_http_cs_chat_view(token);

    csc_json_object(w);
    csc_json_key(w, "success");
    csc_json_bool(w, 1);
    csc_json_key(w, "token");
    csc_json_string(w, text);
    csc_json_key(w, "user");
    csc_json_raw(w, reply->body);
    csc_json_key(w, "data");
    csc_json_object(w);
    csc_json_key(w, "token");
    csc_json_string(w, text);
    csc_json_key(w, "user");
    csc_json_raw(w, reply->body);
    csc_json_end_object(w);
    csc_json_end_object(w);

    return ngx_http_cs_chat_respond_written(r, reply->status, w);
}


/* Logout: remembered here first, then by Redis, then by all others. */

ngx_int_t
ngx_http_cs_chat_logout(ngx_http_request_t *r)
{
    time_t expires;
    ngx_http_cs_chat_ctx_t *ctx;
    ngx_http_cs_chat_loc_conf_t *conf;

    ctx = ngx_http_cs_chat_ctx(r);
    conf = ngx_http_get_module_loc_conf(r, ngx_http_cs_chat_module);
    expires = ctx->claims.expires + conf->jwt.leeway;

    if (ngx_http_cs_chat_zone_revoke(
            ngx_http_cs_chat_bus_zone(), ctx->claims.key, expires)
        != NGX_OK)
    {
        ngx_log_error(NGX_LOG_ERR, r->connection->log, 0,
            "\"cs_chat_zone\" is full: nobody can log out");
        return ngx_http_cs_chat_refuse(
            r, CSC_E_BACKEND_UNAVAILABLE, NULL, NULL);
    }

    ctx->call = ngx_http_cs_chat_bus_revoke(ctx->claims.key, expires,
        conf->request_timeout, ngx_http_cs_chat_logged_out, r);

    if (ctx->call == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ngx_http_cs_chat_suspend(r);

    return NGX_DONE;
}


static void
ngx_http_cs_chat_logged_out(void *data, redisReply *reply, csc_error_e error)
{
    ngx_int_t rc;
    ngx_http_request_t *r;
    ngx_http_cs_chat_ctx_t *ctx;
    csc_str_t body = CSC_STR("{\"success\":true,\"message\":\"Logged out\"}");

    r = data;
    ctx = ngx_http_cs_chat_ctx(r);
    ctx->call = NULL;

    if (error != CSC_E_NONE) {
        ngx_http_cs_chat_bus_revoke_again();
        rc = ngx_http_cs_chat_refuse(r, error, NULL, NULL);

    } else {
        rc = ngx_http_cs_chat_respond(r, NGX_HTTP_OK, body);
    }

    ngx_http_cs_chat_finish(r, rc);
}


/*
 * Tickets: good once and for a short time, in place of a token in a URL.
 * Redis knows only their hash.
 */

ngx_int_t
ngx_http_cs_chat_issue_ticket(ngx_http_request_t *r)
{
    char key[KEY_SIZE];
    size_t lens[5];
    u_char random[TICKET_BYTES], digest[DIGEST_LEN];
    ngx_str_t src, hash, value;
    const char *argv[5];
    ngx_http_cs_chat_ctx_t *ctx;
    ngx_http_cs_chat_loc_conf_t *conf;

    ctx = ngx_http_cs_chat_ctx(r);
    conf = ngx_http_get_module_loc_conf(r, ngx_http_cs_chat_module);

    ctx->ticket.data = ngx_pnalloc(r->pool, TICKET_LEN + 4);

    if (ctx->ticket.data == NULL || RAND_bytes(random, TICKET_BYTES) != 1) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    src.data = random;
    src.len = TICKET_BYTES;
    ngx_encode_base64url(&ctx->ticket, &src);

    hash.data = digest;
    hash.len = DIGEST_LEN;

    if (ngx_http_cs_chat_ticket_hash(&ctx->ticket, digest) != NGX_OK
        || ngx_http_cs_chat_ticket_value(r, &value) != NGX_OK)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    argv[0] = "SET";
    lens[0] = sizeof("SET") - 1;
    argv[1] = key;
    lens[1] = ngx_http_cs_chat_bus_ticket_key(&hash, key, KEY_SIZE);
    argv[2] = (const char *) value.data;
    lens[2] = value.len;
    argv[3] = "EX";
    lens[3] = sizeof("EX") - 1;
    argv[4] = ngx_value(TICKET_LIFETIME);
    lens[4] = sizeof(ngx_value(TICKET_LIFETIME)) - 1;

    ctx->call = ngx_http_cs_chat_bus_command(5, argv, lens,
        conf->request_timeout, ngx_http_cs_chat_ticket_issued, r);

    if (ctx->call == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ngx_http_cs_chat_suspend(r);

    return NGX_DONE;
}


static ngx_int_t
ngx_http_cs_chat_ticket_hash(ngx_str_t *ticket, u_char *hash)
{
    unsigned int len;
    u_char digest[EVP_MAX_MD_SIZE];

    if (EVP_Digest(ticket->data, ticket->len, digest, &len, EVP_sha256(), NULL)
        != 1)
    {
        return NGX_ERROR;
    }

    (void) ngx_hex_dump(hash, digest, DIGEST_LEN / 2);

    return NGX_OK;
}


/* "EXPIRES USER ROLE TOKEN-KEY NAME", the name percent-encoded. */

static ngx_int_t
ngx_http_cs_chat_ticket_value(ngx_http_request_t *r, ngx_str_t *value)
{
    u_char *p;
    size_t size;
    ngx_http_cs_chat_claims_t *claims;

    claims = &ngx_http_cs_chat_ctx(r)->claims;
    size = NGX_TIME_T_LEN + claims->user.len + claims->role.len
           + NGX_HTTP_CS_CHAT_TOKEN_KEY_LEN + 3 * claims->username.len + 4;

    value->data = ngx_pnalloc(r->pool, size);
    if (value->data == NULL) {
        return NGX_ERROR;
    }

    p = ngx_sprintf(value->data, "%T %V %V %*s ", claims->expires,
        &claims->user, &claims->role, (size_t) NGX_HTTP_CS_CHAT_TOKEN_KEY_LEN,
        claims->key);
    p += csc_pct_encode(ngx_http_cs_chat_view(claims->username), p);

    value->len = p - value->data;

    return NGX_OK;
}


static void
ngx_http_cs_chat_ticket_issued(void *data, redisReply *reply, csc_error_e error)
{
    ngx_int_t rc;
    csc_json_writer_t *w;
    ngx_http_request_t *r;
    ngx_http_cs_chat_ctx_t *ctx;

    r = data;
    ctx = ngx_http_cs_chat_ctx(r);
    ctx->call = NULL;

    if (error != CSC_E_NONE) {
        rc = ngx_http_cs_chat_refuse(r, error, NULL, NULL);
        ngx_http_cs_chat_finish(r, rc);
        return;
    }

    w = csc_json_writer();

    if (w != NULL) {
        csc_json_object(w);
        csc_json_key(w, "success");
        csc_json_bool(w, 1);
        csc_json_key(w, "data");
        csc_json_object(w);
        csc_json_key(w, "ticket");
        csc_json_string(w, ngx_http_cs_chat_view(ctx->ticket));
        csc_json_key(w, "expiresIn");
        csc_json_int(w, TICKET_LIFETIME);
        csc_json_end_object(w);
        csc_json_end_object(w);
    }

    rc = ngx_http_cs_chat_respond_written(r, NGX_HTTP_OK, w);
    ngx_http_cs_chat_finish(r, rc);
}


ngx_int_t
ngx_http_cs_chat_redeem_ticket(ngx_http_request_t *r, ngx_str_t *ticket,
    ngx_http_cs_chat_ticket_pt handler)
{
    char key[KEY_SIZE];
    size_t lens[2];
    u_char digest[DIGEST_LEN];
    ngx_str_t hash;
    const char *argv[2];
    ngx_http_cs_chat_ctx_t *ctx;
    ngx_http_cs_chat_loc_conf_t *conf;

    ctx = ngx_http_cs_chat_ctx(r);
    conf = ngx_http_get_module_loc_conf(r, ngx_http_cs_chat_module);

    if (ngx_http_cs_chat_ticket_hash(ticket, digest) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    hash.data = digest;
    hash.len = DIGEST_LEN;

    argv[0] = "GETDEL";
    lens[0] = sizeof("GETDEL") - 1;
    argv[1] = key;
    lens[1] = ngx_http_cs_chat_bus_ticket_key(&hash, key, KEY_SIZE);

    ctx->redeemed = handler;
    ctx->call = ngx_http_cs_chat_bus_command(2, argv, lens,
        conf->request_timeout, ngx_http_cs_chat_ticket_redeemed, r);

    if (ctx->call == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ngx_http_cs_chat_suspend(r);

    return NGX_DONE;
}


static void
ngx_http_cs_chat_ticket_redeemed(
    void *data, redisReply *reply, csc_error_e error)
{
    ngx_int_t rc;
    ngx_http_request_t *r;
    ngx_http_cs_chat_ctx_t *ctx;

    r = data;
    ctx = ngx_http_cs_chat_ctx(r);
    ctx->call = NULL;

    if (error == CSC_E_NONE) {
        rc = ngx_http_cs_chat_ticket_claims(r, reply);

        error = (rc == NGX_OK)         ? CSC_E_NONE
                : (rc == NGX_DECLINED) ? CSC_E_INVALID_TOKEN
                                       : CSC_E_INTERNAL_ERROR;
    }

    ctx->authenticated = 1;
    ctx->auth = error;

    if (error == CSC_E_NONE) {
        error = ngx_http_cs_chat_trust(r);
    }

    ctx->redeemed(r, error);
}


static ngx_int_t
ngx_http_cs_chat_ticket_claims(ngx_http_request_t *r, redisReply *reply)
{
    size_t len;
    ngx_str_t rest, expires, user, role, key;
    ngx_http_cs_chat_claims_t *claims;
    ngx_http_cs_chat_loc_conf_t *conf;

    if (reply == NULL || reply->type != REDIS_REPLY_STRING) {
        return NGX_DECLINED;
    }

    claims = &ngx_http_cs_chat_ctx(r)->claims;
    conf = ngx_http_get_module_loc_conf(r, ngx_http_cs_chat_module);

    rest.len = reply->len;
    rest.data = ngx_pnalloc(r->pool, reply->len + 1);
    if (rest.data == NULL) {
        return NGX_ERROR;
    }

    ngx_memcpy(rest.data, reply->str, reply->len);

    if (ngx_http_cs_chat_word(&rest, &expires) != NGX_OK
        || ngx_http_cs_chat_word(&rest, &user) != NGX_OK
        || ngx_http_cs_chat_word(&rest, &role) != NGX_OK
        || ngx_http_cs_chat_word(&rest, &key) != NGX_OK
        || csc_pct_decode(ngx_http_cs_chat_view(rest), 0, rest.data, &len)
               != CSC_OK
        || !csc_uuid_is(ngx_http_cs_chat_view(user))
        || ngx_http_cs_chat_role(&role) == NULL
        || key.len != NGX_HTTP_CS_CHAT_TOKEN_KEY_LEN)
    {
        return NGX_DECLINED;
    }

    claims->expires = ngx_atotm(expires.data, expires.len);

    /* a ticket is good no longer than the token it stands for */

    if (claims->expires == (time_t) NGX_ERROR
        || claims->expires + conf->jwt.leeway <= ngx_time())
    {
        return NGX_DECLINED;
    }

    claims->user = user;
    claims->role = role;
    claims->username.data = rest.data;
    claims->username.len = len;
    ngx_memcpy(claims->key, key.data, key.len);

    return ngx_http_cs_chat_zone_refuses(ngx_http_cs_chat_bus_zone(), claims)
               ? NGX_DECLINED
               : NGX_OK;
}


/* Takes the next word and the space behind it off *rest. */

static ngx_int_t
ngx_http_cs_chat_word(ngx_str_t *rest, ngx_str_t *word)
{
    u_char *space;

    space = ngx_strlchr(rest->data, rest->data + rest->len, ' ');
    if (space == NULL) {
        return NGX_ERROR;
    }

    word->data = rest->data;
    word->len = space - rest->data;

    rest->data = space + 1;
    rest->len -= word->len + 1;

    return NGX_OK;
}
