#include "ngx_http_cs_chat_hub.h"
#include "ngx_http_cs_chat_bus.h"
#include "ngx_http_cs_chat_metrics.h"
#include "ngx_http_cs_chat_ws.h"
#include "ngx_http_cs_chat_zone.h"

#include "csc_json.h"
#include "csc_ws.h"


#define MAX_TOPIC 128 /* bytes of "kind:name" */
#define MAX_HELD 1024 /* frames that one join may hold */


struct ngx_http_cs_chat_topic_s {
    ngx_str_node_t sn; /* str.data is this topic's own name below */
    ngx_queue_t follows;
    ngx_uint_t count;
    u_char name[MAX_TOPIC];
};


/* A frame in the queue of a follow that is holding. */
typedef struct {
    ngx_queue_t queue;
    ngx_http_cs_chat_frame_t *frame;
} ngx_http_cs_chat_held_t;


typedef struct {
    ngx_rbtree_t topics;
    ngx_rbtree_node_t sentinel;
    ngx_log_t *log;
    ngx_uint_t event;      /* number of the event that is being delivered */
    ngx_uint_t deliveries; /* of it */
} ngx_http_cs_chat_hub_t;


static size_t ngx_http_cs_chat_hub_name(
    u_char *buf, const char *kind, csc_str_t name);
static ngx_http_cs_chat_topic_t *ngx_http_cs_chat_hub_find(
    u_char *name, size_t len);
static ngx_http_cs_chat_topic_t *ngx_http_cs_chat_hub_named(
    const char *kind, csc_str_t name);
static ngx_http_cs_chat_topic_t *ngx_http_cs_chat_hub_topic(
    u_char *name, size_t len);
static void ngx_http_cs_chat_hub_drop_held(ngx_http_cs_chat_follow_t *follow);
static void ngx_http_cs_chat_hub_unheld(
    ngx_http_cs_chat_follow_t *follow, ngx_http_cs_chat_held_t *held);
static void ngx_http_cs_chat_hub_counted(csc_bus_message_t *event);
static void ngx_http_cs_chat_hub_skip(csc_bus_message_t *event);
static ngx_int_t ngx_http_cs_chat_hub_pass(csc_bus_message_t *event,
    ngx_uint_t chats, ngx_http_cs_chat_frame_t **frame);
static ngx_http_cs_chat_frame_t *ngx_http_cs_chat_hub_frame(
    csc_bus_message_t *event);
static void ngx_http_cs_chat_hub_deliver(ngx_http_cs_chat_topic_t *topic,
    ngx_http_cs_chat_frame_t *frame, csc_str_t except);
static ngx_uint_t ngx_http_cs_chat_hub_excepted(
    ngx_http_cs_chat_session_t *session, csc_str_t except);
static void ngx_http_cs_chat_hub_keep(
    ngx_http_cs_chat_follow_t *follow, ngx_http_cs_chat_frame_t *frame);
static void ngx_http_cs_chat_hub_restrict(csc_bus_message_t *event);
static ngx_uint_t ngx_http_cs_chat_hub_in(
    ngx_http_cs_chat_session_t *session, csc_str_t topics);


static ngx_http_cs_chat_hub_t hub;


void
ngx_http_cs_chat_hub_init(ngx_log_t *log)
{
    ngx_memzero(&hub, sizeof(hub));
    hub.log = log;

    ngx_rbtree_init(&hub.topics, &hub.sentinel, ngx_str_rbtree_insert_value);
}


/* Frames. */

ngx_http_cs_chat_frame_t *
ngx_http_cs_chat_frame(int opcode, size_t size, u_char **payload)
{
    size_t header;
    ngx_http_cs_chat_frame_t *frame;

    frame = ngx_alloc(sizeof(*frame) + CSC_WS_MAX_HEADER + size, hub.log);
    if (frame == NULL) {
        return NULL;
    }

    ngx_memzero(frame, sizeof(*frame));

    header = csc_ws_frame_header(opcode, size, frame->data);
    frame->refs = 1;
    frame->len = header + size;
    *payload = frame->data + header;

    return frame;
}


void
ngx_http_cs_chat_frame_release(ngx_http_cs_chat_frame_t *frame)
{
    if (--frame->refs == 0) {
        ngx_free(frame);
    }
}


/* Topics and who follows them. */

