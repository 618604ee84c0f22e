/* --check: can the worker do its work with these settings? */

#ifndef CHECK_H
#define CHECK_H

#include "config.h"
#include "redis_address.h"

/* Prints a line for everything that is looked at; 0, or 1 for a fault. */
int check_run(const config_t *config, const redis_address_t *address);

#endif /* CHECK_H */
