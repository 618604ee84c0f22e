/*
 * The worker's settings.  Each has one name, used in the file
 * (`max_batch 256`), in the environment (CS_CHAT_MAX_BATCH) and as a flag
 * (--max-batch 256); a later one of these three wins.
 */

#ifndef CONFIG_H
#define CONFIG_H

#include <stdio.h>
#include <stdint.h>

#include "log.h"

typedef struct {
    char *database_url; /* URL or keyword string; has a password */
    char *redis_url;    /* redis:// or unix://; has a password */
    char *redis_password_file;
    char *prefix; /* of the channels */
    char *log_level_name;
    char *server_mode;

    uint64_t readers;            /* sessions for reading */
    uint64_t max_queue;          /* requests in the worker at once */
    uint64_t max_queue_size;     /* bytes of these */
    uint64_t redis_buffer;       /* bytes that wait for Redis */
    uint64_t max_batch;          /* messages in a statement */
    uint64_t batch_pause;        /* ms between two batches, at most */
    uint64_t max_wait;           /* ms that messages wait for their turn */
    uint64_t password_queue;     /* password jobs waiting or running */
    uint64_t password_processes; /* that hash; 0: one per processor */
    uint64_t statement_timeout;  /* ms */
    uint64_t connect_timeout;    /* ms */
    uint64_t shutdown_timeout;   /* ms */
    uint64_t hang_timeout;       /* ms */
    uint64_t presence_grace;     /* ms */
    uint64_t presence_lease;     /* ms */
    uint64_t presence_interval;  /* ms */
    uint64_t metrics_interval;   /* ms; 0: none */

    log_level_e log_level;
} config_t;

typedef enum {
    CONFIG_SERVE,
    CONFIG_CHECK,
    CONFIG_MIGRATE,
    CONFIG_SEED,
    CONFIG_RESET,
    CONFIG_HELP,
    CONFIG_VERSION
} config_mode_e;

typedef struct {
    config_mode_e mode;
    int force;
} config_arguments_t;

/*
 * Reads defaults, file, environment and flags.  CSC_ERROR, with a sentence in
 * error (never with a URL's password), for anything that is not right.
 */
int config_load(config_t *config, config_arguments_t *arguments, int argc,
    char **argv, char *error, size_t size);

int config_production(const config_t *config);

/* The text of --help. */
void config_help(FILE *out);

void config_free(config_t *config);

#endif /* CONFIG_H */