static size_t
ngx_http_cs_chat_hub_name(u_char *buf, const char *kind, csc_str_t name)
{
    size_t len;

    len = ngx_strlen(kind);

    if (len + 1 + name.len > MAX_TOPIC) {
        return 0;
    }

    ngx_memcpy(buf, kind, len);
    buf[len] = ':';
    ngx_memcpy(buf + len + 1, name.data, name.len);

    return len + 1 + name.len;
}


static ngx_http_cs_chat_topic_t *
ngx_http_cs_chat_hub_find(u_char *name, size_t len)
{
    ngx_str_t str;
    ngx_str_node_t *sn;

    str.len = len;
    str.data = name;

    sn = ngx_str_rbtree_lookup(&hub.topics, &str, ngx_murmur_hash2(name, len));

    return (ngx_http_cs_chat_topic_t *) sn;
}


/* The topic kind:name, NULL where nobody follows it. */

static ngx_http_cs_chat_topic_t *
ngx_http_cs_chat_hub_named(const char *kind, csc_str_t name)
{
    size_t len;
    u_char buf[MAX_TOPIC];

    len = ngx_http_cs_chat_hub_name(buf, kind, name);

    return len ? ngx_http_cs_chat_hub_find(buf, len) : NULL;
}


static ngx_http_cs_chat_topic_t *
ngx_http_cs_chat_hub_topic(u_char *name, size_t len)
{
    ngx_http_cs_chat_topic_t *topic;

    topic = ngx_http_cs_chat_hub_find(name, len);
    if (topic != NULL) {
        return topic;
    }

    topic = ngx_alloc(offsetof(ngx_http_cs_chat_topic_t, name) + len, hub.log);
    if (topic == NULL) {
        return NULL;
    }

    ngx_memcpy(topic->name, name, len);
    topic->sn.str.len = len;
    topic->sn.str.data = topic->name;
    topic->sn.node.key = ngx_murmur_hash2(name, len);
    topic->count = 0;
    ngx_queue_init(&topic->follows);

    ngx_rbtree_insert(&hub.topics, &topic->sn.node);

    return topic;
}


ngx_http_cs_chat_follow_t *
ngx_http_cs_chat_hub_follow(
    ngx_http_cs_chat_session_t *session, const char *kind, csc_str_t name)
{
    size_t len;
    u_char buf[MAX_TOPIC];
    ngx_http_cs_chat_topic_t *topic;
    ngx_http_cs_chat_follow_t *follow;

    follow = ngx_http_cs_chat_hub_following(session, kind, name);
    if (follow != NULL) {
        return follow;
    }

    len = ngx_http_cs_chat_hub_name(buf, kind, name);
    if (len == 0) {
        return NULL;
    }

    follow = ngx_calloc(sizeof(ngx_http_cs_chat_follow_t), hub.log);
    if (follow == NULL) {
        return NULL;
    }

    topic = ngx_http_cs_chat_hub_topic(buf, len);
    if (topic == NULL) {
        ngx_free(follow);
        return NULL;
    }

    follow->topic = topic;
    follow->session = session;
    ngx_queue_init(&follow->held);
    ngx_queue_insert_tail(&topic->follows, &follow->in_topic);
    ngx_queue_insert_tail(&session->follows, &follow->in_session);
    topic->count++;

    return follow;
}


/* A session follows few topics, a topic may have very many sockets. */

ngx_http_cs_chat_follow_t *
ngx_http_cs_chat_hub_following(
    ngx_http_cs_chat_session_t *session, const char *kind, csc_str_t name)
{
    ngx_queue_t *q;
    ngx_http_cs_chat_topic_t *topic;
    ngx_http_cs_chat_follow_t *follow;

    topic = ngx_http_cs_chat_hub_named(kind, name);

    if (topic == NULL) {
        return NULL;
    }

    for (q = ngx_queue_head(&session->follows);
         q != ngx_queue_sentinel(&session->follows); q = ngx_queue_next(q))
    {
        follow = ngx_queue_data(q, ngx_http_cs_chat_follow_t, in_session);

        if (follow->topic == topic) {
            return follow;
        }
    }

    return NULL;
}


void
ngx_http_cs_chat_hub_unfollow(ngx_http_cs_chat_follow_t *follow)
{
    ngx_http_cs_chat_topic_t *topic;

    topic = follow->topic;

    ngx_http_cs_chat_hub_drop_held(follow);
    ngx_queue_remove(&follow->in_topic);
    ngx_queue_remove(&follow->in_session);
    ngx_free(follow);

    if (--topic->count == 0) {
        ngx_rbtree_delete(&hub.topics, &topic->sn.node);
        ngx_free(topic);
    }
}


