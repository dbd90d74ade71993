/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * By the linker's --wrap, calls of open(), ioctl() and sysconf() become __wrap, and __real are
 * the C library's functions.
 */
#ifndef LACKS_H
#define LACKS_H

int __real_open(const char *path, int flags, ...);
int __wrap_open(const char *path, int flags, ...);
int __real_ioctl(int fd, unsigned long request, ...);
int __wrap_ioctl(int fd, unsigned long request, ...);
long __real_sysconf(int name);
long __wrap_sysconf(int name);

#endif /* LACKS_H */
