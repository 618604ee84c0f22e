/*
 * When messages are to be sent: evenly, at a rate, first some that do not
 * count (warm-up), then those that do; and what became of them.
 */

#ifndef BENCH_SCHEDULE_H
#define BENCH_SCHEDULE_H

#include "report.h"
#include "load.h"

typedef struct {
    uint64_t start;    /* ns, of message 0 */
    uint64_t interval; /* ns between messages, in 1/1024 */
    uint32_t tag;      /* of this run, in every clientId */
    char key[32];      /* that finds the message's number in an event */
    uint32_t next;     /* the message that is to be sent next */
    uint64_t limit;    /* us; a delivery after it is late */
    uint32_t warmup;   /* so many messages do not count */
    uint32_t total;
    uint64_t woke;  /* ns, when it last had a look around */
    uint8_t *acked; /* by message: the times that it was acknowledged */
    char *content;

    uint64_t acks; /* different messages, of all */
    uint64_t late;
    uint64_t may_be_late; /* so many deliveries */
    uint64_t refused;
    uint64_t closed; /* connections that broke */
    const char *why; /* the first of them did */

    histogram_t ack;
    histogram_t delivery;
    histogram_t lag; /* of the generator: sent later than intended */
} schedule_t;

/* Each message is to be delivered to so many. */
void schedule_init(
    schedule_t *schedule, const options_t *options, uint64_t listeners);

/* Begins, so that message 0 is due now. */
void schedule_start(schedule_t *schedule);

/* When a message is due. */
uint64_t schedule_due(const schedule_t *schedule, uint32_t message);

/*
 * Sleeps until the next message is due, no longer than 10 ms, and no shorter
 * than 200 us, so that at high rates several go at once; then handles what came
 * in meanwhile.
 */
void schedule_sleep(schedule_t *schedule, loop_t *loop);

/* The message that is due now; CSC_AGAIN when none is. */
int schedule_take(schedule_t *schedule, uint32_t *message);

/* Whether a message counts. */
int schedule_counts(const schedule_t *schedule, uint32_t message);

/* Notes that a message was handed to the system. */
void schedule_sent(schedule_t *schedule, uint32_t message);

/* Notes that a message was acknowledged, at a time of tool_now(). */
void schedule_acked(schedule_t *schedule, uint32_t message, uint64_t at);

/*
 * Notes that a message was delivered, for the first time or to one of many.
 * When more than one of a hundred are late, nothing more is sent.
 */
void schedule_delivered(schedule_t *schedule, uint32_t message, uint64_t at);

/* Notes that a connection broke. */
void schedule_closed(schedule_t *schedule, const char *why);

/* The message of a clientId of this run in an event; CSC_ERROR: none. */
int schedule_find(
    const schedule_t *schedule, csc_str_t event, uint32_t *message);

/* How many of the messages that count were never acknowledged. */
uint64_t schedule_unacked(const schedule_t *schedule);

/* Rate, counts and histograms. */
void schedule_report(const schedule_t *schedule, const options_t *options,
    csc_json_writer_t *report);

#endif /* BENCH_SCHEDULE_H */