void
ngx_http_cs_chat_hub_leave(ngx_http_cs_chat_session_t *session)
{
    ngx_queue_t *q, *next;

    for (q = ngx_queue_head(&session->follows);
         q != ngx_queue_sentinel(&session->follows); q = next)
    {
        next = ngx_queue_next(q);
        ngx_http_cs_chat_hub_unfollow(
            ngx_queue_data(q, ngx_http_cs_chat_follow_t, in_session));
    }
}


ngx_uint_t
ngx_http_cs_chat_hub_count(const char *kind, csc_str_t name)
{
    ngx_http_cs_chat_topic_t *topic;

    topic = ngx_http_cs_chat_hub_named(kind, name);

    return topic ? topic->count : 0;
}


ngx_uint_t
ngx_http_cs_chat_hub_sockets(
    csc_str_t user, ngx_http_cs_chat_session_t **oldest)
{
    ngx_uint_t n;
    ngx_queue_t *q;
    ngx_http_cs_chat_topic_t *topic;
    ngx_http_cs_chat_follow_t *follow;

    n = 0;
    *oldest = NULL;

    topic = ngx_http_cs_chat_hub_named("user", user);

    if (topic == NULL) {
        return 0;
    }

    for (q = ngx_queue_head(&topic->follows);
         q != ngx_queue_sentinel(&topic->follows); q = ngx_queue_next(q))
    {
        follow = ngx_queue_data(q, ngx_http_cs_chat_follow_t, in_topic);

        if (follow->session->uncounted) {
            continue;
        }

        if (n++ == 0) {
            *oldest = follow->session;
        }
    }

    return n;
}


void
ngx_http_cs_chat_hub_topics(const char *kind, ngx_http_cs_chat_topic_pt visit)
{
    size_t len;
    ngx_str_t name;
    ngx_rbtree_node_t *node;
    ngx_http_cs_chat_topic_t *topic;

    if (hub.topics.root == &hub.sentinel) {
        return;
    }

    len = ngx_strlen(kind);
    node = ngx_rbtree_min(hub.topics.root, &hub.sentinel);

    for (; node != NULL; node = ngx_rbtree_next(&hub.topics, node)) {
        topic = (ngx_http_cs_chat_topic_t *) node;

        if (topic->sn.str.len > len + 1
            && ngx_strncmp(topic->name, kind, len) == 0
            && topic->name[len] == ':')
        {
            name.data = topic->name + len + 1;
            name.len = topic->sn.str.len - len - 1;
            visit(&name, &topic->follows);
        }
    }
}


/* Joins: what comes before their answer is held. */

void
ngx_http_cs_chat_hub_hold(ngx_http_cs_chat_follow_t *follow)
{
    follow->holding = 1;
}


void
ngx_http_cs_chat_hub_release(ngx_http_cs_chat_follow_t *follow, uint64_t seq)
{
    ngx_queue_t *q, *next;
    ngx_http_cs_chat_held_t *held;

    follow->holding = 0;
    follow->seq = seq;

    for (q = ngx_queue_head(&follow->held);
         q != ngx_queue_sentinel(&follow->held); q = next)
    {
        next = ngx_queue_next(q);
        held = ngx_queue_data(q, ngx_http_cs_chat_held_t, queue);

        if (held->frame->seq == 0 || held->frame->seq > seq) {
            ngx_http_cs_chat_ws_send(follow->session, held->frame);
        }

        ngx_http_cs_chat_hub_unheld(follow, held);
    }

    follow->nheld = 0;

    if (follow->overflowed) {
        follow->overflowed = 0;
        ngx_http_cs_chat_ws_resync(
            follow->session, "too many events while joining");
    }
}


static void
ngx_http_cs_chat_hub_drop_held(ngx_http_cs_chat_follow_t *follow)
{
    ngx_queue_t *q, *next;
    ngx_http_cs_chat_held_t *held;

    for (q = ngx_queue_head(&follow->held);
         q != ngx_queue_sentinel(&follow->held); q = next)
    {
        next = ngx_queue_next(q);
        held = ngx_queue_data(q, ngx_http_cs_chat_held_t, queue);

        ngx_http_cs_chat_hub_unheld(follow, held);
    }
}


