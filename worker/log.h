/*
 * Structured logs: one JSON object a line on standard error, in the form
 * {"level","time","message",...}.  Nothing secret goes in: no passwords,
 * tokens, hashes, message contents, nor the URLs that hold passwords.
 */

#ifndef LOG_H
#define LOG_H

#include <stdint.h>

#include "../common/csc_core.h"

typedef enum {
    LOG_DEBUG,
    LOG_INFO,
    LOG_WARN,
    LOG_ERROR,
    LOG_OFF
} log_level_e;

typedef struct {
    const char *name; /* NULL ends a list */
    const char *text; /* NULL: the number counts */
    int64_t number;
} log_field_t;

/* A fault that can come in floods: so many lines in so many seconds. */
typedef struct {
    uint64_t window; /* second in which the window began */
    uint64_t lines;
    uint64_t suppressed;
} log_limit_t;

#define LOG_TEXT(name, text)                                                   \
    {                                                                          \
        name, text, 0                                                          \
    }
#define LOG_NUMBER(name, number)                                               \
    {                                                                          \
        name, NULL, (int64_t) (number)                                         \
    }

/*
 * log_info("ready", LOG_TEXT("host", host), LOG_NUMBER("port", port));
 * A text that is NULL is written as 0.
 */
#define log_debug(...) log_at(LOG_DEBUG, __VA_ARGS__)
#define log_info(...) log_at(LOG_INFO, __VA_ARGS__)
#define log_warn(...) log_at(LOG_WARN, __VA_ARGS__)
#define log_error(...) log_at(LOG_ERROR, __VA_ARGS__)

#define log_at(level, ...) log_at_(level, __VA_ARGS__, { NULL, NULL, 0 })
#define log_at_(level, message, ...)                                           \
    do {                                                                       \
        if (log_enabled(level)) {                                              \
            log_write(level, message, (const log_field_t[]){ __VA_ARGS__ });   \
        }                                                                      \
    } while (0)

/* The smallest level that is written from now on. */
void log_set_level(log_level_e level);

int log_enabled(log_level_e level);

/* CSC_ERROR for a name that is none of debug, info, warn, error, off. */
int log_level_by_name(const char *name, log_level_e *level);

void log_write(
    log_level_e level, const char *message, const log_field_t *fields);

/*
 * 1 when the next line may be written: ten in ten seconds.  *suppressed is
 * how many were swallowed since the last one that was written.
 */
int log_allowed(log_limit_t *limit, uint64_t *suppressed);

#endif /* LOG_H */
