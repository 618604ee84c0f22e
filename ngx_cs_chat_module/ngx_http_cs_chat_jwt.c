#include "ngx_http_cs_chat_jwt.h"
#include "ngx_http_cs_chat_metrics.h"

#include <jwt.h>
#include <openssl/evp.h>
#include <openssl/rand.h>

#include "csc_utf8.h"
#include "csc_uuid.h"


#define NGX_HTTP_CS_CHAT_MAX_NAME 256 /* bytes of a user name in a token */
#define LAST_SECOND 253402300799L     /* of the year 9999 */


static ngx_uint_t ngx_http_cs_chat_jwt_shape(ngx_str_t *token);
static ngx_int_t ngx_http_cs_chat_jwt_claims(ngx_http_cs_chat_jwt_conf_t *conf,
    jwt_t *jwt, ngx_pool_t *pool, ngx_http_cs_chat_claims_t *claims);
static ngx_int_t ngx_http_cs_chat_jwt_times(
    jwt_t *jwt, ngx_http_cs_chat_claims_t *claims);
static ngx_int_t ngx_http_cs_chat_jwt_key(
    jwt_t *jwt, ngx_str_t *token, ngx_http_cs_chat_claims_t *claims);
static ngx_int_t ngx_http_cs_chat_jwt_digest(
    ngx_str_t *first, ngx_str_t *second, u_char *digest);
static ngx_int_t ngx_http_cs_chat_jwt_copy(
    ngx_pool_t *pool, const char *text, ngx_str_t *copy);


const ngx_str_t *
ngx_http_cs_chat_role(ngx_str_t *role)
{
    static const ngx_str_t roles[] = { ngx_string("customer"),
        ngx_string("agent"), ngx_string("super-agent"), ngx_null_string };

    const ngx_str_t *known;

    for (known = roles; known->len; known++) {
        if (role->len == known->len
            && ngx_memcmp(role->data, known->data, known->len) == 0)
        {
            return known;
        }
    }

    return NULL;
}


ngx_int_t
ngx_http_cs_chat_jwt_identify(ngx_http_cs_chat_jwt_conf_t *conf)
{
    ngx_str_t algorithm;

    algorithm.data = (u_char *) &conf->algorithm;
    algorithm.len = sizeof(conf->algorithm);

    return ngx_http_cs_chat_jwt_digest(&algorithm, &conf->key, conf->identity);
}


ngx_int_t
ngx_http_cs_chat_jwt_verify(ngx_http_cs_chat_jwt_conf_t *conf, ngx_str_t *token,
    ngx_pool_t *pool, ngx_http_cs_chat_claims_t *claims)
{
    char text[NGX_HTTP_CS_CHAT_MAX_TOKEN + 1];
    jwt_t *jwt;
    ngx_int_t rc;

    ngx_http_cs_chat_metrics->tokens++;

    /* libjwt 1.x writes past an allocation for tokens of other shapes */

    if (!ngx_http_cs_chat_jwt_shape(token)) {
        return NGX_DECLINED;
    }

    ngx_memcpy(text, token->data, token->len);
    text[token->len] = '\0';

    if (jwt_decode(&jwt, text, conf->key.data, (int) conf->key.len) != 0) {
        return NGX_DECLINED;
    }

    if ((ngx_uint_t) jwt_get_alg(jwt) != conf->algorithm) {
        rc = NGX_DECLINED;

    } else {
        rc = ngx_http_cs_chat_jwt_claims(conf, jwt, pool, claims);
    }

    if (rc == NGX_OK) {
        rc = ngx_http_cs_chat_jwt_key(jwt, token, claims);
    }

    jwt_free(jwt);

    return rc;
}


/* Three segments of base64url, none of them empty. */

