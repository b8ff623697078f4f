/* System calls that fail on purpose, as where a kernel is older or a container forbids them. Linux only. */
#ifndef STEALYARD_STRESS_REFUSE_H
#define STEALYARD_STRESS_REFUSE_H

#include "stress/check.h"

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

/* From here on this process gets `error` from the system call; false: it cannot be arranged. */
static inline bool refuse_call(unsigned number, unsigned error) {
    struct sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, number, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | error),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = {.len = sizeof code / sizeof *code, .filter = code};
    return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 && prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0;
}

/*
 * Runs a body in a process of its own, for a filter cannot be taken off again. It returns false if the refusal cannot
 * be arranged, which skips the test.
 */
static inline void refuse_in_child(bool (*body)(void *argument), void *argument) {
    pid_t child = fork();
    CHECK(child >= 0);
    if (child == 0) {
        _exit(body(argument) ? 0 : 77);
    }
    int status;
    CHECK_EQ(waitpid(child, &status, 0), child);
    CHECK(WIFEXITED(status));
    if (WEXITSTATUS(status) == 77) {
        check_skip("no system call filter allowed here (seccomp)");
        return;
    }
    CHECK_EQ(WEXITSTATUS(status), 0);
}

#endif
