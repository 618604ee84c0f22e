#include "ngx_http_cs_chat_hub.h"
#include "ngx_http_cs_chat_bus.h"
#include "ngx_http_cs_chat_metrics.h"
#include "ngx_http_cs_chat_tree.h"
#include "ngx_http_cs_chat_ws.h"
#include "ngx_http_cs_chat_zone.h"

#include "csc_json.h"
#include "csc_ws.h"


typedef struct {
    ngx_rbtree_t tokens; /* of sessions, by a part of their tokens' keys */
    ngx_rbtree_node_t sentinel;
    ngx_log_t *log;
    ngx_uint_t event; /* number of the event that is being delivered */
} ngx_http_cs_chat_hub_t;


static void ngx_http_cs_chat_hub_token(ngx_http_cs_chat_session_t *session);
static void ngx_http_cs_chat_hub_counted(
    csc_bus_message_t *event, ngx_uint_t deliveries);
static ngx_int_t ngx_http_cs_chat_hub_pass(csc_bus_message_t *event,
    csc_str_t *topics, ngx_uint_t chats, ngx_http_cs_chat_frame_t **frame);
static ngx_http_cs_chat_frame_t *ngx_http_cs_chat_hub_frame(
    csc_bus_message_t *event);
static void ngx_http_cs_chat_hub_deliver(ngx_http_cs_chat_topic_t *topic,
    ngx_http_cs_chat_frame_t *frame, csc_str_t except);
static ngx_uint_t ngx_http_cs_chat_hub_excepted(
    ngx_http_cs_chat_session_t *session, csc_str_t except);
static void ngx_http_cs_chat_hub_restrict(csc_bus_message_t *event);
static ngx_uint_t ngx_http_cs_chat_hub_in(
    ngx_http_cs_chat_session_t *session, csc_str_t topics);


static ngx_http_cs_chat_hub_t hub;


void
ngx_http_cs_chat_hub_init(ngx_log_t *log)
{
    ngx_memzero(&hub, sizeof(hub));
    hub.log = log;

    ngx_http_cs_chat_topics_init();
    ngx_rbtree_init(&hub.tokens, &hub.sentinel, ngx_rbtree_insert_value);
}


/* What every socket hears. */

ngx_int_t
ngx_http_cs_chat_hub_enter(ngx_http_cs_chat_session_t *session)
{
    ngx_queue_init(&session->joins);

    if (ngx_http_cs_chat_topic_follow(&session->of_user, session, "user",
            ngx_http_cs_chat_ws_user(session))
            != NGX_OK
        || ngx_http_cs_chat_topic_follow(&session->of_role, session, "role",
               ngx_http_cs_chat_view(*session->role))
               != NGX_OK)
    {
        ngx_http_cs_chat_topic_unfollow(&session->of_user);
        return NGX_ERROR;
    }

    ngx_http_cs_chat_hub_token(session);

    return NGX_OK;
}


void
ngx_http_cs_chat_hub_leave(ngx_http_cs_chat_session_t *session)
{
    ngx_queue_t *q, *next;

    for (q = ngx_queue_head(&session->joins);
         q != ngx_queue_sentinel(&session->joins); q = next)
    {
        next = ngx_queue_next(q);
        ngx_http_cs_chat_unjoin(
            ngx_queue_data(q, ngx_http_cs_chat_join_t, in_session));
    }

    ngx_http_cs_chat_topic_unfollow(&session->of_user);
    ngx_http_cs_chat_topic_unfollow(&session->of_role);
    ngx_rbtree_delete(&hub.tokens, &session->token);
}


ngx_int_t
ngx_http_cs_chat_hub_exchange(
    ngx_http_cs_chat_session_t *session, const ngx_str_t *role, u_char *key)
{
    ngx_rbtree_delete(&hub.tokens, &session->token);
    ngx_memcpy(session->key, key, NGX_HTTP_CS_CHAT_TOKEN_KEY_LEN);
    ngx_http_cs_chat_hub_token(session);

    if (role == session->role) {
        return NGX_OK;
    }

    ngx_http_cs_chat_topic_unfollow(&session->of_role);
    session->role = role;

    return ngx_http_cs_chat_topic_follow(
        &session->of_role, session, "role", ngx_http_cs_chat_view(*role));
}


