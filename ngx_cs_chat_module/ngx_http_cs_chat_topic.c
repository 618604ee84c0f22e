#include "ngx_http_cs_chat_topic.h"


#define TABLE_SIZE 16384


static size_t ngx_http_cs_chat_topic_name(
    u_char *buf, const char *kind, csc_str_t name);
static uint32_t ngx_http_cs_chat_topic_hash(csc_str_t name);
static ngx_http_cs_chat_topic_t *ngx_http_cs_chat_topic_get(csc_str_t name);


/* Each event is looked for by all its topics, mostly in vain. */
static ngx_http_cs_chat_topic_t *table[TABLE_SIZE];


void
ngx_http_cs_chat_topics_init(void)
{
    ngx_memzero(table, sizeof(table));
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


static uint32_t
ngx_http_cs_chat_topic_hash(csc_str_t name)
{
    return ngx_murmur_hash2((u_char *) name.data, name.len);
}


ngx_http_cs_chat_topic_t *
ngx_http_cs_chat_topic_find(csc_str_t name)
{
    uint32_t hash;
    ngx_http_cs_chat_topic_t *topic;

    hash = ngx_http_cs_chat_topic_hash(name);
    topic = table[hash % TABLE_SIZE];

    while (topic != NULL
           && (topic->hash != hash || topic->len != name.len
               || ngx_memcmp(topic->name, name.data, name.len) != 0))
    {
        topic = topic->next;
    }

    return topic;
}


ngx_http_cs_chat_topic_t *
ngx_http_cs_chat_topic_named(const char *kind, csc_str_t name)
{
    csc_str_t topic;
    u_char buf[NGX_HTTP_CS_CHAT_MAX_TOPIC];

    topic.data = buf;
    topic.len = ngx_http_cs_chat_topic_name(buf, kind, name);

    return topic.len ? ngx_http_cs_chat_topic_find(topic) : NULL;
}


static ngx_http_cs_chat_topic_t *
ngx_http_cs_chat_topic_get(csc_str_t name)
{
    ngx_http_cs_chat_topic_t *topic, **place;

    topic = ngx_http_cs_chat_topic_find(name);
    if (topic != NULL) {
        return topic;
    }

    topic = ngx_alloc(
        offsetof(ngx_http_cs_chat_topic_t, name) + name.len, ngx_cycle->log);
    if (topic == NULL) {
        return NULL;
    }

    ngx_memcpy(topic->name, name.data, name.len);
    topic->len = name.len;
    topic->hash = ngx_http_cs_chat_topic_hash(name);
    topic->chat = ngx_strncmp(topic->name, "chat:", 5) == 0;
    topic->count = 0;
    topic->answered = 0;
    ngx_queue_init(&topic->follows);

    place = &table[topic->hash % TABLE_SIZE];
    topic->next = *place;
    *place = topic;

    return topic;
}


ngx_int_t
ngx_http_cs_chat_topic_follow(ngx_http_cs_chat_follow_t *follow,
    struct ngx_http_cs_chat_session_s *session, const char *kind,
    csc_str_t name)
{
    csc_str_t topic;
    u_char buf[NGX_HTTP_CS_CHAT_MAX_TOPIC];

    topic.data = buf;
    topic.len = ngx_http_cs_chat_topic_name(buf, kind, name);

    if (topic.len == 0) {
        return NGX_ERROR;
    }

    follow->topic = ngx_http_cs_chat_topic_get(topic);
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
    ngx_http_cs_chat_topic_t **place;

    if (--topic->count) {
        return;
    }

    place = &table[topic->hash % TABLE_SIZE];

    while (*place != topic) {
        place = &(*place)->next;
    }

    *place = topic->next;
    ngx_free(topic);
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
    ngx_uint_t i;
    ngx_http_cs_chat_topic_t *topic;

    len = ngx_strlen(kind);

    for (i = 0; i < TABLE_SIZE; i++) {
        for (topic = table[i]; topic != NULL; topic = topic->next) {
            if (topic->len > len + 1 && ngx_strncmp(topic->name, kind, len) == 0
                && topic->name[len] == ':')
            {
                name.data = topic->name + len + 1;
                name.len = topic->len - len - 1;
                visit(name, &topic->follows);
            }
        }
    }
}
