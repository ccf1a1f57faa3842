#pragma once
#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/sendfile.h>
#include <sys/socket.h>

// Declared here because their headers declare them only under _GNU_SOURCE, which would make this module's view of the
// C library differ from Foundation's.
int accept4(int descriptor, struct sockaddr *address, socklen_t *length, int flags);
int sync_file_range(int descriptor, long long offset, long long count, unsigned int flags);

enum {
    linux_sync_file_range_write = 2,
    linux_o_direct = __O_DIRECT,
};
