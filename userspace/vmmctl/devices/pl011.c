// SPDX-License-Identifier: GPL-2.0-only
/*
 * PL011: the board's console. Sends at once, so it is never busy and its
 * transmit FIFO is always empty; receives through a FIFO of 16 bytes.
 *
 * Input waits until the guest has unmasked a receive interrupt: a Linux driver empties the
 * FIFO without reading it while it starts.
 *
 * Source: ARM DDI 0183 (PrimeCell UART PL011), register map and 2.4 for the
 * identification registers of revision 1.
 */
#include <endian.h>
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "devices/devices.h"
#include "devices/uart.h"
#include "host/host.h"

#define UART_DR		0x00
#define UART_RSR_ECR	0x04
#define UART_FR		0x18
#define UART_ILPR	0x20
#define UART_IBRD	0x24
#define UART_FBRD	0x28
#define UART_LCR_H	0x2c
#define UART_CR		0x30
#define UART_IFLS	0x34
#define UART_IMSC	0x38
#define UART_RIS	0x3c
#define UART_MIS	0x40
#define UART_ICR	0x44
#define UART_DMACR	0x48
#define UART_PERIPH_ID0	0xfe0

#define FR_RXFE		(1 << 4)
#define FR_RXFF		(1 << 6)
#define FR_TXFE		(1 << 7)

#define LCR_H_FEN	(1 << 4)
#define CR_RESET	0x300	/* transmit and receive enabled, UART not */
#define IFLS_RESET	0x12	/* both FIFOs at half */

#define INT_RX		(1 << 4)
#define INT_TX		(1 << 5)
#define INT_RT		(1 << 6)
#define INT_ALL		0x7ff

/* Peripheral and PrimeCell identification, one byte per register. */
static const u8 uart_id[8] = { 0x11, 0x10, 0x14, 0x00, 0x0d, 0xf0, 0x05, 0xb1 };

/* While FIFOs are disabled, the FIFO is one byte deep. */
static unsigned int uart_depth(const struct vmm_pl011 *uart)
{
	return uart->lcrh & LCR_H_FEN ? VMM_PL011_FIFO : 1;
}

/* Number of bytes at which the receive interrupt is raised. */
static unsigned int uart_rx_trigger(const struct vmm_pl011 *uart)
{
	static const u8 sixteenths[8] = { 2, 4, 8, 12, 14, 8, 8, 8 };

	if (uart_depth(uart) == 1)
		return 1;
	return sixteenths[(uart->ifls >> 3) & 7];
}

/*
 * Receive interrupts follow the FIFO and cannot be cleared while it has bytes: a clear that
 * races with a new byte would lose an interrupt. The timeout interrupt is raised at once,
 * because waiting has no advantage.
 */
static u32 uart_raw(const struct vmm_pl011 *uart)
{
	u32 raw = uart->tx_raw;

	if (uart->count >= uart_rx_trigger(uart))
		raw |= INT_RX;
	if (uart->count)
		raw |= INT_RT;
	return raw;
}

static void uart_update_locked(struct vmm_pl011 *uart)
{
	bool level = uart_raw(uart) & uart->imsc;

	if (level == uart->level)
		return;
	uart->level = level;
	uart->irq(uart->arg, level);
}

static u32 uart_flags(const struct vmm_pl011 *uart)
{
	u32 flags = FR_TXFE;

	if (!uart->count)
		flags |= FR_RXFE;
	if (uart->count >= uart_depth(uart))
		flags |= FR_RXFF;
	return flags;
}

static u32 uart_pop_locked(struct vmm_pl011 *uart)
{
	u32 byte;

	if (!uart->count)
		return 0;
	byte = uart->fifo[uart->head];
	uart->head = (uart->head + 1) % VMM_PL011_FIFO;
	uart->count--;
	uart_update_locked(uart);
	/* Asks for more only when the FIFO is empty: each call may wake a thread. */
	if (!uart->count)
		uart->room(uart->arg);
	return byte;
}

