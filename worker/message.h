/*
 * A message as the API shows it, and the events that bring and acknowledge it,
 * written from what was stored: byte for byte what cs_chat.message_json(),
 * new_message_json() and chat_topics() of sql/functions/ make when it is read.
 */

#ifndef MESSAGE_H
#define MESSAGE_H

#include "buffer.h"

/* Views; what may be NULL has no data then. */
typedef struct {
    csc_str_t id;
    csc_str_t chat;
    csc_str_t content;
    csc_str_t type;
    csc_str_t ts;
    uint64_t seq;
    csc_str_t client_id; /* or NULL */
    csc_str_t sender;
    csc_str_t name; /* and below: of the sender */
    csc_str_t role;
    csc_str_t avatar;   /* or NULL */
    csc_str_t customer; /* and below: of the chat */
    csc_str_t agent;    /* or NULL */
} message_t;

/*
 * Writes the event new_message to out; *json is the message in it.  out may
 * have failed then.
 */
void message_event(buffer_t *out, const message_t *message, csc_str_t *json);

/*
 * Writes the event message_ack to out, for which id, chat, seq, ts and
 * client_id are there.
 */
void message_ack(buffer_t *out, const message_t *message, int duplicate);

/* Writes the topics of events about the chat to out. */
void message_topics(buffer_t *out, const message_t *message);

#endif /* MESSAGE_H */
