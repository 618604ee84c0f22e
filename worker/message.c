#include <string.h>

#include "message.h"

static inline void
message_member(buffer_t *out, const char *name, csc_str_t value)
{
    buffer_append_text(out, name);
    buffer_append_json(out, value);
}

static void
message_sender(buffer_t *out, const message_t *message)
{
    message_member(out, ",\"sender\":{\"id\":", message->sender);
    message_member(out, ",\"name\":", message->name);
    message_member(out, ",\"role\":", message->role);
    message_member(out, ",\"avatar\":", message->avatar);
    buffer_append_text(out, "}");
}

static void
message_json(buffer_t *out, const message_t *message)
{
    message_member(out, "{\"id\":", message->id);
    message_member(out, ",\"chatId\":", message->chat);
    message_member(out, ",\"senderId\":", message->sender);
    message_member(out, ",\"content\":", message->content);
    message_member(out, ",\"type\":", message->type);
    message_member(out, ",\"timestamp\":", message->ts);
    buffer_append_text(out, ",\"seq\":");
    buffer_append_number(out, message->seq);
    if (message->client_id.data != NULL) {
        message_member(out, ",\"clientId\":", message->client_id);
    }
    message_sender(out, message);
    buffer_append_text(out, "}");
}

void
message_event(buffer_t *out, const message_t *message, csc_str_t *json)
{
    size_t first, last;

    buffer_append_text(out, "{\"type\":\"new_message\",\"data\":");
    first = out->used;
    message_json(out, message);
    last = out->used;
    message_member(out, ",\"chatId\":", message->chat);
    buffer_append_text(out, "}");

    memset(json, 0, sizeof(*json));
    if (!out->failed) {
        json->data = out->data + first;
        json->len = last - first;
    }
}

void
message_ack(buffer_t *out, const message_t *message, int duplicate)
{
    message_member(out, "{\"type\":\"message_ack\",\"data\":{\"clientId\":",
        message->client_id);
    message_member(out, ",\"id\":", message->id);
    message_member(out, ",\"chatId\":", message->chat);
    buffer_append_text(out, ",\"seq\":");
    buffer_append_number(out, message->seq);
    message_member(out, ",\"timestamp\":", message->ts);
    buffer_append_text(
        out, duplicate ? ",\"duplicate\":true}}" : ",\"duplicate\":false}}");
}

void
message_topics(buffer_t *out, const message_t *message)
{
    buffer_append_text(out, "user:");
    buffer_append_str(out, message->customer);
    if (message->agent.data != NULL) {
        buffer_append_text(out, ",user:");
        buffer_append_str(out, message->agent);
    } else {
        buffer_append_text(out, ",role:agent");
    }
    buffer_append_text(out, ",role:super-agent,chat:");
    buffer_append_str(out, message->chat);
}