static ngx_uint_t
ngx_http_cs_chat_jwt_shape(ngx_str_t *token)
{
    u_char ch;
    size_t i, segment;
    ngx_uint_t dots;

    if (token->len > NGX_HTTP_CS_CHAT_MAX_TOKEN) {
        return 0;
    }

    dots = 0;
    segment = 0;

    for (i = 0; i < token->len; i++) {
        ch = token->data[i];

        if (ch == '.') {
            if (segment == 0) {
                return 0;
            }

            dots++;
            segment = 0;
            continue;
        }

        if (!((ch >= 'A' && ch <= 'Z') || (ch >= 'a' && ch <= 'z')
                || (ch >= '0' && ch <= '9') || ch == '-' || ch == '_'))
        {
            return 0;
        }

        segment++;
    }

    return dots == 2 && segment != 0;
}


static ngx_int_t
ngx_http_cs_chat_jwt_claims(ngx_http_cs_chat_jwt_conf_t *conf, jwt_t *jwt,
    ngx_pool_t *pool, ngx_http_cs_chat_claims_t *claims)
{
    const char *user, *username, *role;
    csc_str_t view;
    ngx_str_t text;

    if (ngx_http_cs_chat_jwt_times(jwt, claims) != NGX_OK
        || ngx_http_cs_chat_jwt_timely(conf, claims) != NGX_OK)
    {
        return NGX_DECLINED;
    }

    user = jwt_get_grant(jwt, "userID");
    username = jwt_get_grant(jwt, "username");
    role = jwt_get_grant(jwt, "role");

    if (user == NULL || role == NULL) {
        return NGX_DECLINED;
    }

    text.data = (u_char *) role;
    text.len = ngx_strlen(role);

    if (ngx_http_cs_chat_role(&text) == NULL) {
        return NGX_DECLINED;
    }

    if (ngx_http_cs_chat_jwt_copy(pool, role, &claims->role) != NGX_OK) {
        return NGX_ERROR;
    }

    claims->user.len = CSC_UUID_LEN;
    claims->user.data = ngx_pnalloc(pool, CSC_UUID_LEN);
    if (claims->user.data == NULL) {
        return NGX_ERROR;
    }

    if (csc_uuid_parse(csc_str(user), claims->user.data) != CSC_OK) {
        return NGX_DECLINED;
    }

    view = csc_str(username);

    if (view.len > NGX_HTTP_CS_CHAT_MAX_NAME || !csc_utf8_valid(view)) {
        return NGX_DECLINED;
    }

    return ngx_http_cs_chat_jwt_copy(pool, username, &claims->username);
}


/* "exp" is required; "nbf" and "iat" count where they stand (RFC 7519, 4.1). */

static ngx_int_t
ngx_http_cs_chat_jwt_times(jwt_t *jwt, ngx_http_cs_chat_claims_t *claims)
{
    long exp, nbf;

    errno = 0;
    exp = jwt_get_grant_int(jwt, "exp");

    if (errno != 0 || exp <= 0) {
        return NGX_DECLINED;
    }

    errno = 0;
    nbf = jwt_get_grant_int(jwt, "nbf");

    claims->expires = ngx_min(exp, LAST_SECOND);
    claims->not_before = (errno == 0 && nbf > 0) ? nbf : 0;

    return NGX_OK;
}


ngx_int_t
ngx_http_cs_chat_jwt_timely(
    ngx_http_cs_chat_jwt_conf_t *conf, ngx_http_cs_chat_claims_t *claims)
{
    time_t now;

    now = ngx_time();

    if (claims->expires + conf->leeway <= now
        || claims->not_before > now + conf->leeway)
    {
        return NGX_DECLINED;
    }

    return NGX_OK;
}


/*
 * A token with "jti" is known by it and its user, another by its signed part;
 * the signature itself can be written in several ways and names nothing.
 */