static u32 uart_read_locked(struct vmm_pl011 *uart, u32 offset)
{
	switch (offset) {
	case UART_DR:
		return uart_pop_locked(uart);
	case UART_FR:
		return uart_flags(uart);
	case UART_ILPR:
		return uart->ilpr;
	case UART_IBRD:
		return uart->ibrd;
	case UART_FBRD:
		return uart->fbrd;
	case UART_LCR_H:
		return uart->lcrh;
	case UART_CR:
		return uart->cr;
	case UART_IFLS:
		return uart->ifls;
	case UART_IMSC:
		return uart->imsc;
	case UART_RIS:
		return uart_raw(uart);
	case UART_MIS:
		return uart_raw(uart) & uart->imsc;
	case UART_DMACR:
		return uart->dmacr;
	default:
		/* There are no errors; other offsets read as 0. */
		return 0;
	}
}

static void uart_mask_locked(struct vmm_pl011 *uart, u32 value)
{
	bool listens = value & (INT_RX | INT_RT);
	bool listened = uart->imsc & (INT_RX | INT_RT);

	uart->imsc = value & INT_ALL;
	uart_update_locked(uart);
	if (listens && !listened)
		uart->room(uart->arg);
}

static void uart_write_locked(struct vmm_pl011 *uart, u32 offset, u32 value)
{
	switch (offset) {
	case UART_DR:
		vmm_count(&uart->counts.bytes_out, 1);
		uart->put(uart->arg, value);
		/* The byte was sent at once, so the FIFO is below its trigger level. */
		uart->tx_raw = INT_TX;
		break;
	case UART_ILPR:
		uart->ilpr = value & 0xff;
		break;
	case UART_IBRD:
		uart->ibrd = value & 0xffff;
		break;
	case UART_FBRD:
		uart->fbrd = value & 0x3f;
		break;
	case UART_LCR_H:
		uart->lcrh = value & 0xff;
		break;
	case UART_CR:
		uart->cr = value & 0xffff;
		break;
	case UART_IFLS:
		uart->ifls = value & 0x3f;
		break;
	case UART_IMSC:
		uart_mask_locked(uart, value);
		return;
	case UART_ICR:
		uart->tx_raw &= ~value;
		break;
	case UART_DMACR:
		/* No DMA: the value is stored without effect. */
		uart->dmacr = value & 7;
		break;
	default:
		return;
	}
	uart_update_locked(uart);
}

/**
 * vmm_pl011_init - initialise a UART to its reset state
 * @uart: callbacks are set, all other members are zero
 */
void vmm_pl011_init(struct vmm_pl011 *uart)
{
	pthread_mutex_init(&uart->lock, NULL);
	uart->cr = CR_RESET;
	uart->ifls = IFLS_RESET;
}

/**
 * vmm_pl011_reset - put a UART into its reset state
 * @uart: the UART; it may be paused and stays so
 */
void vmm_pl011_reset(struct vmm_pl011 *uart)
{
	pthread_mutex_lock(&uart->lock);
	uart->head = 0;
	uart->count = 0;
	uart->ilpr = 0;
	uart->ibrd = 0;
	uart->fbrd = 0;
	uart->lcrh = 0;
	uart->cr = CR_RESET;
	uart->ifls = IFLS_RESET;
	uart->imsc = 0;
	uart->dmacr = 0;
	uart->tx_raw = 0;
	uart_update_locked(uart);
	pthread_mutex_unlock(&uart->lock);
}

/**
 * vmm_pl011_read - answer a guest read
 * @uart: the UART
 * @offset: byte offset of the register
 *
 * Context: any thread.
 * Return: the register's value
 */
u32 vmm_pl011_read(struct vmm_pl011 *uart, u32 offset)
{
	u32 value;

	if (offset >= UART_PERIPH_ID0)
		return offset & 3 ? 0 : uart_id[(offset - UART_PERIPH_ID0) / 4 % sizeof(uart_id)];
	pthread_mutex_lock(&uart->lock);
	value = uart_read_locked(uart, offset);
	pthread_mutex_unlock(&uart->lock);
	return value;
}

