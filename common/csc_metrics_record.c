/* What a chat worker has counted, as the body of a message on the bus. */

#include "csc_metrics.h"
#include "csc_text.h"

#include <string.h>

static const csc_metric_t *csc_metrics_find(
    const csc_metrics_set_t *set, csc_str_t name);
static int csc_metrics_word(csc_str_t *text, csc_str_t *word);
static int csc_metrics_line(
    const csc_metrics_set_t *set, csc_str_t line, uint64_t *row);


size_t
csc_metrics_encode(const csc_metrics_set_t *set, const uint64_t *row,
    unsigned char *out, size_t size)
{
    size_t i, j;
    csc_text_t text = { out, size, 0 };
    const csc_metric_t *metric;

    for (i = 0; i < set->count; i++) {
        metric = &set->metrics[i];
        csc_text_puts(&text, metric->name);

        for (j = 0; j < csc_metrics_width(metric); j++) {
            csc_text_puts(&text, " ");
            csc_text_number(&text, row[metric->offset + j]);
        }

        csc_text_puts(&text, "\n");
    }

    return text.len;
}


int
csc_metrics_decode(const csc_metrics_set_t *set, csc_str_t text, uint64_t *row)
{
    csc_str_t line;
    const unsigned char *end;

    memset(row, 0, set->values * sizeof(uint64_t));

    while (text.len > 0) {
        end = memchr(text.data, '\n', text.len);
        if (end == NULL) {
            return CSC_ERROR;
        }

        line.data = text.data;
        line.len = (size_t) (end - text.data);
        text.data += line.len + 1;
        text.len -= line.len + 1;

        if (csc_metrics_line(set, line, row) != CSC_OK) {
            return CSC_ERROR;
        }
    }

    return CSC_OK;
}


static int
csc_metrics_line(const csc_metrics_set_t *set, csc_str_t line, uint64_t *row)
{
    size_t n, width;
    uint64_t number, *values;
    csc_str_t word, rest;
    const csc_metric_t *metric;

    if (csc_metrics_word(&line, &word) != CSC_OK) {
        return CSC_ERROR;
    }

    metric = csc_metrics_find(set, word);
    width = metric != NULL ? csc_metrics_width(metric) : 0;
    values = metric != NULL ? row + metric->offset : NULL;
    rest = line;

    for (n = 0; rest.len > 0; n++) {
        if (csc_metrics_word(&rest, &word) != CSC_OK
            || csc_str_to_u64(word, UINT64_MAX, &number) != CSC_OK)
        {
            return CSC_ERROR;
        }
    }

    if (n != width) {
        return CSC_OK;
    }

    for (n = 0; n < width; n++) {
        (void) csc_metrics_word(&line, &word);
        (void) csc_str_to_u64(word, UINT64_MAX, &values[n]);
    }

    return CSC_OK;
}


static const csc_metric_t *
csc_metrics_find(const csc_metrics_set_t *set, csc_str_t name)
{
    size_t i;

    for (i = 0; i < set->count; i++) {
        if (csc_str_is(name, set->metrics[i].name)) {
            return &set->metrics[i];
        }
    }

    return NULL;
}


/* Takes a word, and the space behind it, off the text. */
static int
csc_metrics_word(csc_str_t *text, csc_str_t *word)
{
    size_t used;
    const unsigned char *end;

    end = text->len > 0 ? memchr(text->data, ' ', text->len) : NULL;

    word->data = text->data;
    word->len = end != NULL ? (size_t) (end - text->data) : text->len;
    used = end != NULL ? word->len + 1 : word->len;

    text->data += used;
    text->len -= used;

    /* a space has something behind it */

    return word->len > 0 && (end == NULL || text->len > 0) ? CSC_OK : CSC_ERROR;
}
