// SPDX-License-Identifier: GPL-2.0-only
/*
 * 16550A: the x86_64 board's console, COM1. It sends at once, so it is never busy and its
 * transmit FIFO is always empty; it receives through a FIFO of 16 bytes, or a register of
 * one byte while FIFOs are off. The modem at the other end is always ready.
 *
 * Input waits until the guest has enabled the receive interrupt: a Linux driver empties the
 * FIFO without reading it while it starts.
 *
 * Source: PC16550D data sheet (National Semiconductor), section 8.
 */
#include <endian.h>
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "devices/devices.h"
#include "devices/pc.h"
#include "devices/uart.h"
#include "host/host.h"

#define REG_DATA	0	/* or the divisor's low byte */
#define REG_IER		1	/* or its high byte */
#define REG_IIR_FCR	2
#define REG_LCR		3
#define REG_MCR		4
#define REG_LSR		5
#define REG_MSR		6
#define REG_SCR		7

#define IER_RX		(1 << 0)
#define IER_TX		(1 << 1)
#define IER_LINE	(1 << 2)
#define IER_MODEM	(1 << 3)
#define IER_ALL		0x0f

#define IIR_NONE	0x01
#define IIR_MODEM	0x00
#define IIR_TX		0x02
#define IIR_RX		0x04
#define IIR_LINE	0x06
#define IIR_TIMEOUT	0x0c
#define IIR_FIFOS	0xc0

#define FCR_ENABLE	(1 << 0)
#define FCR_CLEAR_RX	(1 << 1)
#define FCR_TRIGGER	6	/* shift of two bits */

#define LCR_DIVISOR	(1 << 7)

#define MCR_DTR		(1 << 0)
#define MCR_RTS		(1 << 1)
#define MCR_OUT1	(1 << 2)
#define MCR_OUT2	(1 << 3)
#define MCR_LOOP	(1 << 4)
#define MCR_ALL		0x1f

#define LSR_READY	(1 << 0)
#define LSR_OVERRUN	(1 << 1)
#define LSR_TX_EMPTY	0x60	/* holding register and shift register */

#define MSR_CTS		(1 << 4)
#define MSR_DSR		(1 << 5)
#define MSR_RI		(1 << 6)
#define MSR_DCD		(1 << 7)
#define MSR_MODEM	(MSR_CTS | MSR_DSR | MSR_DCD)

#define DIVISOR_RESET	12	/* 9600 baud */

static unsigned int uart_depth(const struct vmm_uart16550 *uart)
{
	return uart->fcr & FCR_ENABLE ? VMM_UART16550_FIFO : 1;
}

static unsigned int uart_trigger(const struct vmm_uart16550 *uart)
{
	static const u8 levels[4] = { 1, 4, 8, 14 };

	return uart->fcr & FCR_ENABLE ? levels[uart->fcr >> FCR_TRIGGER & 3] : 1;
}

/*
 * Returns the pending interrupt, the most urgent first. Bytes below the trigger level raise
 * the time-out interrupt at once, because waiting has no advantage.
 */
static u8 uart_pending(const struct vmm_uart16550 *uart)
{
	if (uart->ier & IER_LINE && uart->overrun)
		return IIR_LINE;
	if (uart->ier & IER_RX && uart->count >= uart_trigger(uart))
		return IIR_RX;
	if (uart->ier & IER_RX && uart->count)
		return IIR_TIMEOUT;
	if (uart->ier & IER_TX && uart->sent)
		return IIR_TX;
	if (uart->ier & IER_MODEM && uart->modem_changes)
		return IIR_MODEM;
	return IIR_NONE;
}

static void uart_update_locked(struct vmm_uart16550 *uart)
{
	bool level = uart_pending(uart) != IIR_NONE;

	if (level == uart->level)
		return;
	uart->level = level;
	uart->irq(uart->arg, level);
}

