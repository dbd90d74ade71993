/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the linker calls in place of open() and ioctl() (__wrap), and what it calls the C
 * library's (__real), with --wrap.
 */
#ifndef LACKS_H
#define LACKS_H

int __real_open(const char *path, int flags, ...);
int __wrap_open(const char *path, int flags, ...);
int __real_ioctl(int fd, unsigned long request, ...);
int __wrap_ioctl(int fd, unsigned long request, ...);

#endif /* LACKS_H */
