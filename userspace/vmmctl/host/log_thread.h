/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Messages of a running VM: stderr is waited for by nobody but a thread of its own.
 */
#ifndef HOST_LOG_THREAD_H
#define HOST_LOG_THREAD_H

int vmm_log_thread_open(int fd);
void vmm_log_thread_close(void);

#endif /* HOST_LOG_THREAD_H */
