// SPDX-License-Identifier: GPL-2.0-only
/*
 * The 16550A's registers, as a driver uses them.
 */
#include <string.h>

#include "devices/pc.h"
#include "machine/machine.h"
#include "tests/tap.h"

#define RBR	0
#define THR	0
#define IER	1
#define IIR	2
#define FCR	2
#define LCR	3
#define MCR	4
#define LSR	5
#define MSR	6
#define SCR	7

static struct {
	bool level;
	unsigned int rooms;
	char sent[64];
	unsigned int count;
} host;

static void on_irq(void *arg, bool level)
{
	(void)arg;
	tap_check(level != host.level);
	host.level = level;
}

static void on_put(void *arg, u8 byte)
{
	(void)arg;
	if (host.count < sizeof(host.sent))
		host.sent[host.count++] = byte;
}

static void on_room(void *arg)
{
	(void)arg;
	host.rooms++;
}

static struct vmm_uart16550 *uart_new(void)
{
	static struct vmm_uart16550 uart;

	memset(&host, 0, sizeof(host));
	uart = (struct vmm_uart16550){ .irq = on_irq, .put = on_put, .room = on_room };
	vmm_uart16550_init(&uart);
	return &uart;
}

static u8 rd(struct vmm_uart16550 *uart, u32 reg)
{
	return vmm_uart16550_read(uart, reg);
}

static void wr(struct vmm_uart16550 *uart, u32 reg, u8 value)
{
	vmm_uart16550_write(uart, reg, value);
}

static size_t type(struct vmm_uart16550 *uart, const char *text)
{
	return vmm_uart16550_take(uart, (const u8 *)text, strlen(text));
}

static void begins_as_a_reset_one(void)
{
	struct vmm_uart16550 *uart = uart_new();

	tap_equal(rd(uart, IER), 0);
	tap_equal(rd(uart, IIR), 1);
	tap_equal(rd(uart, LCR), 0);
	tap_equal(rd(uart, MCR), 0);
	tap_equal(rd(uart, LSR), 0x60);
	tap_equal(rd(uart, MSR), 0xb0);
	tap_equal(rd(uart, RBR), 0);
	tap_check(!host.level);
}

/* The same steps by which Linux decides that it is a 16550A. */
static void linux_finds_a_16550a(void)
{
	struct vmm_uart16550 *uart = uart_new();

	wr(uart, IER, 0);
	tap_equal(rd(uart, IER) & 0xf, 0);
	wr(uart, IER, 0xf);
	tap_equal(rd(uart, IER), 0xf);
	wr(uart, IER, 0);
	wr(uart, MCR, 0x10 | 0x0a);
	tap_equal(rd(uart, MSR) & 0xf0, 0x90);
	wr(uart, MCR, 0);
	wr(uart, LCR, 0);
	wr(uart, FCR, 1);
	tap_equal(rd(uart, IIR) >> 6, 3);
	/* It is no later model: no enhanced registers, and a FIFO of 16 bytes. */
	wr(uart, LCR, 0xbf);
	tap_equal(rd(uart, IIR) >> 6, 3);
	wr(uart, LCR, 0);
	wr(uart, FCR, 0x21);
	tap_equal(rd(uart, IIR) & 0x20, 0);
	wr(uart, IER, 0x40);
	tap_equal(rd(uart, IER) & 0x40, 0);
	wr(uart, FCR, 0);
	tap_equal(rd(uart, IIR), 1);
}

static void bytes_are_sent(void)
{
	struct vmm_uart16550 *uart = uart_new();

	wr(uart, THR, 'h');
	wr(uart, THR, 'i');
	tap_equal(host.count, 2);
	tap_check(!memcmp(host.sent, "hi", 2));
	tap_equal(rd(uart, LSR), 0x60);
	tap_check(!host.level);
	/* A write to the divisor sends no byte. */
	wr(uart, LCR, 0x80);
	wr(uart, 0, 0x0c);
	wr(uart, 1, 0x01);
	tap_equal(rd(uart, 0), 0x0c);
	tap_equal(rd(uart, 1), 0x01);
	wr(uart, LCR, 3);
	tap_equal(host.count, 2);
	tap_equal(rd(uart, IER), 0);
}

/* There is one interrupt for each byte that was sent, and one when it is enabled. */
static void sending_interrupts(void)
{
	struct vmm_uart16550 *uart = uart_new();

	wr(uart, IER, 2);
	tap_check(host.level);
	tap_equal(rd(uart, IIR), 2);
	tap_check(!host.level);
	tap_equal(rd(uart, IIR), 1);
	wr(uart, THR, 'x');
	tap_check(host.level);
	wr(uart, THR, 'y');
	tap_equal(rd(uart, IIR), 2);
	tap_check(!host.level);
	wr(uart, THR, 'z');
	wr(uart, IER, 0);
	tap_check(!host.level);
	wr(uart, IER, 2);
	tap_check(host.level);
}

static void what_is_typed_waits(void)
{
	struct vmm_uart16550 *uart = uart_new();

	tap_equal(type(uart, "early"), 0);
	tap_equal(rd(uart, LSR), 0x60);
	wr(uart, FCR, 1);
	wr(uart, IER, 1);
	tap_equal(host.rooms, 1);
	tap_equal(type(uart, "early"), 5);
	tap_check(host.level);
}

