/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Models that a PC has, and their registers for the tests.
 */
#ifndef DEVICES_PC_H
#define DEVICES_PC_H

#include <pthread.h>

#include "devices/uart.h"
#include "machine/device.h"

/* ---- uart16550.c ---- */

#define VMM_UART16550_FIFO	16	/* bytes */

/**
 * struct vmm_uart16550 - the register model of a 16550A
 * @irq: called with the level of the line when it changes
 * @put: called with a byte that the guest sent
 * @room: called when bytes can be received again
 * @arg: first argument of the three
 * @lock: protects all that follows; held when the three are called
 * @fifo: what was received, a ring
 * @head: oldest byte in @fifo
 * @count: bytes in @fifo
 * @ier: interrupts that are enabled
 * @fcr: FIFO control, 0 while FIFOs are off
 * @lcr: line control; only the divisor latch bit has an effect
 * @mcr: modem control
 * @scr: scratch
 * @divisor: baud rate, stored only
 * @modem_changes: changes of the modem lines that the guest has not read
 * @overrun: a byte was lost, and the guest has not read that
 * @sent: a byte was sent, and the guest has not read that
 * @level: the level that @irq was called with last
 * @paused: nothing is received
 * @counts: counters, read without the lock
 */
struct vmm_uart16550 {
	void (*irq)(void *arg, bool level);
	void (*put)(void *arg, u8 byte);
	void (*room)(void *arg);
	void *arg;
	pthread_mutex_t lock;
	u8 fifo[VMM_UART16550_FIFO];
	unsigned int head;
	unsigned int count;
	u8 ier;
	u8 fcr;
	u8 lcr;
	u8 mcr;
	u8 scr;
	u16 divisor;
	u8 modem_changes;
	bool overrun;
	bool sent;
	bool level;
	bool paused;
	struct vmm_uart_counts counts;
};

void vmm_uart16550_init(struct vmm_uart16550 *uart);
void vmm_uart16550_reset(struct vmm_uart16550 *uart);
u8 vmm_uart16550_read(struct vmm_uart16550 *uart, u32 offset);
void vmm_uart16550_write(struct vmm_uart16550 *uart, u32 offset, u8 value);
size_t vmm_uart16550_take(void *arg, const u8 *bytes, size_t len);

/* ---- acpi_pm.c ---- */

/**
 * struct vmm_acpi_pm - the register model of ACPI's fixed hardware
 * @irq: called with the level of the line when it changes
 * @off: called when the guest switches itself off
 * @now: returns nanoseconds of a monotonic clock
 * @arg: first argument of the three
 * @lock: protects all that follows; held when the three are called
 * @status: events that have happened
 * @enable: the events in it that raise the interrupt
 * @control: control register
 * @ahead: nanoseconds that the timer is ahead of @now
 * @level: the level that @irq was called with last
 */
struct vmm_acpi_pm {
	void (*irq)(void *arg, bool level);
	void (*off)(void *arg);
	u64 (*now)(void *arg);
	void *arg;
	pthread_mutex_t lock;
	u16 status;
	u16 enable;
	u16 control;
	u64 ahead;
	bool level;
};

void vmm_acpi_pm_init(struct vmm_acpi_pm *pm);
void vmm_acpi_pm_reset(struct vmm_acpi_pm *pm);
u64 vmm_acpi_pm_read(struct vmm_acpi_pm *pm, u32 offset, unsigned int len);
void vmm_acpi_pm_write(struct vmm_acpi_pm *pm, u32 offset, u64 value, unsigned int len);
bool vmm_acpi_pm_button(struct vmm_acpi_pm *pm);

/* ---- cmos.c ---- */

#define VMM_CMOS_BYTES		128	/* the clock's registers included */
#define VMM_CMOS_CENTURY	0x32

/**
 * struct vmm_cmos - the register model of an MC146818
 * @irq: called with the level of the line when it changes
 * @now: returns the second of the host's clock
 * @alarm: called with the second from which on vmm_cmos_due() must be called, 0 for never
 * @arg: first argument of the three
 * @lock: protects all that follows; held when the three are called
 * @ram: registers and RAM; the time registers are valid while the guest sets the time
 * @index: index in @ram that the data port accesses
 * @offset: the guest's time minus the host's, seconds
 * @due: host time of the alarm in seconds, 0 for no alarm
 * @alarmed: the alarm was due, and the guest has not read that
 * @level: the level that @irq was called with last
 * @paused: no alarm is raised
 */
struct vmm_cmos {
	void (*irq)(void *arg, bool level);
	s64 (*now)(void *arg);
	void (*alarm)(void *arg, s64 at);
	void *arg;
	pthread_mutex_t lock;
	u8 ram[VMM_CMOS_BYTES];
	u8 index;
	s64 offset;
	s64 due;
	bool alarmed;
	bool level;
	bool paused;
};

void vmm_cmos_init(struct vmm_cmos *cmos);
void vmm_cmos_reset(struct vmm_cmos *cmos);
u8 vmm_cmos_read(struct vmm_cmos *cmos, u32 port);
void vmm_cmos_write(struct vmm_cmos *cmos, u32 port, u8 value);
void vmm_cmos_due(struct vmm_cmos *cmos);
void vmm_cmos_pause(struct vmm_cmos *cmos, bool paused);

#endif /* DEVICES_PC_H */