static void
ngx_http_cs_chat_hub_unheld(
    ngx_http_cs_chat_follow_t *follow, ngx_http_cs_chat_held_t *held)
{
    follow->session->held -= held->frame->len;

    ngx_queue_remove(&held->queue);
    ngx_http_cs_chat_frame_release(held->frame);
    ngx_free(held);
}


static void
ngx_http_cs_chat_hub_keep(
    ngx_http_cs_chat_follow_t *follow, ngx_http_cs_chat_frame_t *frame)
{
    ngx_http_cs_chat_held_t *held;
    ngx_http_cs_chat_session_t *session;

    held = NULL;
    session = follow->session;

    if (follow->nheld < MAX_HELD
        && session->held + frame->len <= session->conf->output_limit)
    {
        held = ngx_alloc(sizeof(ngx_http_cs_chat_held_t), hub.log);
    }

    if (held == NULL) {
        follow->overflowed = 1;
        return;
    }

    frame->refs++;
    held->frame = frame;
    session->held += frame->len;
    ngx_queue_insert_tail(&follow->held, &held->queue);
    follow->nheld++;
}


/* Delivery. */

void
ngx_http_cs_chat_hub_event(csc_bus_message_t *event)
{
    ngx_http_cs_chat_frame_t *frame;

    frame = NULL;
    hub.event++;
    hub.deliveries = 0;

    if (event->seq && event->chat.len) {
        ngx_http_cs_chat_hub_skip(event);
    }

    /*
     * Those who hear of the chat anyway come first: a join of theirs that is
     * under way holds nothing back.
     */

    if (ngx_http_cs_chat_hub_pass(event, 0, &frame) != NGX_OK
        || ngx_http_cs_chat_hub_pass(event, 1, &frame) != NGX_OK)
    {
        ngx_http_cs_chat_hub_resync("out of memory");
    }

    if (frame != NULL) {
        ngx_http_cs_chat_frame_release(frame);
        ngx_http_cs_chat_hub_counted(event);
    }

    if (event->restrict_followers && event->chat.len) {
        ngx_http_cs_chat_hub_restrict(event);
    }
}


static void
ngx_http_cs_chat_hub_counted(csc_bus_message_t *event)
{
    int64_t ms;
    ngx_time_t *now;
    csc_class_e class;
    csc_nginx_metrics_t *metrics;

    metrics = ngx_http_cs_chat_metrics;
    class = csc_metrics_class(event->type);
    metrics->events[class]++;
    metrics->deliveries[class] += hub.deliveries;

    if (event->at && hub.deliveries) {
        now = ngx_timeofday();
        ms = (int64_t) now->sec * 1000 + now->msec - (int64_t) event->at;

        /* clocks of two machines differ */

        csc_metrics_observe(&metrics->delivery, CSC_METRIC_US,
            (uint64_t) ngx_max(ms, 0) * 1000);
    }
}


/* Who had the message with the answer to a join does not get it again. */

static void
ngx_http_cs_chat_hub_skip(csc_bus_message_t *event)
{
    ngx_queue_t *q;
    ngx_http_cs_chat_topic_t *topic;
    ngx_http_cs_chat_follow_t *follow;

    topic = ngx_http_cs_chat_hub_named("chat", event->chat);

    if (topic == NULL) {
        return;
    }

    for (q = ngx_queue_head(&topic->follows);
         q != ngx_queue_sentinel(&topic->follows); q = ngx_queue_next(q))
    {
        follow = ngx_queue_data(q, ngx_http_cs_chat_follow_t, in_topic);

        if (!follow->holding && follow->seq >= event->seq) {
            follow->session->event = hub.event;
        }
    }
}


/* Delivers to the topics of users and roles, or to those of chats. */

static ngx_int_t
ngx_http_cs_chat_hub_pass(csc_bus_message_t *event, ngx_uint_t chats,
    ngx_http_cs_chat_frame_t **frame)
{
    csc_str_t topics, name;
    ngx_uint_t chat;
    ngx_http_cs_chat_topic_t *topic;

    topics = event->topics;

    while (csc_bus_next(&topics, &name) == CSC_OK) {
        chat = name.len > 5 && ngx_memcmp(name.data, "chat:", 5) == 0;

        if (chat != chats) {
            continue;
        }

        topic = ngx_http_cs_chat_hub_find((u_char *) name.data, name.len);

        if (topic == NULL) {
            continue;
        }

        /* most events are for sockets of other processes */

        if (*frame == NULL) {
            *frame = ngx_http_cs_chat_hub_frame(event);
        }

        if (*frame == NULL) {
            return NGX_ERROR;
        }

        ngx_http_cs_chat_hub_deliver(topic, *frame, event->except);
    }

    return NGX_OK;
}