/* Keys are digests in hexadecimal: any part of one is a good hash. */

static void
ngx_http_cs_chat_hub_token(ngx_http_cs_chat_session_t *session)
{
    ngx_memcpy(&session->token.key, session->key, sizeof(ngx_rbtree_key_t));
    ngx_rbtree_insert(&hub.tokens, &session->token);
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

    topic = ngx_http_cs_chat_topic_named("user", user);

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


/* Delivery. */

void
ngx_http_cs_chat_hub_event(csc_bus_message_t *event)
{
    csc_str_t topics;
    ngx_http_cs_chat_frame_t *frame;

    frame = NULL;
    topics = event->topics;
    hub.event++;

    if (event->seq && event->chat.len) {
        ngx_http_cs_chat_join_skip(event, hub.event);
    }

    /*
     * Those who hear of the chat anyway come first: a join of theirs that is
     * under way holds nothing back.
     */

    if (ngx_http_cs_chat_hub_pass(event, &topics, 0, &frame) != NGX_OK
        || ngx_http_cs_chat_hub_pass(event, &topics, 1, &frame) != NGX_OK)
    {
        ngx_http_cs_chat_hub_resync("out of memory");
    }

    if (frame != NULL) {
        /* each queue that it stands in has a reference */

        ngx_http_cs_chat_hub_counted(event, frame->refs - 1);
        ngx_http_cs_chat_frame_release(frame);
    }

    if (event->restrict_followers && event->chat.len) {
        ngx_http_cs_chat_hub_restrict(event);
    }
}


static void
ngx_http_cs_chat_hub_counted(csc_bus_message_t *event, ngx_uint_t deliveries)
{
    int64_t ms;
    ngx_time_t *now;
    csc_class_e class;
    csc_nginx_metrics_t *metrics;

    metrics = ngx_http_cs_chat_metrics;
    class = csc_metrics_class(event->type);
    metrics->events[class]++;
    metrics->deliveries[class] += deliveries;

    if (event->at && deliveries) {
        now = ngx_timeofday();
        ms = (int64_t) now->sec * 1000 + now->msec - (int64_t) event->at;

        /* clocks of two machines differ */

        csc_metrics_observe(&metrics->delivery, CSC_METRIC_US,
            (uint64_t) ngx_max(ms, 0) * 1000);
    }
}


/*
 * Delivers to those of the topics that are of users and roles, or to those that
 * are of chats.  Leaves in topics what comes from the first chat on that was
 * left out.  Most events are for sockets of other processes: nobody here
 * follows any of their topics.
 */

static ngx_int_t
ngx_http_cs_chat_hub_pass(csc_bus_message_t *event, csc_str_t *topics,
    ngx_uint_t chats, ngx_http_cs_chat_frame_t **frame)
{
    csc_str_t rest, name;
    ngx_http_cs_chat_topic_t *topic;

    rest = *topics;
    topics->len = 0;

    while (csc_bus_next(&rest, &name) == CSC_OK) {
        topic = ngx_http_cs_chat_topic_find(name);

        if (topic == NULL) {
            continue;
        }

        if (topic->chat != chats) {
            if (topic->chat && topics->len == 0) {
                topics->data = name.data;
                topics->len = rest.data + rest.len - name.data;
            }

            continue;
        }

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
            ngx_http_cs_chat_join_keep(
                ngx_http_cs_chat_join_of(&follow->in_topic), frame);
            continue;
        }

        session->event = hub.event;
        ngx_http_cs_chat_ws_send(session, frame);
    }
}


/* A socket by its id, or all of a user as "user:<id>". */

