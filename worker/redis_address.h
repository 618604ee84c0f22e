/* Where Redis is and how to get in: the redis_url setting, taken apart. */

#ifndef REDIS_ADDRESS_H
#define REDIS_ADDRESS_H

#include <stddef.h>

#define REDIS_PASSWORD_MAX 512

typedef struct {
    char host[256];
    int port;
    char path[108];                    /* of a Unix socket; empty: TCP */
    char user[128];                    /* empty: the default user */
    char password[REDIS_PASSWORD_MAX]; /* empty: none */
    char text[300];                    /* for logs: no password in it */
} redis_address_t;

/*
 * redis://[[user]:password@]host[:port][/], unix://[[user]:password@]/path,
 * or a bare /path; user and password are percent-encoded.  CSC_ERROR with a
 * sentence in error.
 */
int redis_address_parse(
    const char *url, redis_address_t *address, char *error, size_t size);

/* Takes the password from the first line of a file. */
int redis_address_password_file(
    const char *path, redis_address_t *address, char *error, size_t size);

#endif /* REDIS_ADDRESS_H */
