/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Output to a file whose file system may not answer: a thread of the file's own writes, so
 * that neither the main loop nor a vCPU waits.
 */
#ifndef HOST_FILE_THREAD_H
#define HOST_FILE_THREAD_H

#include <sys/uio.h>

#include "types.h"

#define VMM_FILE_ROOM	(256 * 1024)	/* bytes of records that wait, for most files */

struct vmm_file_thread;

/*
 * Writes a record, which is head and content in one piece, to a file, and may wait for it.
 * Returns bytes of the content that were not written.
 */
typedef size_t (*vmm_file_fn)(void *arg, const void *record, size_t len);

struct vmm_file_thread *vmm_file_thread_open(const char *name, const char *counter,
					     size_t room, vmm_file_fn fn, void *arg);
bool vmm_file_thread_put(struct vmm_file_thread *file, const void *head, size_t head_len,
			 const struct iovec *iov, unsigned int count);
bool vmm_file_thread_text(struct vmm_file_thread *file, const void *text, size_t len);
void vmm_file_thread_lose(struct vmm_file_thread *file, size_t len);
u64 vmm_file_thread_dropped(struct vmm_file_thread *file);
u64 vmm_file_thread_lost(struct vmm_file_thread *file);
bool vmm_file_thread_busy(const struct vmm_file_thread *file);
bool vmm_file_thread_wait(struct vmm_file_thread *file, unsigned int ms);
bool vmm_file_thread_late(const struct vmm_file_thread *file);
bool vmm_file_thread_close(struct vmm_file_thread *file, int fd);

bool vmm_file_threads_left(void);
void vmm_file_threads_begin(void);
void vmm_file_threads_last(bool hurry);
void vmm_file_threads_count(void (*fn)(void *arg, const char *counter, u64 bytes), void *arg);

#endif /* HOST_FILE_THREAD_H */
