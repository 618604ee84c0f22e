#include "ngx_http_cs_chat_topic.h"


static size_t ngx_http_cs_chat_topic_name(
    u_char *buf, const char *kind, csc_str_t name);
static ngx_http_cs_chat_topic_t *ngx_http_cs_chat_topic_get(
    u_char *name, size_t len);


static ngx_rbtree_t topics;
static ngx_rbtree_node_t sentinel;


void
ngx_http_cs_chat_topics_init(void)
{
    ngx_rbtree_init(&topics, &sentinel, ngx_str_rbtree_insert_value);
}


static size_t
ngx_http_cs_chat_topic_name(u_char *buf, const char *kind, csc_str_t name)
{
    size_t len;

    len = ngx_strlen(kind);

    if (len + 1 + name.len > NGX_HTTP_CS_CHAT_MAX_TOPIC) {
        return 0;
    }

    ngx_memcpy(buf, kind, len);
    buf[len] = ':';
    ngx_memcpy(buf + len + 1, name.data, name.len);

    return len + 1 + name.len;
}


ngx_http_cs_chat_topic_t *
ngx_http_cs_chat_topic_find(u_char *name, size_t len)
{
    ngx_str_t str;
    ngx_str_node_t *sn;

    str.len = len;
    str.data = name;

    sn = ngx_str_rbtree_lookup(&topics, &str, ngx_murmur_hash2(name, len));

    return (ngx_http_cs_chat_topic_t *) sn;
}


ngx_http_cs_chat_topic_t *
ngx_http_cs_chat_topic_named(const char *kind, csc_str_t name)
{
    size_t len;
    u_char buf[NGX_HTTP_CS_CHAT_MAX_TOPIC];

    len = ngx_http_cs_chat_topic_name(buf, kind, name);

    return len ? ngx_http_cs_chat_topic_find(buf, len) : NULL;
}


static ngx_http_cs_chat_topic_t *
ngx_http_cs_chat_topic_get(u_char *name, size_t len)
{
    ngx_http_cs_chat_topic_t *topic;

    topic = ngx_http_cs_chat_topic_find(name, len);
    if (topic != NULL) {
        return topic;
    }

    topic = ngx_alloc(
        offsetof(ngx_http_cs_chat_topic_t, name) + len, ngx_cycle->log);
    if (topic == NULL) {
        return NULL;
    }

    ngx_memcpy(topic->name, name, len);
    topic->sn.str.len = len;
    topic->sn.str.data = topic->name;
    topic->sn.node.key = ngx_murmur_hash2(name, len);
    topic->count = 0;
    topic->answered = 0;
    ngx_queue_init(&topic->follows);

    ngx_rbtree_insert(&topics, &topic->sn.node);

    return topic;
}


ngx_int_t
ngx_http_cs_chat_topic_follow(ngx_http_cs_chat_follow_t *follow,
    struct ngx_http_cs_chat_session_s *session, const char *kind,
    csc_str_t name)
{
    size_t len;
    u_char buf[NGX_HTTP_CS_CHAT_MAX_TOPIC];

    len = ngx_http_cs_chat_topic_name(buf, kind, name);
    if (len == 0) {
        return NGX_ERROR;
    }

    follow->topic = ngx_http_cs_chat_topic_get(buf, len);
    if (follow->topic == NULL) {
        return NGX_ERROR;
    }

    follow->session = session;
    ngx_queue_insert_tail(&follow->topic->follows, &follow->in_topic);
    follow->topic->count++;

    return NGX_OK;
}


void
ngx_http_cs_chat_topic_unfollow(ngx_http_cs_chat_follow_t *follow)
{
    ngx_http_cs_chat_topic_t *topic;

    topic = follow->topic;

    if (topic == NULL) {
        return;
    }

    follow->topic = NULL;
    ngx_queue_remove(&follow->in_topic);
    ngx_http_cs_chat_topic_drop(topic);
}


void
ngx_http_cs_chat_topic_drop(ngx_http_cs_chat_topic_t *topic)
{
    if (--topic->count == 0) {
        ngx_rbtree_delete(&topics, &topic->sn.node);
        ngx_free(topic);
    }
}


ngx_uint_t
ngx_http_cs_chat_topic_count(const char *kind, csc_str_t name)
{
    ngx_http_cs_chat_topic_t *topic;

    topic = ngx_http_cs_chat_topic_named(kind, name);

    return topic ? topic->count : 0;
}


void
ngx_http_cs_chat_topic_each(const char *kind, ngx_http_cs_chat_topic_pt visit)
{
    size_t len;
    csc_str_t name;
    ngx_rbtree_node_t *node;
    ngx_http_cs_chat_topic_t *topic;

    if (topics.root == &sentinel) {
        return;
    }

    len = ngx_strlen(kind);
    node = ngx_rbtree_min(topics.root, &sentinel);

    for (; node != NULL; node = ngx_rbtree_next(&topics, node)) {
        topic = (ngx_http_cs_chat_topic_t *) node;

        if (topic->sn.str.len > len + 1
            && ngx_strncmp(topic->name, kind, len) == 0
            && topic->name[len] == ':')
        {
            name.data = topic->name + len + 1;
            name.len = topic->sn.str.len - len - 1;
            visit(name, &topic->follows);
        }
    }
}