static ngx_http_cs_chat_frame_t *
ngx_http_cs_chat_hub_frame(csc_bus_message_t *event)
{
    u_char *payload;
    ngx_http_cs_chat_frame_t *frame;

    frame = ngx_http_cs_chat_frame(CSC_WS_TEXT, event->body.len, &payload);

    if (frame != NULL) {
        ngx_memcpy(payload, event->body.data, event->body.len);
        frame->seq = event->seq;
        frame->legacy = csc_str_is(event->type, "legacy");
        frame->droppable = frame->legacy || csc_str_is(event->type, "presence")
                           || csc_str_is(event->type, "typing")
                           || csc_str_is(event->type, "typed");
    }

    return frame;
}


static void
ngx_http_cs_chat_hub_deliver(ngx_http_cs_chat_topic_t *topic,
    ngx_http_cs_chat_frame_t *frame, csc_str_t except)
{
    ngx_queue_t *q;
    ngx_http_cs_chat_follow_t *follow;
    ngx_http_cs_chat_session_t *session;

    /* sending never closes a socket here: that is left to a posted event */

    for (q = ngx_queue_head(&topic->follows);
         q != ngx_queue_sentinel(&topic->follows); q = ngx_queue_next(q))
    {
        follow = ngx_queue_data(q, ngx_http_cs_chat_follow_t, in_topic);
        session = follow->session;

        if (session->event == hub.event) {
            continue;
        }

        if (ngx_http_cs_chat_hub_excepted(session, except)) {
            session->event = hub.event;
            continue;
        }

        if (follow->holding) {
            ngx_http_cs_chat_hub_keep(follow, frame);
            continue;
        }

        session->event = hub.event;
        ngx_http_cs_chat_ws_send(session, frame);
        hub.deliveries++;
    }
}


/* A socket by its id, or all of a user as "user:<id>". */

static ngx_uint_t
ngx_http_cs_chat_hub_excepted(
    ngx_http_cs_chat_session_t *session, csc_str_t except)
{
    ngx_str_t *user;

    if (except.len == sizeof(session->id)) {
        return ngx_memcmp(except.data, session->id, except.len) == 0;
    }

    user = &session->claims.user;

    return except.len == sizeof("user:") - 1 + user->len
           && ngx_memcmp(except.data, "user:", sizeof("user:") - 1) == 0
           && ngx_memcmp(
                  except.data + sizeof("user:") - 1, user->data, user->len)
                  == 0;
}


/*
 * After an event that takes a chat out of sight, who may not see it any more
 * follows it no longer.
 */

static void
ngx_http_cs_chat_hub_restrict(csc_bus_message_t *event)
{
    ngx_queue_t *q, *next;
    ngx_http_cs_chat_topic_t *topic;
    ngx_http_cs_chat_follow_t *follow;

    topic = ngx_http_cs_chat_hub_named("chat", event->chat);

    if (topic == NULL) {
        return;
    }

    /* the last unfollow frees the topic, so it is held by an extra count */

    topic->count++;

    for (q = ngx_queue_head(&topic->follows);
         q != ngx_queue_sentinel(&topic->follows); q = next)
    {
        next = ngx_queue_next(q);
        follow = ngx_queue_data(q, ngx_http_cs_chat_follow_t, in_topic);

        /* a join under way gets its answer from the chat worker */

        if (!follow->holding
            && !ngx_http_cs_chat_hub_in(follow->session, event->keep)) {
            ngx_http_cs_chat_hub_unfollow(follow);
        }
    }

    if (--topic->count == 0) {
        ngx_rbtree_delete(&hub.topics, &topic->sn.node);
        ngx_free(topic);
    }
}


