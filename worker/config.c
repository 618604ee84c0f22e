#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <ctype.h>

#include <libpq-fe.h>

#include "../common/csc_bus.h"
#include "config.h"

#define CONFIG_LINE 4096
#define CONFIG_TB 1099511627776

typedef enum {
    CONFIG_TEXT,
    CONFIG_COUNT,
    CONFIG_SIZE,
    CONFIG_TIME
} config_kind_e;

typedef struct {
    const char *name;
    const char *environment;
    config_kind_e kind;
    const char *preset;
    uint64_t min;
    uint64_t max;
    size_t offset;
    const char *help;
} config_setting_t;

#define AT(field) offsetof(config_t, field)

static const config_setting_t config_settings[] = {
    { "database_url", "DATABASE_URL", CONFIG_TEXT,
        "postgres://localhost/cs_socket", 0, 0, AT(database_url),
        "PostgreSQL, as a URL or as keywords" },
    { "redis_url", "REDIS_URL", CONFIG_TEXT, "redis://127.0.0.1:6379", 0, 0,
        AT(redis_url),
        "redis://[[user]:password@]host[:port] or "
        "unix://[[user]:password@]/path" },
    { "redis_password_file", "CS_CHAT_REDIS_PASSWORD_FILE", CONFIG_TEXT, "", 0,
        0, AT(redis_password_file),
        "file whose first line is the Redis password" },
    { "prefix", "CS_CHAT_PREFIX", CONFIG_TEXT, "cs_chat:", 0, 0, AT(prefix),
        "what the names of all channels begin with; as cs_chat_prefix" },
    { "log_level", "LOG_LEVEL", CONFIG_TEXT, "info", 0, 0, AT(log_level_name),
        "debug, info, warn, error or off" },
    { "server_mode", "SERVER_MODE", CONFIG_TEXT, "development", 0, 0,
        AT(server_mode), "development or production" },
    { "readers", "CS_CHAT_READERS", CONFIG_COUNT, "3", 1, 64, AT(readers),
        "PostgreSQL sessions for reading, beside the one that writes" },
    { "max_queue", "CS_CHAT_MAX_QUEUE", CONFIG_COUNT, "20000", 1, 10000000,
        AT(max_queue), "requests in the worker at once; more are refused" },
    { "max_queue_size", "CS_CHAT_MAX_QUEUE_SIZE", CONFIG_SIZE, "256m", 1048576,
        CONFIG_TB, AT(max_queue_size),
        "memory of requests in the worker; more are refused" },
    { "redis_buffer", "CS_CHAT_REDIS_BUFFER", CONFIG_SIZE, "64m", 65536,
        CONFIG_TB, AT(redis_buffer),
        "bytes that wait for Redis; what is above is lost" },
    { "max_batch", "CS_CHAT_MAX_BATCH", CONFIG_COUNT, "256", 1, 10000,
        AT(max_batch), "messages stored by one statement" },
    { "batch_pause", "CS_CHAT_BATCH_PAUSE", CONFIG_TIME, "5ms", 0, 1000,
        AT(batch_pause),
        "that messages gather for one commit where many come; 0: never" },
    { "max_wait", "CS_CHAT_MAX_WAIT", CONFIG_TIME, "2s", 50, 60000,
        AT(max_wait), "that messages wait for their turn; more are refused" },
    { "password_queue", "CS_CHAT_PASSWORD_QUEUE", CONFIG_COUNT, "256", 1,
        100000, AT(password_queue),
        "logins and registrations at once; more are refused" },
    { "password_processes", "CS_CHAT_PASSWORD_PROCESSES", CONFIG_COUNT, "0", 0,
        256, AT(password_processes),
        "processes that hash passwords; 0 is one per processor" },
    { "statement_timeout", "CS_CHAT_STATEMENT_TIMEOUT", CONFIG_TIME, "4s", 100,
        600000, AT(statement_timeout), "limit of one statement" },
    { "connect_timeout", "CS_CHAT_CONNECT_TIMEOUT", CONFIG_TIME, "5s", 100,
        600000, AT(connect_timeout), "limit of connecting" },
    { "shutdown_timeout", "CS_CHAT_SHUTDOWN_TIMEOUT", CONFIG_TIME, "10s", 100,
        600000, AT(shutdown_timeout), "time to finish what is in flight" },
    { "hang_timeout", "CS_CHAT_HANG_TIMEOUT", CONFIG_TIME, "10s", 3000, 3600000,
        AT(hang_timeout),
        "from a worker's last word until PostgreSQL ends its session" },
    { "presence_grace", "CS_CHAT_PRESENCE_GRACE", CONFIG_TIME, "10s", 0,
        3600000, AT(presence_grace),
        "from the last socket's end until its user is offline" },
    { "presence_lease", "CS_CHAT_PRESENCE_LEASE", CONFIG_TIME, "30s", 1000,
        3600000, AT(presence_lease),
        "from an NGINX process's last renewal until its users are gone" },
    { "presence_interval", "CS_CHAT_PRESENCE_INTERVAL", CONFIG_TIME, "1s", 0,
        60000, AT(presence_interval),
        "between two changes of one user that are told" },
    { "metrics_interval", "CS_CHAT_METRICS_INTERVAL", CONFIG_TIME, "5s", 0,
        600000, AT(metrics_interval),
        "between two reports of what was counted; 0: none" },
};

