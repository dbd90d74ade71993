/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What UARTs share.
 */
#ifndef DEVICES_UART_H
#define DEVICES_UART_H

#include "machine/device.h"

struct vmm_console_guest;

void vmm_uart_put(void *arg, u8 byte);
void vmm_uart_room(void *arg);
void vmm_uart_attach(struct vmm_device *dev, const struct vmm_console_guest *guest);

#endif /* DEVICES_UART_H */