static ngx_uint_t
ngx_http_cs_chat_hub_in(ngx_http_cs_chat_session_t *session, csc_str_t topics)
{
    csc_str_t name;
    ngx_queue_t *q;
    ngx_http_cs_chat_topic_t *topic;
    ngx_http_cs_chat_follow_t *follow;

    while (csc_bus_next(&topics, &name) == CSC_OK) {
        topic = ngx_http_cs_chat_hub_find((u_char *) name.data, name.len);

        if (topic == NULL) {
            continue;
        }

        for (q = ngx_queue_head(&session->follows);
             q != ngx_queue_sentinel(&session->follows); q = ngx_queue_next(q))
        {
            follow = ngx_queue_data(q, ngx_http_cs_chat_follow_t, in_session);

            if (follow->topic == topic) {
                return 1;
            }
        }
    }

    return 0;
}


void
ngx_http_cs_chat_hub_resync(const char *reason)
{
    ngx_http_cs_chat_metrics->resyncs++;
    ngx_http_cs_chat_ws_each(ngx_http_cs_chat_ws_resync, reason);
}


void
ngx_http_cs_chat_hub_close(csc_str_t user, csc_str_t id)
{
    ngx_queue_t *q;
    ngx_http_cs_chat_topic_t *topic;
    ngx_http_cs_chat_follow_t *follow;
    ngx_http_cs_chat_session_t *session;

    topic = ngx_http_cs_chat_hub_named("user", user);

    if (topic == NULL || id.len != NGX_HTTP_CS_CHAT_CONN_LEN) {
        return;
    }

    for (q = ngx_queue_head(&topic->follows);
         q != ngx_queue_sentinel(&topic->follows); q = ngx_queue_next(q))
    {
        follow = ngx_queue_data(q, ngx_http_cs_chat_follow_t, in_topic);
        session = follow->session;

        if (ngx_memcmp(session->id, id.data, id.len) == 0) {
            ngx_http_cs_chat_ws_close(
                session, CSC_WS_CLOSE_TOO_MANY, NGX_HTTP_CS_CHAT_TOO_MANY);
            return;
        }
    }
}


void
ngx_http_cs_chat_hub_role(csc_str_t user, csc_str_t role)
{
    ngx_queue_t *q;
    ngx_http_cs_chat_topic_t *topic;
    ngx_http_cs_chat_follow_t *follow;
    ngx_http_cs_chat_claims_t *claims;

    if (ngx_http_cs_chat_zone_set_role(ngx_http_cs_chat_bus_zone(), user, role)
        != NGX_OK)
    {
        ngx_log_error(NGX_LOG_CRIT, hub.log, 0,
            "\"cs_chat_zone\" is full: a changed role can't be remembered");
    }

    topic = ngx_http_cs_chat_hub_named("user", user);

    if (topic == NULL) {
        return;
    }

    for (q = ngx_queue_head(&topic->follows);
         q != ngx_queue_sentinel(&topic->follows); q = ngx_queue_next(q))
    {
        follow = ngx_queue_data(q, ngx_http_cs_chat_follow_t, in_topic);
        claims = &follow->session->claims;

        if (claims->role.len != role.len
            || ngx_memcmp(claims->role.data, role.data, role.len) != 0)
        {
            ngx_http_cs_chat_ws_close(
                follow->session, CSC_WS_CLOSE_TOKEN_REVOKED, "role changed");
        }
    }
}


void
ngx_http_cs_chat_hub_revoke(u_char *key, time_t expires)
{
    csc_str_t name;
    ngx_queue_t *q;
    ngx_http_cs_chat_topic_t *topic;
    ngx_http_cs_chat_follow_t *follow;

    if (ngx_http_cs_chat_zone_revoke(ngx_http_cs_chat_bus_zone(), key, expires)
        != NGX_OK)
    {
        ngx_log_error(NGX_LOG_CRIT, hub.log, 0,
            "\"cs_chat_zone\" is full: a revoked token can't be remembered");
    }

    name.data = key;
    name.len = NGX_HTTP_CS_CHAT_TOKEN_KEY_LEN;

    topic = ngx_http_cs_chat_hub_named("token", name);

    if (topic == NULL) {
        return;
    }

    for (q = ngx_queue_head(&topic->follows);
         q != ngx_queue_sentinel(&topic->follows); q = ngx_queue_next(q))
    {
        follow = ngx_queue_data(q, ngx_http_cs_chat_follow_t, in_topic);
        ngx_http_cs_chat_ws_close(
            follow->session, CSC_WS_CLOSE_TOKEN_REVOKED, "token revoked");
    }
}
