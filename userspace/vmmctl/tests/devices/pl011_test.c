// SPDX-License-Identifier: GPL-2.0-only
/*
 * The PL011's registers, as a driver uses them.
 */
#include <string.h>

#include "devices/devices.h"
#include "tests/tap.h"

#define DR	0x00
#define FR	0x18
#define LCR_H	0x2c
#define CR	0x30
#define IFLS	0x34
#define IMSC	0x38
#define RIS	0x3c
#define MIS	0x40
#define ICR	0x44

#define RXFE	0x10
#define RXFF	0x40
#define TXFE	0x80
#define RX	0x10
#define TX	0x20
#define RT	0x40

static struct {
	bool level;
	unsigned int edges;
	u8 sent[64];
	unsigned int sent_count;
	unsigned int rooms;
} host;

static void on_irq(void *arg, bool level)
{
	(void)arg;
	tap_check(level != host.level);
	host.level = level;
	host.edges++;
}

static void on_put(void *arg, u8 byte)
{
	(void)arg;
	host.sent[host.sent_count++] = byte;
}

static void on_room(void *arg)
{
	(void)arg;
	host.rooms++;
}

/* Makes a UART after reset; @fifo enables its FIFOs. */
static struct vmm_pl011 *uart_new(bool fifo)
{
	static struct vmm_pl011 uart;

	memset(&host, 0, sizeof(host));
	uart = (struct vmm_pl011){ .irq = on_irq, .put = on_put, .room = on_room };
	vmm_pl011_init(&uart);
	if (fifo)
		vmm_pl011_write(&uart, LCR_H, 0x70);
	return &uart;
}

static void identifies_itself(void)
{
	static const u8 id[] = { 0x11, 0x10, 0x14, 0x00, 0x0d, 0xf0, 0x05, 0xb1 };
	struct vmm_pl011 *uart = uart_new(false);
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(id); i++)
		tap_equal(vmm_pl011_read(uart, 0xfe0 + 4 * i), id[i]);
}

static void resets_as_documented(void)
{
	struct vmm_pl011 *uart = uart_new(false);

	tap_equal(vmm_pl011_read(uart, FR), RXFE | TXFE);
	tap_equal(vmm_pl011_read(uart, CR), 0x300);
	tap_equal(vmm_pl011_read(uart, IFLS), 0x12);
	tap_equal(vmm_pl011_read(uart, IMSC), 0);
	tap_equal(vmm_pl011_read(uart, RIS), 0);
	tap_equal(vmm_pl011_read(uart, DR), 0);
}

static void registers_keep_their_bits(void)
{
	static const struct {
		u32 offset;
		u32 mask;
	} regs[] = {
		{ 0x20, 0xff }, { 0x24, 0xffff }, { 0x28, 0x3f }, { 0x2c, 0xff },
		{ 0x30, 0xffff }, { 0x34, 0x3f }, { 0x38, 0x7ff }, { 0x48, 7 },
	};
	struct vmm_pl011 *uart = uart_new(false);
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(regs); i++) {
		tap_context("register 0x%x", regs[i].offset);
		vmm_pl011_write(uart, regs[i].offset, ~0U);
		tap_equal(vmm_pl011_read(uart, regs[i].offset), regs[i].mask);
		vmm_pl011_write(uart, regs[i].offset, 0);
		tap_equal(vmm_pl011_read(uart, regs[i].offset), 0);
	}
}

static void sends_at_once(void)
{
	struct vmm_pl011 *uart = uart_new(true);

	vmm_pl011_write(uart, DR, 'h');
	vmm_pl011_write(uart, DR, 0xf00 | 'i');
	tap_equal(host.sent_count, 2);
	tap_check(!memcmp(host.sent, "hi", 2));
	tap_check(vmm_pl011_read(uart, FR) & TXFE);
}

static void transmit_interrupt_works(void)
{
	struct vmm_pl011 *uart = uart_new(true);

	vmm_pl011_write(uart, IMSC, TX);
	tap_check(!host.level);
	vmm_pl011_write(uart, DR, 'x');
	tap_check(host.level);
	tap_equal(vmm_pl011_read(uart, MIS), TX);
	vmm_pl011_write(uart, ICR, TX);
	tap_check(!host.level);
	vmm_pl011_write(uart, DR, 'x');
	vmm_pl011_write(uart, IMSC, 0);
	tap_check(!host.level);
	tap_equal(vmm_pl011_read(uart, RIS), TX);
	tap_equal(vmm_pl011_read(uart, MIS), 0);
}

