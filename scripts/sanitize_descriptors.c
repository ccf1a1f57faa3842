// Reports closes and shutdowns of descriptors that are not open, except those inside libc. Such a number may already be
// another part's file.
//
// It is preloaded. Each report, a line and the stack, is appended to the file in DESCRIPTOR_REPORTS.
#define _GNU_SOURCE
#include <errno.h>
#include <execinfo.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

static int checked(const char *call, int descriptor, int result) {
    if (result == 0 || (errno != EBADF && errno != ENOTSOCK) || descriptor < 0) return result;
    int code = errno;
    const char *path = getenv("DESCRIPTOR_REPORTS");
    int file = path ? open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600) : -1;
    if (file >= 0) {
        void *stack[32];
        dprintf(file, "SUMMARY: %s(%d) of what is not open, process %d\n", call, descriptor, getpid());
        backtrace_symbols_fd(stack, backtrace(stack, 32), file);
        syscall(SYS_close, file);
    }
    errno = code;
    return result;
}

int close(int descriptor) {
    return checked("close", descriptor, (int)syscall(SYS_close, descriptor));
}

int shutdown(int descriptor, int direction) {
    return checked("shutdown", descriptor, (int)syscall(SYS_shutdown, descriptor, direction));
}