/**
 * vmm_pl011_write - take a guest write
 * @uart: the UART
 * @offset: byte offset of the register
 * @value: what was written
 *
 * Context: any thread.
 */
void vmm_pl011_write(struct vmm_pl011 *uart, u32 offset, u32 value)
{
	pthread_mutex_lock(&uart->lock);
	uart_write_locked(uart, offset, value);
	pthread_mutex_unlock(&uart->lock);
}

/**
 * vmm_pl011_take - receive bytes
 * @arg: the UART
 * @bytes: the bytes
 * @len: how many
 *
 * Context: any thread.
 * Return: how many were accepted; 0 while the guest has no receive interrupt enabled
 */
size_t vmm_pl011_take(void *arg, const u8 *bytes, size_t len)
{
	struct vmm_pl011 *uart = arg;
	size_t taken = 0;

	pthread_mutex_lock(&uart->lock);
	if (!uart->paused && uart->imsc & (INT_RX | INT_RT)) {
		while (taken < len && uart->count < uart_depth(uart)) {
			uart->fifo[(uart->head + uart->count) % VMM_PL011_FIFO] = bytes[taken++];
			uart->count++;
		}
	}
	vmm_count(&uart->counts.bytes_in, taken);
	uart_update_locked(uart);
	pthread_mutex_unlock(&uart->lock);
	return taken;
}

static const struct vmm_console_guest pl011_guest = { .take = vmm_pl011_take };

static int pl011_create(struct vmm_device *dev)
{
	struct vmm_pl011 *uart = calloc(1, sizeof(*uart));

	if (!uart)
		return vmm_error(ENOMEM, "pl011");
	uart->irq = vmm_device_irq;
	uart->put = vmm_uart_put;
	uart->room = vmm_uart_room;
	uart->arg = dev;
	vmm_pl011_init(uart);
	dev->state = uart;
	vmm_uart_attach(dev, &pl011_guest);
	return 0;
}

static void pl011_reset(struct vmm_device *dev)
{
	vmm_pl011_reset(dev->state);
	vmm_uart_attach(dev, &pl011_guest);
}

static void pl011_destroy(struct vmm_device *dev)
{
	struct vmm_pl011 *uart = dev->state;

	vmm_uart_attach(dev, NULL);
	pthread_mutex_destroy(&uart->lock);
	free(uart);
}

/* Registers are 32 bits wide; a read of any length returns the whole register. */
static u64 pl011_read(struct vmm_device *dev, u64 offset, unsigned int len)
{
	(void)len;
	return vmm_pl011_read(dev->state, offset);
}

static void pl011_write(struct vmm_device *dev, u64 offset, u64 value, unsigned int len)
{
	(void)len;
	vmm_pl011_write(dev->state, offset, value);
}

static void pl011_set_paused(struct vmm_pl011 *uart, bool paused)
{
	bool was;

	pthread_mutex_lock(&uart->lock);
	was = uart->paused;
	uart->paused = paused;
	pthread_mutex_unlock(&uart->lock);
	if (was && !paused)
		uart->room(uart->arg);
}

static void pl011_pause(struct vmm_device *dev)
{
	pl011_set_paused(dev->state, true);
}

static void pl011_resume(struct vmm_device *dev)
{
	pl011_set_paused(dev->state, false);
}

/* Fields of the saved state; a number is never reused. */
enum {
	STATE_FIFO = 1,	/* bytes in the order in which they came, then zeros */
	STATE_COUNT,	/* number of bytes in the FIFO */
	STATE_REGS,	/* in the order of uart_regs() */
};

#define STATE_VERSION	1

/* Registers in the order in which they are saved. */
static void uart_regs(struct vmm_pl011 *uart, u32 *regs[9])
{
	regs[0] = &uart->ilpr;
	regs[1] = &uart->ibrd;
	regs[2] = &uart->fbrd;
	regs[3] = &uart->lcrh;
	regs[4] = &uart->cr;
	regs[5] = &uart->ifls;
	regs[6] = &uart->imsc;
	regs[7] = &uart->dmacr;
	regs[8] = &uart->tx_raw;
}

