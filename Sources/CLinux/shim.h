#pragma once
#include <malloc.h>
#include <fcntl.h>
#include <spawn.h>
#include <sys/epoll.h>
#include <sys/sendfile.h>
#include <sys/socket.h>

// Declared here because their headers declare them only under _GNU_SOURCE, which would make this module's view of the
// C library differ from Foundation's.
int accept4(int descriptor, struct sockaddr *address, socklen_t *length, int flags);
int pipe2(int descriptors[2], int flags);
int posix_spawn_file_actions_addclosefrom_np(posix_spawn_file_actions_t *actions, int first);
int sync_file_range(int descriptor, long long offset, long long count, unsigned int flags);

enum {
    linux_sync_file_range_write = 2,
};
