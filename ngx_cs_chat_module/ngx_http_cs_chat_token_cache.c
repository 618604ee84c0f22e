/*
 * Tokens are known by a SHA-256 of themselves and of the key and algorithm
 * that verified them: no token is kept, and none counts at a location that
 * has another key.  Only good tokens are remembered, so that nobody without
 * one can drive others out.  The one that was not used the longest goes first.
 */

#include "ngx_http_cs_chat_token_cache.h"
#include "ngx_http_cs_chat_metrics.h"

#include <openssl/evp.h>


typedef struct {
    ngx_rbtree_node_t node; /* key: the first bytes of the digest */
    ngx_queue_t queue;
    u_char digest[NGX_HTTP_CS_CHAT_DIGEST_LEN];
    ngx_http_cs_chat_claims_t claims; /* views of the texts below */
    u_char texts[];
} ngx_http_cs_chat_known_t;


static ngx_int_t ngx_http_cs_chat_token_digest(
    ngx_http_cs_chat_jwt_conf_t *conf, ngx_str_t *token, u_char *digest);
static ngx_rbtree_key_t ngx_http_cs_chat_token_hash(u_char *digest);
static ngx_http_cs_chat_known_t *ngx_http_cs_chat_token_find(u_char *digest);
static ngx_int_t ngx_http_cs_chat_token_recall(ngx_http_cs_chat_known_t *known,
    ngx_pool_t *pool, ngx_http_cs_chat_claims_t *claims);
static void ngx_http_cs_chat_token_remember(
    u_char *digest, ngx_http_cs_chat_claims_t *claims);
static void ngx_http_cs_chat_token_forget(ngx_http_cs_chat_known_t *known);
static size_t ngx_http_cs_chat_texts_len(ngx_http_cs_chat_claims_t *claims);
static void ngx_http_cs_chat_texts_copy(ngx_http_cs_chat_claims_t *to,
    ngx_http_cs_chat_claims_t *from, u_char *texts);


static ngx_rbtree_t tokens;
static ngx_rbtree_node_t sentinel;
static ngx_queue_t used; /* the one that was used last comes first */
static ngx_uint_t count;
static ngx_uint_t limit;
static EVP_MD_CTX *digester; /* looking an algorithm up takes longer than it */
static ngx_log_t *cache_log;


ngx_int_t
ngx_http_cs_chat_token_cache_init(ngx_uint_t max, ngx_log_t *log)
{
    ngx_rbtree_init(&tokens, &sentinel, ngx_rbtree_insert_value);
    ngx_queue_init(&used);
    count = 0;
    limit = max;
    cache_log = log;

    if (limit == 0) {
        return NGX_OK;
    }

    digester = EVP_MD_CTX_new();

    if (digester == NULL
        || EVP_DigestInit_ex(digester, EVP_sha256(), NULL) != 1) {
        ngx_log_error(NGX_LOG_EMERG, log, 0, "no SHA-256");
        return NGX_ERROR;
    }

    return NGX_OK;
}


void
ngx_http_cs_chat_token_cache_exit(void)
{
    ngx_queue_t *q, *next;

    if (limit == 0) {
        return;
    }

    for (q = ngx_queue_head(&used); q != ngx_queue_sentinel(&used); q = next) {
        next = ngx_queue_next(q);
        ngx_http_cs_chat_token_forget(
            ngx_queue_data(q, ngx_http_cs_chat_known_t, queue));
    }

    EVP_MD_CTX_free(digester);
    digester = NULL;
    limit = 0;
}


ngx_int_t
ngx_http_cs_chat_token_verify(ngx_http_cs_chat_jwt_conf_t *conf,
    ngx_str_t *token, ngx_pool_t *pool, ngx_http_cs_chat_claims_t *claims)
{
    ngx_int_t rc;
    u_char digest[NGX_HTTP_CS_CHAT_DIGEST_LEN];
    ngx_http_cs_chat_known_t *known;

    /* an overlong one is refused without a look at all of it */

    if (limit == 0 || token->len > NGX_HTTP_CS_CHAT_MAX_TOKEN) {
        return ngx_http_cs_chat_jwt_verify(conf, token, pool, claims);
    }

    if (ngx_http_cs_chat_token_digest(conf, token, digest) != NGX_OK) {
        return NGX_ERROR;
    }

    known = ngx_http_cs_chat_token_find(digest);

    if (known != NULL) {
        if (ngx_http_cs_chat_jwt_timely(conf, &known->claims) != NGX_OK) {
            ngx_http_cs_chat_token_forget(known);
            return NGX_DECLINED;
        }

        ngx_http_cs_chat_metrics->tokens_known++;
        return ngx_http_cs_chat_token_recall(known, pool, claims);
    }

    rc = ngx_http_cs_chat_jwt_verify(conf, token, pool, claims);

    if (rc == NGX_OK) {
        ngx_http_cs_chat_token_remember(digest, claims);
    }

    return rc;
}


