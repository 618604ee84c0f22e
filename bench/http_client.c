#include <string.h>
#include <strings.h>

#include "http_client.h"
#include "tool.h"

#define MAX_HEAD 16384
#define MAX_BODY UINT64_C(16777216)


static void
on_opened(link_t *link)
{
    http_client_t *http = (http_client_t *) link;

    http->ready = 1;
    http->handler->ready(http);
}


/* The value of Content-Length in a head; CSC_ERROR when there is none. */
static int
content_length(const char *head, size_t len, uint64_t *value)
{
    static const char name[] = "content-length: ";
    const char *line, *end;
    csc_str_t number;

    end = head + len;
    line = memchr(head, '\n', len);

    while (line != NULL && ++line < end) {
        if ((size_t) (end - line) > sizeof(name)
            && strncasecmp(line, name, sizeof(name) - 1) == 0)
        {
            line += sizeof(name) - 1;
            number.data = (const unsigned char *) line;
            number.len = strcspn(line, "\r");
            return csc_str_to_u64(number, MAX_BODY, value);
        }
        line = memchr(line, '\n', (size_t) (end - line));
    }

    return CSC_ERROR;
}


static int
status_of(const char *head, size_t len)
{
    csc_str_t number = { 3, (const unsigned char *) head + 9 };
    uint64_t status;

    if (len < 16 || memcmp(head, "HTTP/1.1 ", 9) != 0
        || csc_str_to_u64(number, 999, &status) != CSC_OK)
    {
        return 0;
    }

    return (int) status;
}


static size_t
on_received(link_t *link, unsigned char *data, size_t len)
{
    http_client_t *http = (http_client_t *) link;
    const unsigned char *end;
    uint64_t body;
    size_t head;
    int status;

    end = memmem(data, len, "\r\n\r\n", 4);
    if (end == NULL) {
        if (len > MAX_HEAD) {
            link_fail(link, "got a head that is too long");
        }
        return 0;
    }

    head = (size_t) (end - data) + 4;
    status = status_of((const char *) data, head);
    if (status == 0 || !http->busy
        || content_length((const char *) data, head, &body) != CSC_OK)
    {
        link_fail(link, "got an answer that is not understood");
        return 0;
    }

    if (len - head < body) {
        return 0;
    }

    http->busy = 0;
    http->handler->answered(http, status);
    return head + (size_t) body;
}


static void
on_closed(link_t *link, const char *why)
{
    http_client_t *http = (http_client_t *) link;

    http->ready = 0;
    http->handler->closed(http, why);
}


static const link_handler_t link_handler = { on_opened, on_received,
    on_closed };


void
http_open(http_client_t *http, loop_t *loop, const http_handler_t *handler)
{
    http->handler = handler;
    http->ready = 0;
    http->busy = 0;

    link_open(&http->link, loop, &link_handler);
}


void
http_send(http_client_t *http, const char *request, size_t len)
{
    http->busy = 1;
    link_send(&http->link, request, len);
}