#define CONFIG_SETTINGS (sizeof(config_settings) / sizeof(config_settings[0]))

static int
config_error(char *error, size_t size, const char *source, const char *name,
    const char *reason)
{
    snprintf(error, size, "%s: \"%s\" %s", source, name, reason);
    return CSC_ERROR;
}

static char **
config_text_at(config_t *config, const config_setting_t *setting)
{
    return (char **) (void *) ((char *) config + setting->offset);
}

typedef struct {
    const char *name;
    uint64_t factor;
} config_unit_t;

typedef struct {
    const config_unit_t *units; /* the last one has no name */
    const char *hint;
} config_form_t;

static const config_unit_t config_no_units[] = { { "", 1 }, { NULL, 0 } };

static const config_unit_t config_times[] = { { "ms", 1 }, { "s", 1000 },
    { "", 1000 }, { "m", 60000 }, { NULL, 0 } };

static const config_unit_t config_sizes[] = { { "", 1 }, { "k", 1024 },
    { "m", 1048576 }, { "g", 1073741824 }, { NULL, 0 } };

static const config_form_t config_forms[] = {
    [CONFIG_COUNT] = { config_no_units, "" },
    [CONFIG_SIZE] = { config_sizes, " bytes (units: k, m, g)" },
    [CONFIG_TIME] = { config_times, " ms (units: ms, s, m)" },
};

/* A number and one of the units of its kind. */
static int
config_parse_number(config_kind_e kind, const char *value, uint64_t *number)
{
    csc_str_t digits = csc_str(value);
    const char *name = value + strspn(value, "0123456789");
    const config_unit_t *unit = config_forms[kind].units;

    while (unit->name != NULL && strcmp(unit->name, name) != 0) {
        unit++;
    }

    digits.len = (size_t) (name - value);

    if (unit->name == NULL
        || csc_str_to_u64(digits, UINT64_MAX / unit->factor, number) != CSC_OK)
    {
        return CSC_ERROR;
    }

    *number *= unit->factor;

    return CSC_OK;
}

static int
config_set_number(config_t *config, const config_setting_t *setting,
    const char *value, const char *source, char *error, size_t size)
{
    uint64_t number;
    char reason[128];

    if (config_parse_number(setting->kind, value, &number) != CSC_OK
        || number < setting->min || number > setting->max)
    {
        snprintf(reason, sizeof(reason), "must be a number from %llu to %llu%s",
            (unsigned long long) setting->min,
            (unsigned long long) setting->max,
            config_forms[setting->kind].hint);
        return config_error(error, size, source, setting->name, reason);
    }

    memcpy((char *) config + setting->offset, &number, sizeof(number));

    return CSC_OK;
}

static int
config_set(config_t *config, const config_setting_t *setting, const char *value,
    const char *source, char *error, size_t size)
{
    char **text, *copy;

    if (setting->kind != CONFIG_TEXT) {
        return config_set_number(config, setting, value, source, error, size);
    }

    copy = strdup(value);
    if (copy == NULL) {
        return config_error(error, size, source, setting->name,
            "could not be kept: out of memory");
    }

    text = config_text_at(config, setting);
    free(*text);
    *text = copy;

    return CSC_OK;
}

/* By its name, in which '-' stands for '_' too. */
static const config_setting_t *
config_find(const char *name, size_t len)
{
    size_t i, k;

    for (i = 0; i < CONFIG_SETTINGS; i++) {
        if (strlen(config_settings[i].name) != len) {
            continue;
        }

        for (k = 0; k < len; k++) {
            if ((name[k] == '-' ? '_' : name[k]) != config_settings[i].name[k])
            {
                break;
            }
        }

        if (k == len) {
            return &config_settings[i];
        }
    }

    return NULL;
}

static char *
config_trim(char *text)
{
    char *end;

    while (isspace((unsigned char) *text)) {
        text++;
    }

    end = text + strlen(text);
    while (end > text && isspace((unsigned char) end[-1])) {
        end--;
    }
    *end = '\0';

    return text;
}

