// SPDX-License-Identifier: GPL-2.0-only
/*
 * The connection of a UART with the console, for all UART models.
 */
#include "devices/devices.h"
#include "devices/uart.h"
#include "host/host.h"

/**
 * vmm_uart_put - write a byte that the guest sent to the console
 * @arg: the device
 * @byte: the byte
 */
void vmm_uart_put(void *arg, u8 byte)
{
	struct vmm_device *dev = arg;

	if (dev->vm->host.console)
		vmm_console_put(dev->vm->host.console, byte);
}

/**
 * vmm_uart_room - ask the console for input
 * @arg: the device
 */
void vmm_uart_room(void *arg)
{
	struct vmm_device *dev = arg;

	if (dev->vm->host.console)
		vmm_console_ready(dev->vm->host.console);
}

/**
 * vmm_uart_attach - connect a UART with the console, or disconnect it
 * @dev: the device
 * @guest: how it takes input, NULL to disconnect it
 *
 * The console begins a new line.
 */
void vmm_uart_attach(struct vmm_device *dev, const struct vmm_console_guest *guest)
{
	if (dev->vm->host.console)
		vmm_console_attach(dev->vm->host.console, guest, guest ? dev->state : NULL);
}

/**
 * vmm_uart_stats - add the counters of a UART
 * @counts: of the UART
 * @report: where they are added
 *
 * Context: any thread.
 */
void vmm_uart_stats(const struct vmm_uart_counts *counts, struct vmm_report *report)
{
	vmm_report_add(report, "bytes_out", vmm_counted(&counts->bytes_out));
	vmm_report_add(report, "bytes_in", vmm_counted(&counts->bytes_in));
	vmm_report_add(report, "overruns", vmm_counted(&counts->overruns));
}