static ngx_int_t
ngx_http_cs_chat_jwt_key(
    jwt_t *jwt, ngx_str_t *token, ngx_http_cs_chat_claims_t *claims)
{
    u_char *end;
    ngx_str_t first, second;
    const char *jti;
    u_char digest[NGX_HTTP_CS_CHAT_DIGEST_LEN];

    jti = jwt_get_grant(jwt, "jti");

    if (jti != NULL && *jti != '\0') {
        first = claims->user;
        second.data = (u_char *) jti;
        second.len = ngx_strlen(jti);

    } else {
        for (end = token->data + token->len; *(end - 1) != '.'; end--) {
            /* void */
        }

        first.data = token->data;
        first.len = end - token->data;
        ngx_str_null(&second);
    }

    if (ngx_http_cs_chat_jwt_digest(&first, &second, digest) != NGX_OK) {
        return NGX_ERROR;
    }

    (void) ngx_hex_dump(
        claims->key, digest, NGX_HTTP_CS_CHAT_TOKEN_KEY_LEN / 2);

    return NGX_OK;
}


/* The SHA-256 of one text behind another. */

static ngx_int_t
ngx_http_cs_chat_jwt_digest(ngx_str_t *first, ngx_str_t *second, u_char *digest)
{
    ngx_int_t rc;
    EVP_MD_CTX *ctx;

    ctx = EVP_MD_CTX_new();
    if (ctx == NULL) {
        return NGX_ERROR;
    }

    rc = NGX_ERROR;

    if (EVP_DigestInit_ex(ctx, EVP_sha256(), NULL) == 1
        && EVP_DigestUpdate(ctx, first->data, first->len) == 1
        && EVP_DigestUpdate(ctx, second->data, second->len) == 1
        && EVP_DigestFinal_ex(ctx, digest, NULL) == 1)
    {
        rc = NGX_OK;
    }

    EVP_MD_CTX_free(ctx);

    return rc;
}


ngx_int_t
ngx_http_cs_chat_jwt_sign(ngx_http_cs_chat_jwt_conf_t *conf,
    ngx_http_cs_chat_claims_t *claims, ngx_pool_t *pool, ngx_str_t *token)
{
    char *text, user[CSC_UUID_LEN + 1], *name, *role, jti[33];
    jwt_t *jwt;
    u_char random[16];
    ngx_int_t rc;

    if (claims->user.len != CSC_UUID_LEN || RAND_bytes(random, 16) != 1) {
        return NGX_ERROR;
    }

    ngx_cpystrn((u_char *) user, claims->user.data, CSC_UUID_LEN + 1);
    *ngx_hex_dump((u_char *) jti, random, 16) = '\0';

    name = ngx_pnalloc(pool, claims->username.len + claims->role.len + 2);
    if (name == NULL) {
        return NGX_ERROR;
    }

    role = name + claims->username.len + 1;
    ngx_memcpy(name, claims->username.data, claims->username.len);
    name[claims->username.len] = '\0';
    ngx_memcpy(role, claims->role.data, claims->role.len);
    role[claims->role.len] = '\0';

    if (jwt_new(&jwt) != 0) {
        return NGX_ERROR;
    }

    text = NULL;

    if (jwt_add_grant(jwt, "userID", user) == 0
        && jwt_add_grant(jwt, "username", name) == 0
        && jwt_add_grant(jwt, "role", role) == 0
        && jwt_add_grant(jwt, "jti", jti) == 0
        && jwt_add_grant_int(jwt, "iat", (long) ngx_time()) == 0
        && jwt_add_grant_int(jwt, "exp", (long) (ngx_time() + conf->lifetime))
               == 0
        && jwt_set_alg(jwt, (jwt_alg_t) conf->algorithm, conf->key.data,
               (int) conf->key.len)
               == 0)
    {
        text = jwt_encode_str(jwt);
    }

    jwt_free(jwt);

    if (text == NULL) {
        return NGX_ERROR;
    }

    rc = ngx_http_cs_chat_jwt_copy(pool, text, token);

    free(text);

    return rc;
}


static ngx_int_t
ngx_http_cs_chat_jwt_copy(ngx_pool_t *pool, const char *text, ngx_str_t *copy)
{
    copy->len = text ? ngx_strlen(text) : 0;
    copy->data = ngx_pnalloc(pool, copy->len + 1);

    if (copy->data == NULL) {
        return NGX_ERROR;
    }

    ngx_memcpy(copy->data, text ? text : "", copy->len);

    return NGX_OK;
}
