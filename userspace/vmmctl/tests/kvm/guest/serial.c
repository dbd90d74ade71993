// SPDX-License-Identifier: GPL-2.0-only
/*
 * The serial port, and a second CPU that starts with 16 bits.
 *
 * Source: PC16550D data sheet, section 8; Intel SDM volume 3, 8.4.4 (INIT and SIPI).
 */
#include <linux/ranchu_pc.h>

#include "tests/kvm/guest/guest.h"

#define DATA		RANCHU_PC_COM1_PORT
#define IER		(DATA + 1)
#define IIR		(DATA + 2)
#define FCR		(DATA + 2)
#define LCR		(DATA + 3)
#define MCR		(DATA + 4)
#define LSR		(DATA + 5)
#define MSR		(DATA + 6)
#define SCRATCH		(DATA + 7)

#define IER_RX		1
#define IER_TX		2
#define IIR_NONE	0x01
#define IIR_TX		0x02
#define IIR_RX		0x04
#define IIR_FIFOS	0xc0
#define FCR_ON		1
#define FCR_CLEAR	2
#define LCR_DIVISOR	0x80
#define MCR_LOOP	0x10
#define LSR_READY	0x01
#define LSR_OVERRUN	0x02
#define LSR_EMPTY	0x60
#define MODEM_READY	0xb0	/* CTS, DSR, DCD */
#define FIFO		16

#define VECTOR_SERIAL	0x64

static void send_all(u16 port, const u8 *from, u32 count)
{
	asm volatile("cld; rep outsb" : "+S"(from), "+c"(count) : "d"(port) : "memory");
}

static void divisor_and_scratch(void)
{
	out8(SCRATCH, 0x5a);
	equal(in8(SCRATCH), 0x5a);
	out8(LCR, LCR_DIVISOR | 3);
	equal(in16(DATA), 12);
	out16(DATA, 0x0102);
	equal(in8(DATA), 2);
	equal(in8(IER), 1);
	out8(LCR, 3);
	equal(in8(LCR), 3);
	equal(in8(IER), 0);
}

/* In loopback the modem's lines are the port's own, and sent bytes are received. */
static void looped_back(void)
{
	static const u8 text[] = "looped";
	u32 i;

	equal(in8(MSR), MODEM_READY);
	out8(MCR, MCR_LOOP);
	equal(in8(MSR) & 0xf0, 0);
	out8(MCR, MCR_LOOP | 0xf);
	equal(in8(MSR) & 0xf0, 0xf0);
	/* One exit for all of them. */
	out8(FCR, FCR_ON | FCR_CLEAR);
	send_all(DATA, text, sizeof(text));
	for (i = 0; i < sizeof(text); i++) {
		equal(in8(LSR), LSR_EMPTY | LSR_READY);
		equal(in8(DATA), text[i]);
	}
	equal(in8(LSR), LSR_EMPTY);
	for (i = 0; i <= FIFO; i++)
		out8(DATA, i);
	equal(in8(LSR), LSR_EMPTY | LSR_READY | LSR_OVERRUN);
	equal(in8(LSR), LSR_EMPTY | LSR_READY);
	equal(in8(DATA), 0);
	out8(FCR, FCR_ON | FCR_CLEAR);
	equal(in8(LSR), LSR_EMPTY);
	out8(MCR, 0);
}

void serial_registers(void)
{
	equal(in8(IIR), IIR_NONE);
	divisor_and_scratch();
	out8(FCR, FCR_ON);
	equal(in8(IIR), IIR_FIFOS | IIR_NONE);
	looped_back();
	out8(FCR, 0);
	equal(in8(IIR), IIR_NONE);
}

static u8 reason;
static u8 heard[8];
static volatile u32 count;

static void serial(u32 vector)
{
	if (vector != VECTOR_SERIAL)
		return;
	reason = in8(IIR);
	while (in8(LSR) & LSR_READY && count < sizeof(heard))
		heard[count++] = in8(DATA);
}

void serial_interrupts(void)
{
	static const u8 answer[] = KVM_SERIAL_OUT;
	static const u8 asked[] = KVM_SERIAL_IN;
	u32 i;

	on_interrupt = serial;
	pin_set(RANCHU_PC_COM1_GSI, VECTOR_SERIAL);
	out8(FCR, FCR_ON | FCR_CLEAR);
	/* The transmitter is empty, which interrupts once. */
	out8(IER, IER_TX);
	check(waits_for(&got[VECTOR_SERIAL], 1));
	settle();
	equal(got[VECTOR_SERIAL], 1);
	equal(reason, IIR_FIFOS | IIR_TX);
	equal(in8(IIR), IIR_FIFOS | IIR_NONE);
	/* Bytes to the guest have waited until now. */
	equal(count, 0);
	out8(IER, IER_RX);
	check(waits_for(&count, sizeof(asked) - 1));
	settle();
	equal(reason, IIR_FIFOS | IIR_RX);
	equal(count, sizeof(asked) - 1);
	for (i = 0; i < sizeof(asked) - 1; i++)
		equal(heard[i], asked[i]);
	out8(IER, 0);
	send_all(DATA, answer, sizeof(answer) - 1);
}

#define COMMAND_INIT	0x4500
#define COMMAND_START	0x4600
#define BRIDGE		0x12378086

/* Address of a part of the copied code. */
static u32 copied(const u8 *what)
{
	return KVM_CPU_START + (what - second_start);
}

void second_cpu(void)
{
	u32 i;

	for (i = 0; i < (u32)(second_end - second_start); i++)
		write8(KVM_CPU_START + i, second_start[i]);
	out8(SCRATCH, 0xa7);
	write32(APIC_COMMAND_TO, 1 << 24);
	write32(APIC_COMMAND, COMMAND_INIT);
	settle();
	write32(APIC_COMMAND_TO, 1 << 24);
	write32(APIC_COMMAND, COMMAND_START | KVM_CPU_START >> 12);
	check(waits_for((volatile u32 *)copied(second_done), 1));
	equal(read32(copied(second_scratch)), 0xa7);
	equal(read32(copied(second_bridge)), BRIDGE);
}
