/*
 * Messages on the bus, and the names of its channels.  docs/bus.md is the
 * description of the protocol; this is its only encoder and decoder.
 */

#ifndef CSC_BUS_H
#define CSC_BUS_H

#include "csc_core.h"

#define CSC_BUS_SHARDS 64
#define CSC_BUS_MAX_HEADER 8192 /* bytes before the body, line feed included */
#define CSC_BUS_MAX_PREFIX 64

typedef enum {
    CSC_BUS_REQUEST = 'Q',
    CSC_BUS_REPLY = 'R',
    CSC_BUS_EVENT = 'E',
    CSC_BUS_CONTROL = 'C',
    CSC_BUS_HEARTBEAT = 'H',
    CSC_BUS_BUNDLE = 'B' /* its body is other messages, see csc_bundle.h */
} csc_bus_kind_e;

/*
 * One message.  Fields that a kind does not have are empty or zero, and are
 * not written.  All views are of the caller's memory (encoding) or of the
 * message's own bytes (decoding); values are printable ASCII without spaces
 * and "percent-encoded" ones are left so: csc_pct_decode() gives the text.
 */
typedef struct {
    csc_bus_kind_e kind;

    /* request, reply */
    uint64_t id;    /* of the request, within the process that asked */
    csc_str_t from; /* the process that asked; its reply channel */
    csc_str_t op;   /* the operation, "messages.send" */
    csc_str_t user; /* the caller's id; reply to a login: the user's */
    csc_str_t role; /* the caller's role; reply to a login: the user's */
    csc_str_t name; /* reply to a login: user name, percent-encoded */
    csc_str_t chat; /* chat id; in events too */
    csc_str_t msg;  /* id for the message that is to be stored */
    csc_str_t key;  /* Idempotency-Key, percent-encoded; control: token */
    csc_str_t conn; /* id of the socket the request came by */
    uint64_t ttl;   /* ms that the asker still waits; 0: no limit */
    uint64_t min_password;
    unsigned ws : 1; /* the answer is to be WebSocket events */

    /* reply */
    uint64_t status; /* as in HTTP */
    uint64_t us;     /* time spent in the worker, in microseconds */

    /* event, heartbeat */
    csc_str_t src;    /* the worker that published it */
    uint64_t n;       /* counts 1, 2, 3 … per src */
    csc_str_t topics; /* who is to get it: "user:…,role:…,chat:…" */
    csc_str_t keep;   /* who may go on following chat; see docs/bus.md */
    csc_str_t type;   /* class of the event: chat, presence, legacy, … */
    csc_str_t except; /* socket id that is not to get it */
    uint64_t seq;     /* of the message, in its chat */
    uint64_t at;      /* Unix time in ms at which the message came in */
    unsigned restrict_followers : 1; /* keep is set, though it may be empty */

    /* control */
    uint64_t expires; /* Unix time in seconds */

    csc_str_t body;
} csc_bus_message_t;

/*
 * The exact size of the encoded message; 0 when csc_bus_decode() would refuse
 * it: a field holds a byte that may not stand in a header, a text that the
 * kind requires is empty, there is no such kind, or the header is above
 * CSC_BUS_MAX_HEADER.
 */
size_t csc_bus_size(const csc_bus_message_t *message);

/* Writes the message to out, which has room for csc_bus_size() bytes. */
void csc_bus_encode(const csc_bus_message_t *message, unsigned char *out);

/*
 * Takes a message apart; the views point into data.  CSC_ERROR, with *why a
 * static text for the log, for an unknown version or kind, a malformed or
 * overlong header, a field twice, a number that is none, or a required field
 * that is missing.  Unknown fields are passed over.
 */
int csc_bus_decode(
    csc_str_t data, csc_bus_message_t *message, const char **why);

/* FNV-1a (32 bits) of an id, and the shard that it makes of it. */
uint32_t csc_bus_hash(csc_str_t id);
unsigned csc_bus_shard(csc_str_t id);

/*
 * Channel and key names: prefix and the rest, NUL-terminated, to out (room
 * for size bytes); the length, or 0 when it does not fit.
 */
size_t csc_bus_request_channel(
    csc_str_t prefix, unsigned shard, char *out, size_t size);
size_t csc_bus_reply_channel(
    csc_str_t prefix, csc_str_t process, char *out, size_t size);
size_t csc_bus_events_channel(csc_str_t prefix, char *out, size_t size);
size_t csc_bus_revoked_key(csc_str_t prefix, char *out, size_t size);
size_t csc_bus_roles_key(csc_str_t prefix, char *out, size_t size);
size_t csc_bus_ticket_key(
    csc_str_t prefix, csc_str_t hash, char *out, size_t size);

/*
 * Takes the next element of a comma-separated list off *list.  CSC_OK, or
 * CSC_AGAIN when *list is used up.  Empty elements are passed over.
 */
int csc_bus_next(csc_str_t *list, csc_str_t *element);

#endif /* CSC_BUS_H */