static void receives_in_order(void)
{
	struct vmm_pl011 *uart = uart_new(true);
	unsigned int round;
	unsigned int i;
	u8 bytes[16];

	vmm_pl011_write(uart, IMSC, RX | RT);
	for (round = 0; round < 5; round++) {
		for (i = 0; i < 11; i++)
			bytes[i] = 16 * round + i;
		tap_equal(vmm_pl011_take(uart, bytes, 11), 11);
		tap_check(host.level);
		for (i = 0; i < 11; i++)
			tap_equal(vmm_pl011_read(uart, DR), 16 * round + i);
		tap_check(!host.level);
		tap_equal(vmm_pl011_read(uart, FR), RXFE | TXFE);
	}
}

static void fifo_is_bounded(void)
{
	struct vmm_pl011 *uart = uart_new(true);
	static const u8 bytes[40] = "0123456789abcdefghijklmnopqrstuvwxyz";

	vmm_pl011_write(uart, IMSC, RX | RT);
	tap_equal(vmm_pl011_take(uart, bytes, 40), 16);
	tap_equal(vmm_pl011_take(uart, bytes, 40), 0);
	tap_equal(vmm_pl011_read(uart, FR), RXFF | TXFE);
	tap_equal(vmm_pl011_read(uart, DR), '0');
	tap_equal(vmm_pl011_take(uart, bytes + 16, 24), 1);
	uart = uart_new(false);
	vmm_pl011_write(uart, IMSC, RX | RT);
	tap_equal(vmm_pl011_take(uart, bytes, 40), 1);
	tap_equal(vmm_pl011_read(uart, FR), RXFF | TXFE);
}

static void receive_levels_are_kept(void)
{
	static const u8 marks[] = { 2, 4, 8, 12, 14 };
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(marks); i++) {
		struct vmm_pl011 *uart = uart_new(true);
		const u8 bytes[16] = { 0 };

		tap_context("level %u", i);
		vmm_pl011_write(uart, IFLS, i << 3);
		vmm_pl011_write(uart, IMSC, RX);
		vmm_pl011_take(uart, bytes, marks[i] - 1);
		tap_equal(vmm_pl011_read(uart, RIS), RT);
		tap_check(!host.level);
		vmm_pl011_take(uart, bytes, 1);
		tap_equal(vmm_pl011_read(uart, RIS), RT | RX);
		tap_check(host.level);
		vmm_pl011_read(uart, DR);
		tap_check(!host.level);
	}
}

/* Clearing must not lose the interrupt for bytes that were not read. */
static void clear_keeps_what_waits(void)
{
	struct vmm_pl011 *uart = uart_new(true);

	vmm_pl011_write(uart, IMSC, RX | RT);
	vmm_pl011_take(uart, (const u8 *)"x", 1);
	vmm_pl011_write(uart, ICR, 0x7ff);
	tap_check(host.level);
	tap_equal(vmm_pl011_read(uart, MIS), RT);
}

static void input_waits_for_the_driver(void)
{
	struct vmm_pl011 *uart = uart_new(true);

	tap_equal(vmm_pl011_take(uart, (const u8 *)"x", 1), 0);
	tap_equal(host.rooms, 0);
	vmm_pl011_write(uart, IMSC, RT);
	tap_equal(host.rooms, 1);
	vmm_pl011_write(uart, IMSC, RT | TX);
	tap_equal(host.rooms, 1);
	tap_equal(vmm_pl011_take(uart, (const u8 *)"xy", 2), 2);
	vmm_pl011_read(uart, DR);
	tap_equal(host.rooms, 1);
	vmm_pl011_read(uart, DR);
	tap_equal(host.rooms, 2);
}

static void other_offsets_are_harmless(void)
{
	struct vmm_pl011 *uart = uart_new(true);
	u32 offset;

	for (offset = 0x4c; offset < 0x1000; offset++) {
		vmm_pl011_write(uart, offset, ~0U);
		if (offset < 0xfe0)
			tap_equal(vmm_pl011_read(uart, offset), 0);
	}
	tap_equal(vmm_pl011_read(uart, IMSC), 0);
	tap_equal(host.edges, 0);
}

static const struct tap_case cases[] = {
	{ "identifies itself as a PrimeCell", identifies_itself },
	{ "resets as documented", resets_as_documented },
	{ "registers keep their bits", registers_keep_their_bits },
	{ "sends at once", sends_at_once },
	{ "the transmit interrupt works", transmit_interrupt_works },
	{ "receives in order", receives_in_order },
	{ "the FIFO is bounded", fifo_is_bounded },
	{ "receive levels are kept", receive_levels_are_kept },
	{ "a clear keeps what waits", clear_keeps_what_waits },
	{ "input waits for the driver", input_waits_for_the_driver },
	{ "other offsets are harmless", other_offsets_are_harmless },
};

int main(void)
{
	return tap_run(cases, ARRAY_SIZE(cases));
}
