#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "password_process.h"

/*
 * Messages first: this is to have what the others leave.  Within a session the
 * scheduling class says so, and between sessions the niceness of a whole one
 * (sched(7), "The autogroup feature"); the system takes that only so often,
 * and not every system has it.
 */
static int
password_process_step_back(void)
{
    static const struct sched_param none;
    ssize_t n;
    int fd;

    (void) sched_setscheduler(0, SCHED_IDLE, &none);

    fd = open("/proc/self/autogroup", O_WRONLY | O_CLOEXEC);
    if (fd == -1) {
        return CSC_OK;
    }

    n = write(fd, "19", 2);
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
