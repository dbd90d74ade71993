/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Reading and writing files whole: short reads and writes are continued, and signals that
 * interrupt them are ignored.
 */
#ifndef FILE_H
#define FILE_H

#include <sys/types.h>

#include "types.h"

int vmm_file_write(int fd, const void *bytes, size_t len);
int vmm_file_write_at(int fd, const void *bytes, size_t len, u64 offset);
int vmm_file_read_at(int fd, void *bytes, size_t len, u64 offset);

#endif /* FILE_H */
