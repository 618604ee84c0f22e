#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <openssl/rand.h>

#include "backoff.h"
#include "check.h"
#include "config.h"
#include "migrate.h"
#include "password_process.h"
#include "redis_address.h"
#include "service.h"

#define MAIN_ERROR 512
#define MAIN_SEED_PASSWORD "password123"

static int
main_fail(const char *error)
{
    fprintf(stderr, "cs-chat-worker: %s\n", error);

    return 1;
}

/* Waits for a database that is still starting. */
static PGconn *
main_connect(const config_t *config)
{
    char error[MAIN_ERROR];
    uint64_t delay = 0;
    PGconn *conn;
    int logged = 0;

    while ((conn = migrate_connect(config, error, sizeof(error))) == NULL) {
        if (!logged) {
            log_error("PostgreSQL can't be reached, trying again",
                LOG_TEXT("reason", error));
            logged = 1;
        }
        usleep((useconds_t) (1000 * backoff_next(&delay)));
    }

    return conn;
}

/* Until the loop runs; the first process of a container has no default. */
static void
main_on_signal(int number)
{
    (void) number;

    _exit(0);
}

static int
main_serve(const config_t *config, const redis_address_t *address)
{
    PGconn *conn;
    int rc;

    signal(SIGTERM, main_on_signal);
    signal(SIGINT, main_on_signal);

    conn = main_connect(config);
    rc = migrate_run(conn);
    PQfinish(conn);

    return rc == CSC_OK ? service_run(config, address) : 1;
}

static int
main_database(const config_t *config, config_mode_e mode)
{
    static const csc_str_t password = CSC_STR(MAIN_SEED_PASSWORD);
    char error[MAIN_ERROR], hash[PASSWORD_HASH_MAX];
    PGconn *conn;
    int rc;

    conn = migrate_connect(config, error, sizeof(error));
    if (conn == NULL) {
        return main_fail(error);
    }

    rc = migrate_run(conn);

    if (rc == CSC_OK && mode != CONFIG_MIGRATE) {
        rc = password_hash_now(password, hash);
        if (rc == CSC_OK) {
            rc = mode == CONFIG_SEED ? migrate_seed(conn, hash)
                                     : migrate_reset(conn, hash);
        }
    }

    PQfinish(conn);

    return rc == CSC_OK ? 0 : 1;
}

static int
main_run(const config_t *config, const config_arguments_t *arguments)
{
    redis_address_t address;
    char error[MAIN_ERROR];

    if (arguments->mode == CONFIG_RESET && config_production(config)
        && !arguments->force)
    {
        return main_fail("--reset deletes everything; in production it needs "
                         "--force");
    }

    if (arguments->mode == CONFIG_MIGRATE || arguments->mode == CONFIG_SEED
        || arguments->mode == CONFIG_RESET)
    {
        return main_database(config, arguments->mode);
    }

    if (redis_address_parse(config->redis_url, &address, error, sizeof(error))
            != CSC_OK
        || (*config->redis_password_file != '\0'
            && redis_address_password_file(
                   config->redis_password_file, &address, error, sizeof(error))
                   != CSC_OK))
    {
        return main_fail(error);
    }

    return arguments->mode == CONFIG_CHECK ? check_run(config, &address)
                                           : main_serve(config, &address);
}

static void
main_seed_random(void)
{
    unsigned seed;

    if (RAND_bytes((unsigned char *) &seed, sizeof(seed)) == 1) {
        srandom(seed);
    }
}

int
main(int argc, char **argv)
{
    config_arguments_t arguments;
    config_t config;
    char error[MAIN_ERROR];
    int rc;

    if (argc == 2 && strcmp(argv[1], PASSWORD_PROCESS_MODE) == 0) {
        return password_process_run();
    }

    rc = config_load(&config, &arguments, argc, argv, error, sizeof(error));

    if (rc != CSC_OK) {
        config_free(&config);
        return main_fail(error);
    }

    if (arguments.mode == CONFIG_HELP) {
        config_help(stdout);
        return 0;
    }

    if (arguments.mode == CONFIG_VERSION) {
        puts("cs-chat-worker " CS_CHAT_VERSION);
        return 0;
    }

    /* hiredis writes to sockets that may be closed */
    signal(SIGPIPE, SIG_IGN);
    log_set_level(config.log_level);
    main_seed_random();

    rc = main_run(&config, &arguments);
    config_free(&config);

    return rc;
}
