/* The running worker: all parts together, until it is told to stop. */

#ifndef SERVICE_H
#define SERVICE_H

#include "config.h"
#include "redis_address.h"

/* Serves until SIGTERM or SIGINT; the exit status of the process. */
int service_run(const config_t *config, const redis_address_t *address);

#endif /* SERVICE_H */
