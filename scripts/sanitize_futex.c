// Tells the thread sanitizer what it cannot see of Synchronization.Mutex.
//
// A Mutex that is contended hands its lock over within the kernel (FUTEX_LOCK_PI, FUTEX_UNLOCK_PI), without an atomic that
// the sanitizer knows of, which then takes every such handover for a race. Preloaded into a program that was built with
// -sanitize=thread, this announces the handovers. It hides nothing: what no lock orders is reported as before.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <linux/futex.h>
#include <stdarg.h>
#include <sys/syscall.h>

extern void __tsan_acquire(void *) __attribute__((weak));
extern void __tsan_release(void *) __attribute__((weak));

long syscall(long number, ...) {
    static long (*next)(long, ...);
    if (!next) next = (long (*)(long, ...))dlsym(RTLD_NEXT, "syscall");
    va_list list;
    va_start(list, number);
    long a = va_arg(list, long), b = va_arg(list, long), c = va_arg(list, long);
    long d = va_arg(list, long), e = va_arg(list, long), f = va_arg(list, long);
    va_end(list);
    long command = number == SYS_futex ? b & FUTEX_CMD_MASK : -1;
    if (command == FUTEX_UNLOCK_PI && __tsan_release) __tsan_release((void *)a);
    long result = next(number, a, b, c, d, e, f);
    int took = command == FUTEX_LOCK_PI || command == FUTEX_LOCK_PI2 || command == FUTEX_TRYLOCK_PI;
    if (took && result == 0 && __tsan_acquire) __tsan_acquire((void *)a);
    return result;
}
