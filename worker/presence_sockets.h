/*
 * The sockets of a user, over all NGINX processes, and how many there may be.
 * Ids of sockets rise with the time at which they were opened.
 */

#ifndef PRESENCE_SOCKETS_H
#define PRESENCE_SOCKETS_H

#include "bus.h"
#include "presence_table.h"

typedef struct {
    uint64_t sockets;    /* that a user may have; 0: any number */
    uint64_t age;        /* ms since the socket was opened, where it is told
                            late */
    unsigned newest : 1; /* what is too much is the new one, not the oldest */
} presence_limit_t;

/*
 * Reads what stands behind a user who opened a socket, "<id>[ <number>[
 * newest][ <age>]]".  CSC_ERROR when it is something else.
 */
int presence_limit_read(
    csc_str_t words, csc_str_t *conn, presence_limit_t *limit);

/*
 * Has the sockets closed that are too many now that the process opened conn,
 * and counts them no more.  1 when conn is among them.
 */
int presence_limit_apply(bus_t *bus, presence_user_t *user,
    presence_holder_t *opener, csc_str_t conn, const presence_limit_t *limit);

/* A socket of the process; nothing is done where it is known. */
int presence_socket_add(presence_holder_t *holder, csc_str_t conn);

/* It counts no more. */
void presence_socket_remove(
    presence_user_t *user, csc_str_t process, csc_str_t conn);

/* All sockets of the process, separated by spaces. */
int presence_sockets_set(presence_holder_t *holder, csc_str_t list);

#endif /* PRESENCE_SOCKETS_H */
