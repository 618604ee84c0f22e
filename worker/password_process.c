#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "password_process.h"

#define NICENESS 10

/*
 * Messages first: a tenth of what the others get where processors are short.
 * Not less, or on a busy machine nobody could log in.  Within a session
 * niceness says so, and between sessions that of a whole one (sched(7), "The
 * autogroup feature"); the system takes that only so often, and not every
 * system has it.
 */
static int
password_process_step_back(void)
{
    char text[sizeof("-20")];
    ssize_t n;
    int fd, len;

    (void) setpriority(PRIO_PROCESS, 0, NICENESS);

    fd = open("/proc/self/autogroup", O_WRONLY | O_CLOEXEC);
    if (fd == -1) {
        return CSC_OK;
    }

    len = snprintf(text, sizeof(text), "%d", NICENESS);
    n = write(fd, text, (size_t) len);
    n = n == -1 && errno == EAGAIN ? CSC_AGAIN : CSC_OK;
    close(fd);

    return (int) n;
}

static double
password_process_now(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double) now.tv_sec * 1e3 + (double) now.tv_nsec / 1e6;
}

static int
password_process_read(void *to, size_t size)
{
    return recv(STDIN_FILENO, to, size, MSG_WAITALL) == (ssize_t) size
               ? CSC_OK
               : CSC_ERROR;
}

static void
password_process_answer(
    const password_question_t *question, password_answer_t *answer)
{
    double began = password_process_now();

    memset(answer, 0, sizeof(*answer));
    answer->status = question->making
                         ? password_hash_make(question->text, answer->hash)
                         : password_hash_check(question->text, question->hash);
    answer->took = password_process_now() - began;
}

int
password_process_run(void)
{
    password_question_t question;
    password_answer_t answer;
    int stepped = CSC_AGAIN;

    /* hiredis leaves its sockets open for children */
    (void) close_range(STDERR_FILENO + 1, UINT_MAX, 0);

    /* the worker's end is ours: it may still want answers when all are told */
    (void) signal(SIGTERM, SIG_IGN);
    (void) signal(SIGINT, SIG_IGN);

    while (password_process_read(&question, sizeof(question)) == CSC_OK) {
        if (stepped == CSC_AGAIN) {
            stepped = password_process_step_back();
        }

        password_process_answer(&question, &answer);
        explicit_bzero(&question, sizeof(question));

        if (send(STDIN_FILENO, &answer, sizeof(answer), MSG_NOSIGNAL)
            != (ssize_t) sizeof(answer))
        {
            return 1;
        }
    }

    return 0;
}
