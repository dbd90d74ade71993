/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Signals that end vmmctl within a second, whatever it does.
 */
#ifndef ENDING_H
#define ENDING_H

struct vmm_loop;
struct vmm_mem;

int vmm_ending_open(struct vmm_loop *loop, int (*fn)(void *arg), void *arg);
void vmm_ending_close(struct vmm_loop *loop);
void vmm_ending_request(int sig);
void vmm_ending_leave(void);
int vmm_ending_signal(void);
void vmm_ending_last_act(void (*fn)(void));
void vmm_ending_ram(const struct vmm_mem *mem);

#endif /* ENDING_H */
