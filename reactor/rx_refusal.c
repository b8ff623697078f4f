/*
 * Why a back end does not work here: not built, or io_uring refused, and by whom.
 *
 * Source: io_uring_setup(2); the sysctl kernel.io_uring_disabled (Linux 6.6):
 * Documentation/admin-guide/sysctl/kernel.rst.
 *
 * The kernel is asked again, for no ring at all: permission is looked at first, and then the arguments are wrong.
 * Nothing is made, and whatever the back end's own request was, the answer tells a refusal from a kernel that lacks
 * something.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include "reactor/reactor.h"

#include <errno.h>
#include <stdio.h>

#if defined(__linux__)

#include <sys/syscall.h>
#include <unistd.h>

/* 0: everyone may use io_uring, 1: a group, 2: nobody. */
static int disabled_by_sysctl(void) {
    int level = 0;
    FILE *file = fopen("/proc/sys/kernel/io_uring_disabled", "re");
    if (file) {
        level = fscanf(file, "%d", &level) == 1 ? level : 0;
        fclose(file);
    }
    return level;
}

static void explain_io_uring(const char *linux_needed, char *out, size_t size) {
    int error = syscall(__NR_io_uring_setup, 0, NULL) < 0 ? errno : 0;
    int level = error == EPERM ? disabled_by_sysctl() : 0;
    if (level == 1) {
        snprintf(out, size,
                 "the sysctl kernel.io_uring_disabled is 1, which leaves io_uring to the group in "
                 "kernel.io_uring_group; 0 permits it to all");
    } else if (level > 1) {
        snprintf(out, size, "the sysctl kernel.io_uring_disabled is %d; 0 permits io_uring", level);
    } else if (error == EPERM || error == EACCES) {
        snprintf(out, size,
                 "a sandbox (a container's seccomp profile, a security module) forbids io_uring; run where "
                 "io_uring_setup, io_uring_enter and io_uring_register are permitted");
    } else if (error == ENOSYS) {
        snprintf(out, size, "the kernel, or the sandbox around, has no io_uring; it takes Linux %s or later",
                 linux_needed);
    } else {
        snprintf(out, size,
                 "the kernel's io_uring lacks something; it takes Linux %s or later, and leave for "
                 "io_uring_enter and io_uring_register",
                 linux_needed);
    }
}

#else

static void explain_io_uring(const char *linux_needed, char *out, size_t size) {
    snprintf(out, size, "there is no io_uring but in Linux, %s or later", linux_needed);
}

#endif

void rx_explain_refusal(const struct rx_ops *ops, char *out, size_t size) {
    if (ops->missing) {
        snprintf(out, size, "%s", ops->missing);
    } else if (ops->io_uring) {
        explain_io_uring(ops->io_uring, out, size);
    } else {
        snprintf(out, size, "the kernel or a sandbox refuses it");
    }
}
