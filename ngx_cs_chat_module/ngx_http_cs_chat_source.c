#include "ngx_http_cs_chat_source.h"


#define MAX_SOURCES 1024 /* more are only there when names are forged */
#define ALIVE 2500       /* ms since a heartbeat, of which one comes a second */
#define FIRST 1500       /* ms in which the first one comes */


typedef struct {
    ngx_rbtree_node_t node; /* by hash of the worker's name */
    uint64_t n;             /* of its last event */
    ngx_msec_t heard;
} ngx_http_cs_chat_source_t;


static ngx_rbtree_key_t ngx_http_cs_chat_source_hash(csc_str_t src);
static ngx_http_cs_chat_source_t *ngx_http_cs_chat_source_find(
    ngx_rbtree_key_t hash);
static void ngx_http_cs_chat_source_add(
    ngx_rbtree_key_t hash, csc_bus_message_t *message);
static void ngx_http_cs_chat_source_remove(ngx_http_cs_chat_source_t *source);


static ngx_rbtree_t sources;
static ngx_rbtree_node_t sentinel;
static ngx_uint_t count;
static ngx_uint_t unheard; /* none was heard since then */
static ngx_msec_t since;
static ngx_log_t *source_log;


void
ngx_http_cs_chat_sources_init(ngx_log_t *log)
{
    ngx_rbtree_init(&sources, &sentinel, ngx_rbtree_insert_value);
    count = 0;
    source_log = log;
}


void
ngx_http_cs_chat_sources_listen(void)
{
    if (count == 0) {
        unheard = 1;
        since = ngx_current_msec;
    }
}


uint64_t
ngx_http_cs_chat_source_heard(csc_bus_message_t *message)
{
    uint64_t expected;
    ngx_rbtree_key_t hash;
    ngx_http_cs_chat_source_t *source;

    unheard = 0;

    hash = ngx_http_cs_chat_source_hash(message->src);
    source = ngx_http_cs_chat_source_find(hash);

    if (source == NULL) {
        ngx_http_cs_chat_source_add(hash, message);
        return 0;
    }

    expected = source->n + (message->kind == CSC_BUS_EVENT ? 1 : 0);

    source->n = message->n;
    source->heard = ngx_current_msec;

    return (message->n > expected) ? message->n - expected : 0;
}


void
ngx_http_cs_chat_source_left(csc_str_t src)
{
    ngx_http_cs_chat_source_t *source;

    unheard = 0;

    source = ngx_http_cs_chat_source_find(ngx_http_cs_chat_source_hash(src));

    if (source != NULL) {
        ngx_http_cs_chat_source_remove(source);
    }
}


ngx_uint_t
ngx_http_cs_chat_sources_alive(void)
{
    ngx_rbtree_node_t *node;
    ngx_http_cs_chat_source_t *source;

    if (sources.root == &sentinel) {
        return unheard && ngx_current_msec - since <= FIRST;
    }

    node = ngx_rbtree_min(sources.root, &sentinel);

    for (/* void */; node != NULL; node = ngx_rbtree_next(&sources, node)) {
        source = ngx_rbtree_data(node, ngx_http_cs_chat_source_t, node);

        if (ngx_current_msec - source->heard <= ALIVE) {
            return 1;
        }
    }

    return 0;
}


void
ngx_http_cs_chat_sources_forget(void)
{
    while (sources.root != &sentinel) {
        ngx_http_cs_chat_source_remove(
            ngx_rbtree_data(sources.root, ngx_http_cs_chat_source_t, node));
    }
}


static ngx_rbtree_key_t
ngx_http_cs_chat_source_hash(csc_str_t src)
{
    return ngx_murmur_hash2((u_char *) src.data, src.len);
}


static ngx_http_cs_chat_source_t *
ngx_http_cs_chat_source_find(ngx_rbtree_key_t hash)
{
    ngx_rbtree_node_t *node;

    node = sources.root;

    while (node != &sentinel) {
        if (hash == node->key) {
            return ngx_rbtree_data(node, ngx_http_cs_chat_source_t, node);
        }

        node = (hash < node->key) ? node->left : node->right;
    }

    return NULL;
}


static void
ngx_http_cs_chat_source_add(ngx_rbtree_key_t hash, csc_bus_message_t *message)
{
    ngx_http_cs_chat_source_t *source;

    if (count >= MAX_SOURCES) {
        ngx_http_cs_chat_sources_forget();
    }

    source = ngx_alloc(sizeof(ngx_http_cs_chat_source_t), source_log);

    if (source != NULL) {
        source->node.key = hash;
        source->n = message->n;
        source->heard = ngx_current_msec;

        ngx_rbtree_insert(&sources, &source->node);
        count++;
    }
}


static void
ngx_http_cs_chat_source_remove(ngx_http_cs_chat_source_t *source)
{
    ngx_rbtree_delete(&sources, &source->node);
    ngx_free(source);
    count--;
}
