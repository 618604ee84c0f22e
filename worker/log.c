#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <time.h>
#include <unistd.h>

#include "log.h"

#define LOG_LINE 2048
#define LOG_WINDOW 10
#define LOG_LINES 10

typedef struct {
    size_t used;
    char text[LOG_LINE];
} log_line_t;

static const char *log_names[] = { "debug", "info", "warn", "error", "off" };

static log_level_e log_minimum = LOG_INFO;

void
log_set_level(log_level_e level)
{
    log_minimum = level;
}

int
log_enabled(log_level_e level)
{
    return level >= log_minimum;
}

int
log_level_by_name(const char *name, log_level_e *level)
{
    size_t i;

    for (i = 0; i < sizeof(log_names) / sizeof(log_names[0]); i++) {
        if (strcasecmp(name, log_names[i]) == 0) {
            *level = (log_level_e) i;
            return CSC_OK;
        }
    }

    return CSC_ERROR;
}

/* Room is kept for the closing quote, brace and line feed. */
static void
log_append(log_line_t *line, const char *text, size_t len)
{
    if (len > LOG_LINE - 4 - line->used) {
        return;
    }

    memcpy(line->text + line->used, text, len);
    line->used += len;
}

static void
log_append_text(log_line_t *line, const char *text)
{
    log_append(line, text, strlen(text));
}

static void
log_append_escaped(log_line_t *line, const char *text)
{
    char escaped[8];

    for (; *text != '\0'; text++) {
        if (*text == '"' || *text == '\\') {
            escaped[0] = '\\';
            escaped[1] = *text;
            log_append(line, escaped, 2);

        } else if ((unsigned char) *text < 0x20) {
            snprintf(escaped, sizeof(escaped), "\\u%04x", (unsigned) *text);
            log_append(line, escaped, 6);

        } else {
            log_append(line, text, 1);
        }
    }
}

static void
log_append_field(log_line_t *line, const log_field_t *field)
{
    char number[24];

    log_append_text(line, ",\"");
    log_append_text(line, field->name);
    log_append_text(line, "\":");

    if (field->text == NULL) {
        snprintf(number, sizeof(number), "%lld", (long long) field->number);
        log_append_text(line, number);
        return;
    }

    log_append_text(line, "\"");
    log_append_escaped(line, field->text);
    line->text[line->used++] = '"';
}

static void
log_append_time(log_line_t *line)
{
    struct timespec now;
    struct tm tm;
    char text[80];

    clock_gettime(CLOCK_REALTIME, &now);
    gmtime_r(&now.tv_sec, &tm);
    snprintf(text, sizeof(text), "%04d-%02d-%02dT%02d:%02d:%02d.%03ldZ",
        tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday, tm.tm_hour, tm.tm_min,
        tm.tm_sec, now.tv_nsec / 1000000);
    log_append_text(line, text);
}

void
log_write(log_level_e level, const char *message, const log_field_t *fields)
{
    log_line_t line = { 0, "" };
    size_t written = 0;
    ssize_t n;

    log_append_text(&line, "{\"level\":\"");
    log_append_text(&line, log_names[level]);
    log_append_text(&line, "\",\"time\":\"");
    log_append_time(&line);
    log_append_text(&line, "\",\"message\":\"");
    log_append_escaped(&line, message);
    line.text[line.used++] = '"';

    for (; fields->name != NULL; fields++) {
        /* a field that does not fit is left out as a whole */
        if (strlen(fields->name) + 32
                + (fields->text ? 6 * strlen(fields->text) : 0)
            < LOG_LINE - line.used)
        {
            log_append_field(&line, fields);
        }
    }

    line.text[line.used++] = '}';
    line.text[line.used++] = '\n';

    while (written < line.used) {
        n = write(STDERR_FILENO, line.text + written, line.used - written);
        if (n <= 0) {
            return; /* nobody can be told that the log is gone */
        }
        written += (size_t) n;
    }
}

int
log_allowed(log_limit_t *limit, uint64_t *suppressed)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);

    if ((uint64_t) now.tv_sec - limit->window >= LOG_WINDOW) {
        limit->window = (uint64_t) now.tv_sec;
        limit->lines = 0;
    }

    if (limit->lines == LOG_LINES) {
        limit->suppressed++;
        return 0;
    }

    limit->lines++;
    *suppressed = limit->suppressed;
    limit->suppressed = 0;

    return 1;
}
