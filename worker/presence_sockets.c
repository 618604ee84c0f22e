#include <stdlib.h>
#include <string.h>

#include "presence_sockets.h"

/* --- words --- */

/* Takes the next word off the text; CSC_ERROR where there is none. */
static int
presence_word(csc_str_t *text, csc_str_t *word)
{
    const unsigned char *end;

    if (text->len == 0) {
        return CSC_ERROR;
    }

    end = memchr(text->data, ' ', text->len);
    word->data = text->data;
    word->len = end != NULL ? (size_t) (end - text->data) : text->len;

    text->data += word->len;
    text->len -= word->len;
    if (text->len > 0) {
        text->data++;
        text->len--;
    }

    return CSC_OK;
}

static int
presence_socket_is(csc_str_t conn)
{
    size_t i;

    if (conn.len == 0 || conn.len > PRESENCE_CONN_MAX) {
        return 0;
    }

    for (i = 0; i < conn.len; i++) {
        if (conn.data[i] <= 0x20 || conn.data[i] >= 0x7f) {
            return 0;
        }
    }

    return 1;
}

int
presence_limit_read(csc_str_t words, csc_str_t *conn, presence_limit_t *limit)
{
    csc_str_t word;

    memset(limit, 0, sizeof(*limit));

    if (presence_word(&words, conn) != CSC_OK || !presence_socket_is(*conn)) {
        return CSC_ERROR;
    }

    if (presence_word(&words, &word) == CSC_OK
        && csc_str_to_u64(word, UINT32_MAX, &limit->sockets) != CSC_OK)
    {
        return CSC_ERROR;
    }

    while (presence_word(&words, &word) == CSC_OK) {
        if (csc_str_is(word, "newest")) {
            limit->newest = 1;
        } else if (csc_str_to_u64(word, UINT32_MAX, &limit->age) != CSC_OK) {
            return CSC_ERROR;
        }
    }

    return CSC_OK;
}

/* --- the list of a process --- */

static csc_str_t
presence_sockets(const presence_holder_t *holder)
{
    csc_str_t list;

    list.data = holder->sockets;
    list.len = holder->sockets_len;

    return list;
}

static int
presence_socket_cmp(csc_str_t a, csc_str_t b)
{
    int rc = memcmp(a.data, b.data, a.len < b.len ? a.len : b.len);

    return rc != 0 ? rc : (a.len > b.len) - (a.len < b.len);
}

/* The socket in the list, a view of its own memory; CSC_ERROR: not there. */
static int
presence_socket_find(
    const presence_holder_t *holder, csc_str_t conn, csc_str_t *found)
{
    csc_str_t list = presence_sockets(holder);

    while (presence_word(&list, found) == CSC_OK) {
        if (presence_socket_cmp(*found, conn) == 0) {
            return CSC_OK;
        }
    }

    return CSC_ERROR;
}

static int
presence_sockets_append(presence_holder_t *holder, csc_str_t text)
{
    size_t len = holder->sockets_len + text.len + 1;
    unsigned char *sockets = realloc(holder->sockets, len);

    if (sockets == NULL) {
        return CSC_ERROR;
    }

    memcpy(sockets + holder->sockets_len, text.data, text.len);
    sockets[len - 1] = ' ';
    holder->sockets = sockets;
    holder->sockets_len = len;

    return CSC_OK;
}

int
presence_socket_add(presence_holder_t *holder, csc_str_t conn)
{
    csc_str_t found;

    if (presence_socket_find(holder, conn, &found) == CSC_OK) {
        return CSC_OK;
    }

    return presence_sockets_append(holder, conn);
}

static void
presence_socket_drop(presence_holder_t *holder, csc_str_t conn)
{
    csc_str_t found;
    size_t at;

    if (presence_socket_find(holder, conn, &found) == CSC_OK) {
        at = (size_t) (found.data - holder->sockets);
        holder->sockets_len -= found.len + 1;
        memmove(holder->sockets + at, holder->sockets + at + found.len + 1,
            holder->sockets_len - at);
    }
}

void
presence_socket_remove(presence_user_t *user, csc_str_t process, csc_str_t conn)
{
    presence_holder_t *holder = presence_held(user, process);

    if (holder != NULL) {
        presence_socket_drop(holder, conn);
    }
}

int
presence_sockets_set(presence_holder_t *holder, csc_str_t list)
{
    if (list.len > 0 && holder->sockets_len == list.len + 1
        && memcmp(holder->sockets, list.data, list.len) == 0)
    {
        return CSC_OK; /* as nearly always */
    }

    holder->sockets_len = 0;

    return list.len > 0 ? presence_sockets_append(holder, list) : CSC_OK;
}

/* --- all of a user --- */

/* The number of sockets, and the oldest of them with its holder. */
static size_t
presence_count(
    presence_user_t *user, presence_holder_t **holder, csc_str_t *oldest)
{
    presence_holder_t *each;
    csc_str_t list, conn;
    size_t count = 0;

    for (each = user->holders; each != NULL; each = each->next) {
        list = presence_sockets(each);
        while (presence_word(&list, &conn) == CSC_OK) {
            if (count++ == 0 || presence_socket_cmp(conn, *oldest) < 0) {
                *oldest = conn;
                *holder = each;
            }
        }
    }

    return count;
}

int
presence_limit_apply(bus_t *bus, presence_user_t *user,
    presence_holder_t *opener, csc_str_t conn, const presence_limit_t *limit)
{
    presence_holder_t *holder = NULL;
    csc_str_t id = { CSC_UUID_LEN, user->id }, victim = CSC_STR_NULL;
    int closed = 0;

    while (limit->sockets > 0 && !closed
           && presence_count(user, &holder, &victim) > limit->sockets)
    {
        if (limit->newest) {
            holder = opener;
            victim = conn;
        }

        closed = presence_socket_cmp(victim, conn) == 0;
        bus_close_socket(bus, id, victim);
        presence_socket_drop(holder, victim);
    }

    return closed;
}