/* In loopback mode, the modem inputs are the UART's own outputs. */
static u8 uart_modem(const struct vmm_uart16550 *uart)
{
	u8 modem = 0;

	if (!(uart->mcr & MCR_LOOP))
		return MSR_MODEM;
	if (uart->mcr & MCR_DTR)
		modem |= MSR_DSR;
	if (uart->mcr & MCR_RTS)
		modem |= MSR_CTS;
	if (uart->mcr & MCR_OUT1)
		modem |= MSR_RI;
	if (uart->mcr & MCR_OUT2)
		modem |= MSR_DCD;
	return modem;
}

static void uart_push_locked(struct vmm_uart16550 *uart, u8 byte)
{
	if (uart->count == uart_depth(uart)) {
		uart->overrun = true;
		vmm_count(&uart->counts.overruns, 1);
		return;
	}
	uart->fifo[(uart->head + uart->count) % VMM_UART16550_FIFO] = byte;
	uart->count++;
	vmm_count(&uart->counts.bytes_in, 1);
}

static u8 uart_pop_locked(struct vmm_uart16550 *uart)
{
	u8 byte;

	if (!uart->count)
		return 0;
	byte = uart->fifo[uart->head];
	uart->head = (uart->head + 1) % VMM_UART16550_FIFO;
	uart->count--;
	/* Asks for more only when the FIFO is empty: each call may wake a thread. */
	if (!uart->count)
		uart->room(uart->arg);
	return byte;
}

static u8 uart_iir_locked(struct vmm_uart16550 *uart)
{
	u8 pending = uart_pending(uart);

	/* Reading IIR clears the transmit interrupt. */
	if (pending == IIR_TX)
		uart->sent = false;
	return pending | (uart->fcr & FCR_ENABLE ? IIR_FIFOS : 0);
}

static u8 uart_lsr_locked(struct vmm_uart16550 *uart)
{
	u8 lsr = LSR_TX_EMPTY;

	if (uart->count)
		lsr |= LSR_READY;
	if (uart->overrun)
		lsr |= LSR_OVERRUN;
	uart->overrun = false;
	return lsr;
}

static u8 uart_msr_locked(struct vmm_uart16550 *uart)
{
	u8 msr = uart_modem(uart) | uart->modem_changes;

	uart->modem_changes = 0;
	return msr;
}

static u8 uart_read_locked(struct vmm_uart16550 *uart, u32 offset)
{
	switch (offset) {
	case REG_DATA:
		return uart->lcr & LCR_DIVISOR ? uart->divisor & 0xff : uart_pop_locked(uart);
	case REG_IER:
		return uart->lcr & LCR_DIVISOR ? uart->divisor >> 8 : uart->ier;
	case REG_IIR_FCR:
		return uart_iir_locked(uart);
	case REG_LCR:
		return uart->lcr;
	case REG_MCR:
		return uart->mcr;
	case REG_LSR:
		return uart_lsr_locked(uart);
	case REG_MSR:
		return uart_msr_locked(uart);
	default:
		return uart->scr;
	}
}

static void uart_send_locked(struct vmm_uart16550 *uart, u8 byte)
{
	if (uart->mcr & MCR_LOOP)
		uart_push_locked(uart, byte);
	else
		uart->put(uart->arg, byte);
	vmm_count(&uart->counts.bytes_out, 1);
	/* The byte was sent at once. */
	uart->sent = true;
}

static void uart_ier_locked(struct vmm_uart16550 *uart, u8 value)
{
	bool listened = uart->ier & IER_RX;

	/* Enabling the transmit interrupt raises it, because there is room. */
	if (value & ~uart->ier & IER_TX)
		uart->sent = true;
	uart->ier = value & IER_ALL;
	if (uart->ier & IER_RX && !listened)
		uart->room(uart->arg);
}