static ngx_int_t
ngx_http_cs_chat_token_digest(
    ngx_http_cs_chat_jwt_conf_t *conf, ngx_str_t *token, u_char *digest)
{
    /* without an algorithm it begins again with the one it has */

    if (EVP_DigestInit_ex(digester, NULL, NULL) != 1
        || EVP_DigestUpdate(
               digester, conf->identity, NGX_HTTP_CS_CHAT_DIGEST_LEN)
               != 1
        || EVP_DigestUpdate(digester, token->data, token->len) != 1
        || EVP_DigestFinal_ex(digester, digest, NULL) != 1)
    {
        return NGX_ERROR;
    }

    return NGX_OK;
}


static ngx_rbtree_key_t
ngx_http_cs_chat_token_hash(u_char *digest)
{
    ngx_rbtree_key_t hash;

    ngx_memcpy(&hash, digest, sizeof(hash));

    return hash;
}


/* Two of the same hash are as good as impossible: the one that is found. */

static ngx_http_cs_chat_known_t *
ngx_http_cs_chat_token_find(u_char *digest)
{
    ngx_rbtree_key_t hash;
    ngx_rbtree_node_t *node;
    ngx_http_cs_chat_known_t *known;

    hash = ngx_http_cs_chat_token_hash(digest);
    node = tokens.root;

    while (node != &sentinel) {
        if (hash != node->key) {
            node = (hash < node->key) ? node->left : node->right;
            continue;
        }

        known = ngx_rbtree_data(node, ngx_http_cs_chat_known_t, node);

        if (ngx_memcmp(known->digest, digest, NGX_HTTP_CS_CHAT_DIGEST_LEN) == 0)
        {
            return known;
        }

        node = node->right;
    }

    return NULL;
}


static ngx_int_t
ngx_http_cs_chat_token_recall(ngx_http_cs_chat_known_t *known, ngx_pool_t *pool,
    ngx_http_cs_chat_claims_t *claims)
{
    u_char *texts;

    texts = ngx_pnalloc(pool, ngx_http_cs_chat_texts_len(&known->claims));
    if (texts == NULL) {
        return NGX_ERROR;
    }

    ngx_http_cs_chat_texts_copy(claims, &known->claims, texts);

    ngx_queue_remove(&known->queue);
    ngx_queue_insert_head(&used, &known->queue);

    return NGX_OK;
}


/* Without memory it is verified again the next time. */

static void
ngx_http_cs_chat_token_remember(
    u_char *digest, ngx_http_cs_chat_claims_t *claims)
{
    ngx_http_cs_chat_known_t *known;

    if (count == limit) {
        ngx_http_cs_chat_token_forget(ngx_queue_data(
            ngx_queue_last(&used), ngx_http_cs_chat_known_t, queue));
    }

    known = ngx_alloc(
        sizeof(ngx_http_cs_chat_known_t) + ngx_http_cs_chat_texts_len(claims),
        cache_log);

    if (known == NULL) {
        return;
    }

    ngx_memcpy(known->digest, digest, NGX_HTTP_CS_CHAT_DIGEST_LEN);
    ngx_http_cs_chat_texts_copy(&known->claims, claims, known->texts);
    known->node.key = ngx_http_cs_chat_token_hash(digest);

    ngx_rbtree_insert(&tokens, &known->node);
    ngx_queue_insert_head(&used, &known->queue);
    count++;
}


static void
ngx_http_cs_chat_token_forget(ngx_http_cs_chat_known_t *known)
{
    ngx_rbtree_delete(&tokens, &known->node);
    ngx_queue_remove(&known->queue);
    ngx_free(known);
    count--;
}


static size_t
ngx_http_cs_chat_texts_len(ngx_http_cs_chat_claims_t *claims)
{
    return claims->user.len + claims->username.len + claims->role.len;
}


/* The claims, with their texts in memory of one's own. */

static void
ngx_http_cs_chat_texts_copy(ngx_http_cs_chat_claims_t *to,
    ngx_http_cs_chat_claims_t *from, u_char *texts)
{
    *to = *from;

    to->user.data = texts;
    texts = ngx_cpymem(texts, from->user.data, from->user.len);

    to->username.data = texts;
    texts = ngx_cpymem(texts, from->username.data, from->username.len);

    to->role.data = texts;
    ngx_memcpy(texts, from->role.data, from->role.len);
}
