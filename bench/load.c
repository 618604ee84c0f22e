/*
 * A load generator for the chat: "load MODE --to ADDRESS:PORT ...".
 *
 * What is sent at a rate follows a schedule that does not wait for the server
 * (open loop), and its latency counts from the scheduled time, so that a stall
 * of the server is seen in every message that should have gone out meanwhile.
 */

#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>

#include "load.h"
#include "tool.h"

#define MAX_MESSAGES 20000000

static const char usage[] =
    "usage: load MODE --to ADDRESS:PORT|unix:PATH [OPTION]...\n"
    "  chat       messages between pairs over WebSocket: --pairs, --rate\n"
    "  post       the same over HTTP POST: --pairs, --rate\n"
    "  fanout     one chat with many sockets: --pairs, --tokens,\n"
    "             --connections, --rate\n"
    "  get PATH   requests as fast as they are answered: --tokens,\n"
    "             --connections\n"
    "  login      logins as fast as they are answered: --tokens with a name\n"
    "             and a password a line, --connections\n"
    "  handshake  connect, upgrade, close: --tokens, --connections\n"
    "  idle       sockets that do nothing: --tokens, --connections\n"
    "  hold       the same until standard input ends, without a result\n"
    "  storm      sockets that are opened within --seconds, break all at once\n"
    "             and are opened anew: --tokens, --connections\n"
    "  --api PATH (/api)       --pairs FILE: two tokens, a chat a line\n"
    "  --tokens FILE           --rate MESSAGES (1000) a second\n"
    "  --seconds N (5)         --warmup MS (500)\n"
    "  --connections N (100)   --size BYTES (100) of a message\n"
    "  --sources N (0): addresses to connect from\n"
    "  --limit MS: give up once the p99 of deliveries can't be below it\n"
    "  --relay: a server that passes text on as it is: pairs on\n"
    "     API/pair/CHAT/SIDE, others on API/topic/..., heard from API/say/...\n"
    "  --watch KIND=PID: processes whose CPU time counts\n";

static const struct {
    const char *name;
    void (*run)(options_t *options);
    int pairs;
    int tokens;
} modes[] = {
    { "chat", run_chat, 1, 0 },
    { "post", run_post, 1, 0 },
    { "fanout", run_fanout, 1, 1 },
    { "get", run_get, 0, 1 },
    { "login", run_login, 0, 1 },
    { "handshake", run_handshake, 0, 1 },
    { "idle", run_idle, 0, 1 },
    { "hold", run_hold, 0, 1 },
    { "storm", run_storm, 0, 1 },
};

#define N_MODES (sizeof(modes) / sizeof(modes[0]))


static void
bad_usage(void)
{
    fputs(usage, stderr);
    exit(2);
}


char *
load_path(const options_t *options, const char *behind)
{
    size_t size;
    char *path;

    size = strlen(options->api) + strlen(behind) + 2;
    path = tool_alloc(1, size);
    snprintf(path, size, "%s/%s", options->api, behind);

    return path;
}


static uint64_t
number(const char *text, uint64_t min, uint64_t max)
{
    uint64_t value;

    if (csc_str_to_u64(csc_str(text), max, &value) != CSC_OK || value < min) {
        tool_fail("%s is not a number from %llu to %llu", text,
            (unsigned long long) min, (unsigned long long) max);
    }

    return value;
}


static void
read_option(options_t *options, int option, char *value)
{
    switch (option) {
    case 't':
        options->to = value;
        break;
    case 'a':
        options->api = value;
        break;
    case 'p':
        options->pairs = value;
        break;
    case 'k':
        options->tokens = value;
        break;
    case 'r':
        options->rate = number(value, 1, 1000000);
        break;
    case 's':
        options->seconds = number(value, 1, 600);
        break;
    case 'w':
        options->warmup = number(value, 0, 60000);
        break;
    case 'c':
        options->connections = number(value, 1, 200000);
        break;
    case 'z':
        options->size = number(value, 1, 2000);
        break;
    case 'S':
        options->sources = number(value, 0, 200);
        break;
    case 'l':
        options->limit = number(value, 1, 60000);
        break;
    case 'R':
        options->relay = 1;
        break;
    case 'W':
        watches_add(&options->watches, value);
        break;
    default:
        bad_usage();
    }
}


static void
read_options(options_t *options, int argc, char **argv)
{
    static const struct option names[] = {
        { "to", required_argument, NULL, 't' },
        { "api", required_argument, NULL, 'a' },
        { "pairs", required_argument, NULL, 'p' },
        { "tokens", required_argument, NULL, 'k' },
        { "rate", required_argument, NULL, 'r' },
        { "seconds", required_argument, NULL, 's' },
        { "warmup", required_argument, NULL, 'w' },
        { "connections", required_argument, NULL, 'c' },
        { "size", required_argument, NULL, 'z' },
        { "sources", required_argument, NULL, 'S' },
        { "limit", required_argument, NULL, 'l' },
        { "relay", no_argument, NULL, 'R' },
        { "watch", required_argument, NULL, 'W' },
        { NULL, 0, NULL, 0 },
    };
    int option;

    memset(options, 0, sizeof(*options));
    options->api = "/api";
    options->rate = 1000;
    options->seconds = 5;
    options->warmup = 500;
    options->connections = 100;
    options->size = 100;

    while ((option = getopt_long(argc, argv, "", names, NULL)) != -1) {
        read_option(options, option, optarg);
    }

    if (optind == argc || options->to == NULL) {
        bad_usage();
    }

    options->mode = argv[optind++];
    options->path = optind < argc ? argv[optind] : NULL;

    if (options->rate * (options->seconds + options->warmup / 1000 + 1)
        > MAX_MESSAGES)
    {
        tool_fail("more than %d messages", MAX_MESSAGES);
    }
}


static void
allow_descriptors(uint64_t n)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) == -1) {
        tool_fail("getrlimit: %s", strerror(errno));
    }

    limit.rlim_cur = limit.rlim_max;
    if (setrlimit(RLIMIT_NOFILE, &limit) == -1 || limit.rlim_cur < n) {
        tool_fail("no more than %llu descriptors may be open",
            (unsigned long long) limit.rlim_cur);
    }
}


/* Where it may: it is to measure, not to wait its turn; and to wake in time. */
static void
raise_priority(void)
{
    (void) prctl(PR_SET_TIMERSLACK, 1000UL);
    (void) setpriority(PRIO_PROCESS, 0, -10);
}


int
main(int argc, char **argv)
{
    options_t options;
    size_t i;

    signal(SIGPIPE, SIG_IGN);
    read_options(&options, argc, argv);
    raise_priority();

    for (i = 0; i < N_MODES; i++) {
        if (strcmp(options.mode, modes[i].name) != 0) {
            continue;
        }

        if ((modes[i].pairs && options.pairs == NULL)
            || (modes[i].tokens && options.tokens == NULL)
            || (modes[i].run == run_get && options.path == NULL))
        {
            bad_usage();
        }

        allow_descriptors(options.connections + 64);
        modes[i].run(&options);
        return 0;
    }

    bad_usage();
}
