/*
 * Where Redis was found: the addresses of its name, and which of them is the
 * next to try.
 */

#ifndef REDIS_WHERE_H
#define REDIS_WHERE_H

#include <netdb.h>
#include <stddef.h>
#include <netinet/in.h>

#define REDIS_WHERE_MAX 16 /* addresses of one name; further ones are left */

/* A numeric address without its port, as hiredis takes it. */
typedef char redis_ip_t[INET6_ADDRSTRLEN];

/* Shared by the links of a worker, which are to meet at one Redis. */
typedef struct {
    size_t n;
    redis_ip_t ips[REDIS_WHERE_MAX];
    redis_ip_t current;  /* of the last attempt */
    unsigned failed : 1; /* that attempt */
} redis_where_t;

/* What a name was resolved to, or an address that needs no resolving. */
void redis_where_set(redis_where_t *where, const struct addrinfo *result);
void redis_where_numeric(redis_where_t *where, const char *ip);

/* The address to try now: the one before, or, if that failed, another. */
void redis_where_next(redis_where_t *where, redis_ip_t ip);

/* Nobody, or the wrong one, was found at an address. */
void redis_where_failed(redis_where_t *where, const redis_ip_t ip);

#endif /* REDIS_WHERE_H */