static void bytes_are_received(void)
{
	struct vmm_uart16550 *uart = uart_new();
	unsigned int i;

	wr(uart, FCR, 0x41);	/* interrupt from 4 bytes on */
	wr(uart, IER, 1);
	host.rooms = 0;
	tap_equal(type(uart, "abc"), 3);
	tap_equal(rd(uart, IIR), 0xcc);
	tap_equal(type(uart, "d"), 1);
	tap_equal(rd(uart, IIR), 0xc4);
	for (i = 0; i < 4; i++) {
		tap_equal(rd(uart, LSR), 0x61);
		tap_equal(host.rooms, 0);
		tap_equal(rd(uart, RBR), "abcd"[i]);
	}
	tap_equal(host.rooms, 1);
	tap_equal(rd(uart, LSR), 0x60);
	tap_equal(rd(uart, IIR), 0xc1);
	tap_check(!host.level);
	/* 16, and the rest waits. */
	tap_equal(type(uart, "0123456789abcdefgh"), 16);
	tap_equal(rd(uart, LSR), 0x61);
	wr(uart, FCR, 0x43);
	tap_equal(rd(uart, LSR), 0x60);
	tap_check(!host.level);
	/* Without FIFOs there is room for one. */
	wr(uart, FCR, 0);
	tap_equal(type(uart, "xy"), 1);
	tap_equal(rd(uart, IIR), 4);
	tap_equal(rd(uart, RBR), 'x');
}

static void a_loop_has_two_ends(void)
{
	struct vmm_uart16550 *uart = uart_new();
	unsigned int i;

	wr(uart, FCR, 1);
	wr(uart, IER, 5);
	wr(uart, MCR, 0x10);
	tap_equal(type(uart, "x"), 0);
	for (i = 0; i < 17; i++)
		wr(uart, THR, 'a' + i);
	tap_equal(host.count, 0);
	/* An overrun: the interrupt of highest priority, and its flag, once. */
	tap_equal(rd(uart, IIR), 0xc6);
	tap_equal(rd(uart, LSR), 0x63);
	tap_equal(rd(uart, LSR), 0x61);
	tap_equal(rd(uart, RBR), 'a');
	/* In loopback the modem's lines are the port's own. */
	static const u8 lines[][2] = { { 0, 0 }, { 1, 0x20 }, { 2, 0x10 }, { 4, 0x40 },
				       { 8, 0x80 }, { 0xf, 0xf0 } };

	for (i = 0; i < ARRAY_SIZE(lines); i++) {
		wr(uart, MCR, 0x10 | lines[i][0]);
		tap_equal(rd(uart, MSR) & 0xf0, lines[i][1]);
		tap_equal(rd(uart, MSR) & 0x0f, 0);
	}
}

static void modem_changes_interrupt(void)
{
	struct vmm_uart16550 *uart = uart_new();

	wr(uart, MCR, 0x10);
	rd(uart, MSR);
	wr(uart, IER, 8);
	tap_check(!host.level);
	wr(uart, MCR, 0x11);
	tap_check(host.level);
	tap_equal(rd(uart, IIR), 0);
	tap_equal(rd(uart, MSR), 0x22);
	tap_check(!host.level);
	tap_equal(rd(uart, IIR), 1);
}

static void scratch_is_kept(void)
{
	struct vmm_uart16550 *uart = uart_new();

	wr(uart, SCR, 0x5a);
	wr(uart, LSR, 0);
	wr(uart, MSR, 0);
	tap_equal(rd(uart, SCR), 0x5a);
	tap_equal(rd(uart, LSR), 0x60);
	vmm_uart16550_reset(uart);
	tap_equal(rd(uart, SCR), 0);
}

static void a_reset_forgets(void)
{
	struct vmm_uart16550 *uart = uart_new();

	wr(uart, FCR, 1);
	wr(uart, IER, 0xf);
	wr(uart, LCR, 0x83);
	wr(uart, MCR, 0x1f);
	type(uart, "abc");
	tap_check(host.level);
	vmm_uart16550_reset(uart);
	tap_check(!host.level);
	tap_equal(rd(uart, IIR), 1);
	tap_equal(rd(uart, LSR), 0x60);
	tap_equal(rd(uart, MSR), 0xb0);
	tap_equal(rd(uart, MCR), 0);
}

static const struct tap_case cases[] = {
	{ "it begins as a reset one", begins_as_a_reset_one },
	{ "Linux takes it for a 16550A", linux_finds_a_16550a },
	{ "bytes are sent", bytes_are_sent },
	{ "sending interrupts once", sending_interrupts },
	{ "what is typed waits until the guest listens", what_is_typed_waits },
	{ "bytes are received, and told of", bytes_are_received },
	{ "a loop has two ends", a_loop_has_two_ends },
	{ "changes of the modem's lines interrupt", modem_changes_interrupt },
	{ "the scratch register is kept, others are not", scratch_is_kept },
	{ "a reset forgets all", a_reset_forgets },
};

int main(void)
{
	return tap_run(cases, ARRAY_SIZE(cases));
}