static void uart_fcr_locked(struct vmm_uart16550 *uart, u8 value)
{
	/* Enabling or disabling the FIFOs empties them. */
	if (value & FCR_CLEAR_RX || (value ^ uart->fcr) & FCR_ENABLE)
		uart->count = 0;
	uart->fcr = value & FCR_ENABLE ? value & 0xc1 : 0;
}

static void uart_mcr_locked(struct vmm_uart16550 *uart, u8 value)
{
	u8 before = uart_modem(uart);
	u8 changed;

	uart->mcr = value & MCR_ALL;
	changed = (before ^ uart_modem(uart)) >> 4;
	/* Only the falling edge of the ring indicator counts. */
	if (uart_modem(uart) & MSR_RI)
		changed &= ~(MSR_RI >> 4);
	uart->modem_changes |= changed;
}

static void uart_write_locked(struct vmm_uart16550 *uart, u32 offset, u8 value)
{
	switch (offset) {
	case REG_DATA:
		if (uart->lcr & LCR_DIVISOR)
			uart->divisor = (uart->divisor & 0xff00) | value;
		else
			uart_send_locked(uart, value);
		break;
	case REG_IER:
		if (uart->lcr & LCR_DIVISOR)
			uart->divisor = (uart->divisor & 0xff) | value << 8;
		else
			uart_ier_locked(uart, value);
		break;
	case REG_IIR_FCR:
		uart_fcr_locked(uart, value);
		break;
	case REG_LCR:
		uart->lcr = value;
		break;
	case REG_MCR:
		uart_mcr_locked(uart, value);
		break;
	case REG_SCR:
		uart->scr = value;
		break;
	default:
		return;
	}
	uart_update_locked(uart);
}

static void uart_clear(struct vmm_uart16550 *uart)
{
	uart->head = 0;
	uart->count = 0;
	uart->ier = 0;
	uart->fcr = 0;
	uart->lcr = 0;
	uart->mcr = 0;
	uart->scr = 0;
	uart->divisor = DIVISOR_RESET;
	uart->modem_changes = 0;
	uart->overrun = false;
	uart->sent = false;
}

/**
 * vmm_uart16550_init - initialise a UART to its reset state
 * @uart: callbacks are set, all other members are zero
 */
void vmm_uart16550_init(struct vmm_uart16550 *uart)
{
	pthread_mutex_init(&uart->lock, NULL);
	uart_clear(uart);
}

/**
 * vmm_uart16550_reset - put a UART into its reset state
 * @uart: the UART; it may be paused and stays so
 */
void vmm_uart16550_reset(struct vmm_uart16550 *uart)
{
	pthread_mutex_lock(&uart->lock);
	uart_clear(uart);
	uart_update_locked(uart);
	pthread_mutex_unlock(&uart->lock);
}

/**
 * vmm_uart16550_read - answer a guest read
 * @uart: the UART
 * @offset: of the register, 0 to 7
 *
 * Context: any thread.
 * Return: the register's value
 */
u8 vmm_uart16550_read(struct vmm_uart16550 *uart, u32 offset)
{
	u8 value;

	pthread_mutex_lock(&uart->lock);
	value = uart_read_locked(uart, offset);
	uart_update_locked(uart);
	pthread_mutex_unlock(&uart->lock);
	return value;
}

/**
 * vmm_uart16550_write - take a guest write
 * @uart: the UART
 * @offset: of the register, 0 to 7
 * @value: what was written
 *
 * Context: any thread.
 */
void vmm_uart16550_write(struct vmm_uart16550 *uart, u32 offset, u8 value)
{
	pthread_mutex_lock(&uart->lock);
	uart_write_locked(uart, offset, value);
	pthread_mutex_unlock(&uart->lock);
}

/**
 * vmm_uart16550_take - receive bytes
 * @arg: the UART
 * @bytes: the bytes
 * @len: how many
 *
 * Context: any thread.
 * Return: how many were accepted; 0 while the guest has the receive interrupt disabled
 */