static ngx_uint_t
ngx_http_cs_chat_hub_excepted(
    ngx_http_cs_chat_session_t *session, csc_str_t except)
{
    if (except.len == sizeof(session->id)) {
        return ngx_memcmp(except.data, session->id, except.len) == 0;
    }

    return except.len == sizeof("user:") - 1 + CSC_UUID_LEN
           && ngx_memcmp(except.data, "user:", sizeof("user:") - 1) == 0
           && ngx_memcmp(except.data + sizeof("user:") - 1, session->user,
                  CSC_UUID_LEN)
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
    ngx_http_cs_chat_join_t *join;
    ngx_http_cs_chat_topic_t *topic;

    topic = ngx_http_cs_chat_topic_named("chat", event->chat);

    if (topic == NULL) {
        return;
    }

    /* the last unjoin frees the topic, so it is held by an extra count */

    topic->count++;

    for (q = ngx_queue_head(&topic->follows);
         q != ngx_queue_sentinel(&topic->follows); q = next)
    {
        next = ngx_queue_next(q);
        join = ngx_http_cs_chat_join_of(q);

        /* a join under way gets its answer from the chat worker */

        if (!join->follow.holding
            && !ngx_http_cs_chat_hub_in(join->follow.session, event->keep))
        {
            ngx_http_cs_chat_unjoin(join);
        }
    }

    ngx_http_cs_chat_topic_drop(topic);
}


static ngx_uint_t
ngx_http_cs_chat_hub_in(ngx_http_cs_chat_session_t *session, csc_str_t topics)
{
    csc_str_t name;
    ngx_queue_t *q;
    ngx_http_cs_chat_join_t *join;
    ngx_http_cs_chat_topic_t *topic;

    while (csc_bus_next(&topics, &name) == CSC_OK) {
        topic = ngx_http_cs_chat_topic_find(name);

        if (topic == NULL) {
            continue;
        }

        if (topic == session->of_user.topic || topic == session->of_role.topic)
        {
            return 1;
        }

        for (q = ngx_queue_head(&session->joins);
             q != ngx_queue_sentinel(&session->joins); q = ngx_queue_next(q))
        {
            join = ngx_queue_data(q, ngx_http_cs_chat_join_t, in_session);

            if (join->follow.topic == topic) {
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

    topic = ngx_http_cs_chat_topic_named("user", user);

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

    if (ngx_http_cs_chat_zone_set_role(ngx_http_cs_chat_bus_zone(), user, role)
        != NGX_OK)
    {
        ngx_log_error(NGX_LOG_CRIT, hub.log, 0,
            "\"cs_chat_zone\" is full: a changed role can't be remembered");
    }

    topic = ngx_http_cs_chat_topic_named("user", user);

    if (topic == NULL) {
        return;
    }

    for (q = ngx_queue_head(&topic->follows);
         q != ngx_queue_sentinel(&topic->follows); q = ngx_queue_next(q))
    {
        follow = ngx_queue_data(q, ngx_http_cs_chat_follow_t, in_topic);

        if (follow->session->role->len != role.len
            || ngx_memcmp(follow->session->role->data, role.data, role.len)
                   != 0)
        {
            ngx_http_cs_chat_ws_close(
                follow->session, CSC_WS_CLOSE_TOKEN_REVOKED, "role changed");
        }
    }
}


void
ngx_http_cs_chat_hub_revoke(u_char *key, time_t expires)
{
    ngx_rbtree_key_t hash;
    ngx_rbtree_node_t *node;
    ngx_http_cs_chat_session_t *session;

    if (ngx_http_cs_chat_zone_revoke(ngx_http_cs_chat_bus_zone(), key, expires)
        != NGX_OK)
    {
        ngx_log_error(NGX_LOG_CRIT, hub.log, 0,
            "\"cs_chat_zone\" is full: a revoked token can't be remembered");
    }

    ngx_memcpy(&hash, key, sizeof(hash));

    for (node = ngx_http_cs_chat_tree_first(&hub.tokens, hash);
         node != NULL && node->key == hash;
         node = ngx_rbtree_next(&hub.tokens, node))
    {
        session = ngx_rbtree_data(node, ngx_http_cs_chat_session_t, token);

        if (ngx_memcmp(session->key, key, sizeof(session->key)) == 0) {
            ngx_http_cs_chat_ws_close(
                session, CSC_WS_CLOSE_TOKEN_REVOKED, "token revoked");
        }
    }
}
