/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * save_test's ioctl(), which the linker puts in place of the C library's (--wrap).
 */
#ifndef KVM_SAVE_H
#define KVM_SAVE_H

int __real_ioctl(int fd, unsigned long request, ...);
int __wrap_ioctl(int fd, unsigned long request, ...);

/* The guest's program, of 32 bits. */
extern const unsigned char save_guest[], save_guest_end[];

#endif /* KVM_SAVE_H */
