/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What UART models share.
 */
#ifndef DEVICES_UART_H
#define DEVICES_UART_H

#include "machine/device.h"

struct vmm_console_guest;

/**
 * struct vmm_uart_counts - counters of a UART since it was created
 * @bytes_out: bytes that the guest sent
 * @bytes_in: bytes that the guest received
 * @overruns: bytes that were lost because the FIFO was full
 */
struct vmm_uart_counts {
	u64 bytes_out;
	u64 bytes_in;
	u64 overruns;
};

void vmm_uart_put(void *arg, u8 byte);
void vmm_uart_room(void *arg);
void vmm_uart_stats(const struct vmm_uart_counts *counts, struct vmm_report *report);
void vmm_uart_attach(struct vmm_device *dev, const struct vmm_console_guest *guest);

#endif /* DEVICES_UART_H */