size_t vmm_uart16550_take(void *arg, const u8 *bytes, size_t len)
{
	struct vmm_uart16550 *uart = arg;
	size_t taken = 0;

	pthread_mutex_lock(&uart->lock);
	if (!uart->paused && uart->ier & IER_RX && !(uart->mcr & MCR_LOOP)) {
		while (taken < len && uart->count < uart_depth(uart))
			uart_push_locked(uart, bytes[taken++]);
	}
	uart_update_locked(uart);
	pthread_mutex_unlock(&uart->lock);
	return taken;
}

/* ---- the device on the board ---- */

static const struct vmm_console_guest uart_guest = { .take = vmm_uart16550_take };

static int uart16550_create(struct vmm_device *dev)
{
	struct vmm_uart16550 *uart = calloc(1, sizeof(*uart));

	if (!uart)
		return vmm_error(ENOMEM, "uart16550");
	uart->irq = vmm_device_irq;
	uart->put = vmm_uart_put;
	uart->room = vmm_uart_room;
	uart->arg = dev;
	vmm_uart16550_init(uart);
	dev->state = uart;
	vmm_uart_attach(dev, &uart_guest);
	return 0;
}

static void uart16550_reset(struct vmm_device *dev)
{
	vmm_uart16550_reset(dev->state);
	vmm_uart_attach(dev, &uart_guest);
}

static void uart16550_destroy(struct vmm_device *dev)
{
	struct vmm_uart16550 *uart = dev->state;

	vmm_uart_attach(dev, NULL);
	pthread_mutex_destroy(&uart->lock);
	free(uart);
}

/* Registers are one byte wide; a wider access is split into bytes, as on a PC's bus. */
static u64 uart16550_read(struct vmm_device *dev, u64 offset, unsigned int len)
{
	u64 value = 0;
	unsigned int i;

	for (i = 0; i < len && offset + i < dev->size; i++)
		value |= (u64)vmm_uart16550_read(dev->state, offset + i) << 8 * i;
	return value;
}

static void uart16550_write(struct vmm_device *dev, u64 offset, u64 value, unsigned int len)
{
	unsigned int i;

	for (i = 0; i < len && offset + i < dev->size; i++)
		vmm_uart16550_write(dev->state, offset + i, value >> 8 * i);
}

static void uart_set_paused(struct vmm_uart16550 *uart, bool paused)
{
	bool was;

	pthread_mutex_lock(&uart->lock);
	was = uart->paused;
	uart->paused = paused;
	pthread_mutex_unlock(&uart->lock);
	if (was && !paused)
		uart->room(uart->arg);
}

static void uart16550_pause(struct vmm_device *dev)
{
	uart_set_paused(dev->state, true);
}

static void uart16550_resume(struct vmm_device *dev)
{
	uart_set_paused(dev->state, false);
}

#define STATE_VERSION	1

/* Fields of the saved state; a number is never reused. */
enum {
	STATE_FIFO = 1,	/* received bytes, the oldest first */
	STATE_COUNT,	/* how many */
	STATE_REGS,	/* in the order of struct saved_regs */
};

struct saved_regs {
	u8 ier;
	u8 fcr;
	u8 lcr;
	u8 mcr;
	u8 scr;
	u8 modem_changes;
	u8 overrun;
	u8 sent;
	__le16 divisor;
};