static int pl011_save(struct vmm_device *dev, struct vmm_state *state)
{
	struct vmm_pl011 *uart = dev->state;
	u8 fifo[VMM_PL011_FIFO] = { 0 };
	__le32 saved[9];
	__le32 count;
	u32 *regs[9];
	unsigned int i;
	int err = vmm_state_begin(state, dev->ops->name, STATE_VERSION);

	if (err)
		return err;
	pthread_mutex_lock(&uart->lock);
	for (i = 0; i < uart->count; i++)
		fifo[i] = uart->fifo[(uart->head + i) % VMM_PL011_FIFO];
	count = htole32(uart->count);
	uart_regs(uart, regs);
	for (i = 0; i < ARRAY_SIZE(regs); i++)
		saved[i] = htole32(*regs[i]);
	pthread_mutex_unlock(&uart->lock);
	vmm_state_put(state, STATE_FIFO, fifo, sizeof(fifo));
	vmm_state_put(state, STATE_COUNT, &count, sizeof(count));
	vmm_state_put(state, STATE_REGS, saved, sizeof(saved));
	return vmm_state_end(state);
}

/* Refuses a state that no guest write can lead to. */
static bool regs_are_possible(u32 *const regs[9], const __le32 saved[9])
{
	static const u32 bits[9] = {
		0xff, 0xffff, 0x3f, 0xff, 0xffff, 0x3f, INT_ALL, 7, INT_TX,
	};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(bits); i++) {
		*regs[i] = le32toh(saved[i]);
		if (*regs[i] & ~bits[i])
			return false;
	}
	return true;
}

static int pl011_load(struct vmm_device *dev, struct vmm_state *state)
{
	struct vmm_pl011 *uart = dev->state;
	u8 fifo[VMM_PL011_FIFO];
	__le32 saved[9];
	__le32 count;
	u32 *regs[9];
	int err = vmm_state_open(state, dev->ops->name, STATE_VERSION);

	if (err < 0)
		return err;
	vmm_state_get(state, STATE_FIFO, fifo, sizeof(fifo));
	vmm_state_get(state, STATE_COUNT, &count, sizeof(count));
	vmm_state_get(state, STATE_REGS, saved, sizeof(saved));
	err = vmm_state_close(state);
	if (!err && le32toh(count) > VMM_PL011_FIFO)
		err = -EINVAL;
	if (err)
		return err;
	pthread_mutex_lock(&uart->lock);
	memcpy(uart->fifo, fifo, sizeof(fifo));
	uart->head = 0;
	uart->count = le32toh(count);
	uart_regs(uart, regs);
	if (regs_are_possible(regs, saved))
		uart_update_locked(uart);
	else
		err = -EINVAL;
	pthread_mutex_unlock(&uart->lock);
	return err;
}

static void pl011_describe(const struct vmm_device *dev, struct vmm_visitor *visitor)
{
	struct vmm_description description = {
		.node = "pl011",
		.compatible = { "arm,pl011", "arm,primecell" },
		.base = dev->base,
		.size = dev->size,
		.irq = dev->irq,
		.trigger = dev->trigger,
		.clocks = { "uartclk", "apb_pclk" },
		.console = true,
	};

	visitor->device(visitor, &description);
}

static void pl011_stats(struct vmm_device *dev, struct vmm_report *report)
{
	const struct vmm_pl011 *uart = dev->state;

	vmm_uart_stats(&uart->counts, report);
}

/** The board's console. */
const struct vmm_device_ops vmm_pl011_ops = {
	.name = "pl011",
	.create = pl011_create,
	.reset = pl011_reset,
	.destroy = pl011_destroy,
	.read = pl011_read,
	.write = pl011_write,
	.pause = pl011_pause,
	.resume = pl011_resume,
	.save = pl011_save,
	.load = pl011_load,
	.describe = pl011_describe,
	.stats = pl011_stats,
};
