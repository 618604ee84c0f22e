#include <ctype.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "process.h"
#include "tool.h"

typedef uint64_t (*measure_t)(pid_t pid);


void
watches_add(watches_t *watches, char *text)
{
    uint64_t pid;
    char *equals;

    equals = strchr(text, '=');
    if (equals == NULL || watches->n == MAX_WATCHES
        || csc_str_to_u64(csc_str(equals + 1), INT32_MAX, &pid) != CSC_OK)
    {
        tool_fail("--watch takes KIND=PID, %d times at most", MAX_WATCHES);
    }

    *equals = '\0';
    watches->of[watches->n].kind = text;
    watches->of[watches->n].pid = (pid_t) pid;
    watches->n++;
}


/* The fields of /proc/PID/stat behind the name, proc(5); NULL: it is gone. */
static const char *
read_stat(pid_t pid, char *text, size_t size)
{
    const char *end;
    char path[64];
    size_t len;
    FILE *in;

    snprintf(path, sizeof(path), "/proc/%d/stat", (int) pid);
    in = fopen(path, "r");
    if (in == NULL) {
        return NULL;
    }

    len = fread(text, 1, size - 1, in);
    fclose(in);
    text[len] = '\0';

    end = strrchr(text, ')');
    return end ? end + 1 : NULL;
}


static pid_t
parent_of(pid_t pid)
{
    const char *fields;
    char text[1024];
    int parent;

    fields = read_stat(pid, text, sizeof(text));
    if (fields == NULL || sscanf(fields, " %*c %d", &parent) != 1) {
        return 0;
    }

    return parent;
}


/* With the time of children that ended and were waited for. */
static uint64_t
cpu_us(pid_t pid)
{
    unsigned long long user, system, waited_user, waited_system;
    const char *fields;
    char text[1024];

    fields = read_stat(pid, text, sizeof(text));
    if (fields == NULL
        || sscanf(fields,
               " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u"
               " %llu %llu %llu %llu",
               &user, &system, &waited_user, &waited_system)
               != 4)
    {
        return 0;
    }

    return (user + system + waited_user + waited_system) * 1000000
           / (uint64_t) sysconf(_SC_CLK_TCK);
}


static uint64_t
pss_bytes(pid_t pid)
{
    char path[64], line[256];
    unsigned long long kb = 0;
    FILE *in;

    snprintf(path, sizeof(path), "/proc/%d/smaps_rollup", (int) pid);
    in = fopen(path, "r");
    if (in == NULL) {
        return 0;
    }

    while (fgets(line, sizeof(line), in) != NULL) {
        if (sscanf(line, "Pss: %llu kB", &kb) == 1) {
            break;
        }
    }

    fclose(in);
    return kb * 1024;
}


/* The sum over a process and its children. */
static uint64_t
of_tree(pid_t root, measure_t measure)
{
    struct dirent *entry;
    uint64_t sum;
    pid_t pid;
    DIR *proc;

    proc = opendir("/proc");
    if (proc == NULL) {
        tool_fail("/proc cannot be read");
    }

    sum = measure(root);
    while ((entry = readdir(proc)) != NULL) {
        if (!isdigit((unsigned char) entry->d_name[0])) {
            continue;
        }

        pid = (pid_t) strtol(entry->d_name, NULL, 10);
        if (parent_of(pid) == root) {
            sum += measure(pid);
        }
    }

    closedir(proc);
    return sum;
}


static uint64_t
own_cpu_us(void)
{
    struct rusage usage;

    getrusage(RUSAGE_SELF, &usage);
    return (uint64_t) (usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1000000
           + (uint64_t) (usage.ru_utime.tv_usec + usage.ru_stime.tv_usec);
}


void
watches_start(watches_t *watches)
{
    unsigned i;

    for (i = 0; i < watches->n; i++) {
        watches->of[i].cpu_us = of_tree(watches->of[i].pid, cpu_us);
    }

    watches->own_us = own_cpu_us();
    watches->elapsed_us = tool_now() / 1000;
}


void
watches_stop(watches_t *watches)
{
    uint64_t now;
    unsigned i;

    watches->own_us = own_cpu_us() - watches->own_us;
    watches->elapsed_us = tool_now() / 1000 - watches->elapsed_us;

    for (i = 0; i < watches->n; i++) {
        now = of_tree(watches->of[i].pid, cpu_us);
        watches->of[i].cpu_us =
            now > watches->of[i].cpu_us ? now - watches->of[i].cpu_us : 0;
    }
}


uint64_t
watches_pss(const watches_t *watches)
{
    return watches->n ? of_tree(watches->of[0].pid, pss_bytes) : 0;
}