static int
config_file_line(
    config_t *config, char *line, const char *source, char *error, size_t size)
{
    const config_setting_t *setting;
    char *name, *value;
    size_t len;

    name = config_trim(line);
    if (*name == '\0' || *name == '#') {
        return CSC_OK;
    }

    len = strcspn(name, " \t");
    value = config_trim(name + len);

    setting = config_find(name, len);
    if (setting == NULL) {
        name[len] = '\0';
        return config_error(error, size, source, name, "is no setting");
    }

    return config_set(config, setting, value, source, error, size);
}

static int
config_file(config_t *config, const char *path, char *error, size_t size)
{
    FILE *file;
    char line[CONFIG_LINE], source[256];
    unsigned number = 0;
    int rc = CSC_OK;

    file = fopen(path, "re");
    if (file == NULL) {
        snprintf(
            error, size, "configuration file %s: %s", path, strerror(errno));
        return CSC_ERROR;
    }

    while (rc == CSC_OK && fgets(line, sizeof(line), file) != NULL) {
        snprintf(source, sizeof(source), "%.200s:%u", path, ++number);

        if (strchr(line, '\n') == NULL && !feof(file)) {
            rc = config_error(
                error, size, source, "line", "is too long, or has a NUL byte");
            break;
        }

        rc = config_file_line(config, line, source, error, size);
    }

    if (rc == CSC_OK && ferror(file)) {
        snprintf(error, size, "configuration file %s can't be read", path);
        rc = CSC_ERROR;
    }

    fclose(file);

    return rc;
}

static int
config_environment(config_t *config, char *error, size_t size)
{
    const char *value;
    size_t i;

    for (i = 0; i < CONFIG_SETTINGS; i++) {
        value = getenv(config_settings[i].environment);

        /* an empty variable is how compose files spell an absent one */
        if (value == NULL || *value == '\0') {
            continue;
        }

        if (config_set(
                config, &config_settings[i], value, "environment", error, size)
            != CSC_OK)
        {
            return CSC_ERROR;
        }
    }

    return CSC_OK;
}

static int
config_mode_flag(const char *flag, config_arguments_t *arguments)
{
    static const struct {
        const char *flag;
        config_mode_e mode;
    } modes[] = {
        { "--check", CONFIG_CHECK },
        { "--migrate", CONFIG_MIGRATE },
        { "--seed", CONFIG_SEED },
        { "--reset", CONFIG_RESET },
        { "--help", CONFIG_HELP },
        { "-h", CONFIG_HELP },
        { "--version", CONFIG_VERSION },
        { "-V", CONFIG_VERSION },
    };
    size_t i;

    if (strcmp(flag, "--force") == 0) {
        arguments->force = 1;
        return CSC_OK;
    }

    for (i = 0; i < sizeof(modes) / sizeof(modes[0]); i++) {
        if (strcmp(flag, modes[i].flag) == 0) {
            arguments->mode = modes[i].mode;
            return CSC_OK;
        }
    }

    return CSC_ERROR;
}

/*
 * --name value or --name=value: *len is the length of the name and *value the
 * value; *i moves on when the value is the next argument.
 */
static int
config_split_flag(
    int argc, char **argv, int *i, size_t *len, const char **value)
{
    const char *flag = argv[*i];

    if (strncmp(flag, "--", 2) != 0) {
        return CSC_ERROR;
    }

    *len = strcspn(flag + 2, "=");

    if (flag[2 + *len] == '=') {
        *value = flag + 3 + *len;
        return CSC_OK;
    }

    if (*i + 1 == argc) {
        return CSC_ERROR;
    }

    *value = argv[++*i];

    return CSC_OK;
}

static int
config_flags(config_t *config, int argc, char **argv, char *error, size_t size)
{
    const config_setting_t *setting;
    config_arguments_t ignored;
    const char *flag, *value;
    size_t len;
    int i;

    for (i = 1; i < argc; i++) {
        flag = argv[i];

        if (config_mode_flag(flag, &ignored) == CSC_OK) {
            continue;
        }

        if (config_split_flag(argc, argv, &i, &len, &value) != CSC_OK) {
            return config_error(error, size, "argument", flag,
                "is not known, or has no value (see --help)");
        }

        if (len == 6 && strncmp(flag + 2, "config", 6) == 0) {
            continue;
        }

        setting = config_find(flag + 2, len);
        if (setting == NULL) {
            /* the name alone: the value may be a secret */
            snprintf(error, size,
                "argument: \"--%.*s\" is not known "
                "(see --help)",
                (int) (len < 64 ? len : 64), flag + 2);
            return CSC_ERROR;
        }

        if (config_set(config, setting, value, "argument", error, size)
            != CSC_OK) {
            return CSC_ERROR;
        }
    }

    return CSC_OK;
}

