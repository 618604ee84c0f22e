#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "schedule.h"
#include "tool.h"

#define LONGEST_PAUSE (NS_PER_SECOND / 100)
#define SHORTEST_PAUSE (NS_PER_SECOND / 5000)


void
schedule_init(
    schedule_t *schedule, const options_t *options, uint64_t listeners)
{
    memset(schedule, 0, sizeof(*schedule));

    schedule->interval = NS_PER_SECOND * 1024 / options->rate;
    schedule->warmup = (uint32_t) (options->rate * options->warmup / 1000);
    schedule->total = schedule->warmup
                      + (uint32_t) (options->rate * options->seconds);
    schedule->limit = options->limit * 1000;
    schedule->may_be_late = options->rate * options->seconds * listeners / 100;
    schedule->tag = (uint32_t) (tool_now() / 1000) ^ (uint32_t) getpid() << 20;

    snprintf(schedule->key, sizeof(schedule->key), "\"clientId\":\"%08x-",
        schedule->tag);

    schedule->acked = tool_alloc(schedule->total, 1);
    schedule->content = tool_alloc(1, options->size + 1);
    memset(schedule->content, 'x', options->size);
}


void
schedule_start(schedule_t *schedule)
{
    schedule->start = schedule->woke = tool_now();
}


uint64_t
schedule_due(const schedule_t *schedule, uint32_t message)
{
    return schedule->start + message * schedule->interval / 1024;
}


/* Microseconds from the time that a message is due. */
static uint64_t
since_due(const schedule_t *schedule, uint32_t message, uint64_t at)
{
    uint64_t due = schedule_due(schedule, message);

    return at > due ? (at - due) / 1000 : 0;
}


void
schedule_sleep(schedule_t *schedule, loop_t *loop)
{
    uint64_t until = schedule->woke + LONGEST_PAUSE, due;

    if (schedule->next < schedule->total) {
        due = schedule_due(schedule, schedule->next);
        until = due < until ? due : until;
    }

    if (until < schedule->woke + SHORTEST_PAUSE) {
        until = schedule->woke + SHORTEST_PAUSE;
    }

    loop_sleep(loop, until);
    schedule->woke = tool_now();
}


int
schedule_take(schedule_t *schedule, uint32_t *message)
{
    if (schedule->next == schedule->total
        || schedule_due(schedule, schedule->next) > tool_now())
    {
        return CSC_AGAIN;
    }

    *message = schedule->next++;
    return CSC_OK;
}


int
schedule_counts(const schedule_t *schedule, uint32_t message)
{
    return message >= schedule->warmup;
}


void
schedule_sent(schedule_t *schedule, uint32_t message)
{
    if (schedule_counts(schedule, message)) {
        histogram_add(&schedule->lag, since_due(schedule, message, tool_now()));
    }
}


void
schedule_acked(schedule_t *schedule, uint32_t message, uint64_t at)
{
    if (schedule->acked[message]++) {
        return;
    }

    schedule->acks++;
    if (schedule_counts(schedule, message)) {
        histogram_add(&schedule->ack, since_due(schedule, message, at));
    }
}


void
schedule_delivered(schedule_t *schedule, uint32_t message, uint64_t at)
{
    uint64_t us = since_due(schedule, message, at);

    if (!schedule_counts(schedule, message)) {
        return;
    }

    histogram_add(&schedule->delivery, us);

    if (schedule->limit && us > schedule->limit
        && ++schedule->late > schedule->may_be_late)
    {
        schedule->total = schedule->next;
    }
}


void
schedule_closed(schedule_t *schedule, const char *why)
{
    schedule->closed++;
    if (schedule->why == NULL) {
        schedule->why = why;
    }
}


int
schedule_find(const schedule_t *schedule, csc_str_t event, uint32_t *message)
{
    uint64_t value;

    if (tool_number(event, schedule->key, 10, &value) != CSC_OK
        || value >= schedule->total)
    {
        return CSC_ERROR;
    }

    *message = (uint32_t) value;
    return CSC_OK;
}


uint64_t
schedule_unacked(const schedule_t *schedule)
{
    uint64_t n = 0;
    uint32_t i;

    for (i = schedule->warmup; i < schedule->total; i++) {
        n += !schedule->acked[i];
    }

    return n;
}


void
schedule_report(const schedule_t *schedule, const options_t *options,
    csc_json_writer_t *report)
{
    report_int(report, "rate", options->rate);
    report_int(report, "messages", schedule->total - schedule->warmup);
    report_int(report, "unacked", schedule_unacked(schedule));
    report_int(report, "refused", schedule->refused);
    report_int(report, "closed", schedule->closed);
    csc_json_key(report, "gave_up");
    csc_json_bool(report, schedule->late > schedule->may_be_late);
    csc_json_key(report, "closed_why");
    csc_json_text(report, schedule->why);
    report_histogram(report, "ack", &schedule->ack);
    report_histogram(report, "delivery", &schedule->delivery);
    report_histogram(report, "lag", &schedule->lag);
}