static int uart16550_save(struct vmm_device *dev, struct vmm_state *state)
{
	struct vmm_uart16550 *uart = dev->state;
	u8 fifo[VMM_UART16550_FIFO] = { 0 };
	struct saved_regs regs;
	__le32 count;
	unsigned int i;
	int err = vmm_state_begin(state, dev->ops->name, STATE_VERSION);

	if (err)
		return err;
	pthread_mutex_lock(&uart->lock);
	for (i = 0; i < uart->count; i++)
		fifo[i] = uart->fifo[(uart->head + i) % VMM_UART16550_FIFO];
	count = htole32(uart->count);
	regs = (struct saved_regs){
		.ier = uart->ier, .fcr = uart->fcr, .lcr = uart->lcr, .mcr = uart->mcr,
		.scr = uart->scr, .modem_changes = uart->modem_changes,
		.overrun = uart->overrun, .sent = uart->sent,
		.divisor = htole16(uart->divisor),
	};
	pthread_mutex_unlock(&uart->lock);
	vmm_state_put(state, STATE_FIFO, fifo, sizeof(fifo));
	vmm_state_put(state, STATE_COUNT, &count, sizeof(count));
	vmm_state_put(state, STATE_REGS, &regs, sizeof(regs));
	return vmm_state_end(state);
}

/* Refuses a state that no guest write can lead to. */
static bool regs_are_possible(const struct saved_regs *regs, u32 count)
{
	if (regs->ier & ~IER_ALL || regs->mcr & ~MCR_ALL || regs->modem_changes & ~0x0f ||
	    regs->overrun > 1 || regs->sent > 1)
		return false;
	if (!(regs->fcr & FCR_ENABLE))
		return !regs->fcr && count <= 1;
	return !(regs->fcr & ~0xc1) && count <= VMM_UART16550_FIFO;
}

static int uart16550_load(struct vmm_device *dev, struct vmm_state *state)
{
	struct vmm_uart16550 *uart = dev->state;
	u8 fifo[VMM_UART16550_FIFO];
	struct saved_regs regs;
	__le32 count;
	int err = vmm_state_open(state, dev->ops->name, STATE_VERSION);

	if (err < 0)
		return err;
	vmm_state_get(state, STATE_FIFO, fifo, sizeof(fifo));
	vmm_state_get(state, STATE_COUNT, &count, sizeof(count));
	vmm_state_get(state, STATE_REGS, &regs, sizeof(regs));
	err = vmm_state_close(state);
	if (!err && !regs_are_possible(&regs, le32toh(count)))
		err = -EINVAL;
	if (err)
		return err;
	pthread_mutex_lock(&uart->lock);
	memcpy(uart->fifo, fifo, sizeof(fifo));
	uart->head = 0;
	uart->count = le32toh(count);
	uart->ier = regs.ier;
	uart->fcr = regs.fcr;
	uart->lcr = regs.lcr;
	uart->mcr = regs.mcr;
	uart->scr = regs.scr;
	uart->modem_changes = regs.modem_changes;
	uart->overrun = regs.overrun;
	uart->sent = regs.sent;
	uart->divisor = le16toh(regs.divisor);
	uart_update_locked(uart);
	pthread_mutex_unlock(&uart->lock);
	return 0;
}

static void uart16550_describe(const struct vmm_device *dev, struct vmm_visitor *visitor)
{
	struct vmm_description description = {
		.node = "serial",
		.compatible = { "ns16550a" },
		.hid = "PNP0501",
		.name = "COM1",
		.space = dev->space,
		.base = dev->base,
		.size = dev->size,
		.irq = dev->irq,
		.trigger = dev->trigger,
		.console = true,
	};

	visitor->device(visitor, &description);
}

static void uart16550_stats(struct vmm_device *dev, struct vmm_report *report)
{
	const struct vmm_uart16550 *uart = dev->state;

	vmm_uart_stats(&uart->counts, report);
}

/** The x86_64 board's console. */
const struct vmm_device_ops vmm_uart16550_ops = {
	.name = "uart16550",
	.create = uart16550_create,
	.reset = uart16550_reset,
	.destroy = uart16550_destroy,
	.read = uart16550_read,
	.write = uart16550_write,
	.pause = uart16550_pause,
	.resume = uart16550_resume,
	.save = uart16550_save,
	.load = uart16550_load,
	.describe = uart16550_describe,
	.stats = uart16550_stats,
};