/* What must be known before anything else: the mode and the file. */
static const char *
config_first_look(int argc, char **argv, config_arguments_t *arguments)
{
    const char *value, *path = getenv("CS_CHAT_CONFIG");
    size_t len;
    int i, at;

    for (i = 1; i < argc; i++) {
        if (config_mode_flag(argv[i], arguments) == CSC_OK) {
            continue;
        }

        at = i;
        if (config_split_flag(argc, argv, &i, &len, &value) == CSC_OK
            && len == 6 && strncmp(argv[at] + 2, "config", 6) == 0)
        {
            path = value;
        }
    }

    return path != NULL && *path != '\0' ? path : NULL;
}

/* What libpq has to say of a malformed one may show the password. */
static int
config_database_url_valid(const char *url)
{
    PQconninfoOption *options = PQconninfoParse(url, NULL);
    int valid = options != NULL;

    PQconninfoFree(options);

    return valid;
}

static int
config_validate(config_t *config, char *error, size_t size)
{
    const char *c;

    if (!config_database_url_valid(config->database_url)) {
        snprintf(error, size,
            "database_url: must be postgres://user:password@host/database, "
            "percent-encoded, or name=value pairs");
        return CSC_ERROR;
    }

    if (log_level_by_name(config->log_level_name, &config->log_level) != CSC_OK)
    {
        return config_error(error, size, "log_level", config->log_level_name,
            "must be debug, info, warn, error or off");
    }

    if (strcmp(config->server_mode, "development") != 0
        && strcmp(config->server_mode, "production") != 0)
    {
        return config_error(error, size, "server_mode", config->server_mode,
            "must be development or production");
    }

    if (*config->prefix == '\0' || strlen(config->prefix) > CSC_BUS_MAX_PREFIX)
    {
        return config_error(error, size, "prefix", config->prefix,
            "must have 1 to 64 characters");
    }

    for (c = config->prefix; *c != '\0'; c++) {
        if (*c <= 0x20 || *c >= 0x7f) {
            return config_error(error, size, "prefix", config->prefix,
                "must be printable ASCII without spaces");
        }
    }

    return CSC_OK;
}

int
config_load(config_t *config, config_arguments_t *arguments, int argc,
    char **argv, char *error, size_t size)
{
    const char *path;
    size_t i;

    memset(config, 0, sizeof(*config));
    memset(arguments, 0, sizeof(*arguments));

    path = config_first_look(argc, argv, arguments);

    if (arguments->mode == CONFIG_HELP || arguments->mode == CONFIG_VERSION) {
        return CSC_OK;
    }

    for (i = 0; i < CONFIG_SETTINGS; i++) {
        if (config_set(config, &config_settings[i], config_settings[i].preset,
                "default", error, size)
            != CSC_OK)
        {
            return CSC_ERROR;
        }
    }

    if (path != NULL && config_file(config, path, error, size) != CSC_OK) {
        return CSC_ERROR;
    }

    if (config_environment(config, error, size) != CSC_OK
        || config_flags(config, argc, argv, error, size) != CSC_OK)
    {
        return CSC_ERROR;
    }

    return config_validate(config, error, size);
}

int
config_production(const config_t *config)
{
    return strcmp(config->server_mode, "production") == 0;
}

void
config_help(FILE *out)
{
    size_t i;

    fputs("Usage: cs-chat-worker [--config FILE] [--SETTING VALUE]... [MODE]\n"
          "\n"
          "The chat worker: answers what the NGINX module asks over Redis and\n"
          "keeps the chats in PostgreSQL.  Without a mode it brings the\n"
          "database up to date and serves until SIGTERM.\n"
          "\n"
          "Modes:\n"
          "  --check     check settings, Redis and PostgreSQL, then exit\n"
          "  --migrate   bring the database up to date, then exit\n"
          "  --seed      the same and add the sample people, then exit\n"
          "  --reset     delete all chats and people, add the sample ones,\n"
          "              then exit; in production only with --force\n"
          "  --help      this text\n"
          "  --version   the version\n"
          "\n"
          "Settings, from the file (name value), then the environment, then\n"
          "flags (--name value); CS_CHAT_CONFIG names the file too.  Times\n"
          "take ms, s or m, sizes k, m or g.\n"
          "\n",
        out);

    for (i = 0; i < CONFIG_SETTINGS; i++) {
        fprintf(out, "  %s  (%s)\n      %s", config_settings[i].name,
            config_settings[i].environment, config_settings[i].help);
        if (*config_settings[i].preset != '\0') {
            fprintf(out, "; default %s", config_settings[i].preset);
        }
        fputs("\n", out);
    }
}

void
config_free(config_t *config)
{
    char **text;
    size_t i;

    for (i = 0; i < CONFIG_SETTINGS; i++) {
        if (config_settings[i].kind == CONFIG_TEXT) {
            text = config_text_at(config, &config_settings[i]);
            free(*text);
            *text = NULL;
        }
    }
}
