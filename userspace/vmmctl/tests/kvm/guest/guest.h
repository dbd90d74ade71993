/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Functions of the test guests: a CPU of 32 bits without paging, and accesses to the board's
 * registers.
 */
#ifndef KVM_GUEST_H
#define KVM_GUEST_H

#include <stdbool.h>

#include "tests/kvm/shared.h"

typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned int u32;
typedef unsigned long long u64;

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

/* ---- ports and registers in memory ---- */

static inline void out8(u16 port, u8 value)
{
	asm volatile("outb %0, %1" : : "a"(value), "Nd"(port));
}

static inline void out16(u16 port, u16 value)
{
	asm volatile("outw %0, %1" : : "a"(value), "Nd"(port));
}

static inline void out32(u16 port, u32 value)
{
	asm volatile("outl %0, %1" : : "a"(value), "Nd"(port));
}

static inline u8 in8(u16 port)
{
	u8 value;

	asm volatile("inb %1, %0" : "=a"(value) : "Nd"(port));
	return value;
}

static inline u16 in16(u16 port)
{
	u16 value;

	asm volatile("inw %1, %0" : "=a"(value) : "Nd"(port));
	return value;
}

static inline u32 in32(u16 port)
{
	u32 value;

	asm volatile("inl %1, %0" : "=a"(value) : "Nd"(port));
	return value;
}

static inline u8 read8(u32 at)
{
	return *(volatile u8 *)at;
}

static inline u16 read16(u32 at)
{
	return *(volatile u16 *)at;
}

static inline u32 read32(u32 at)
{
	return *(volatile u32 *)at;
}

static inline void write8(u32 at, u8 value)
{
	*(volatile u8 *)at = value;
}

static inline void write16(u32 at, u16 value)
{
	*(volatile u16 *)at = value;
}

static inline void write32(u32 at, u32 value)
{
	*(volatile u32 *)at = value;
}

static inline void interrupts_off(void)
{
	asm volatile("cli" : : : "memory");
}

static inline void interrupts_on(void)
{
	asm volatile("sti" : : : "memory");
}

/* ---- lib.c: checks, interrupts, time ---- */

void result(u32 have, u32 want, const char *file, u32 line);

#define equal(have, want)	result(have, want, __FILE_NAME__, __LINE__)
#define check(condition)	result(!!(condition), 1, __FILE_NAME__, __LINE__)

/* Number of interrupts of each vector. */
extern volatile u32 got[256];

/* Called for each interrupt, before its end. */
extern void (*on_interrupt)(u32 vector);

/* Local APIC. */
#define APIC		0xfee00000
#define APIC_EOI	(APIC + 0x0b0)
#define APIC_SPURIOUS	(APIC + 0x0f0)
#define APIC_IN_SERVICE	(APIC + 0x100)	/* 32 vectors each, 16 bytes apart */
#define APIC_REQUESTS	(APIC + 0x200)	/* likewise */
#define APIC_COMMAND	(APIC + 0x300)
#define APIC_COMMAND_TO	(APIC + 0x310)
#define APIC_TO_SELF	(1 << 18 | 1 << 14)	/* a command: asserted, to this CPU */
#define APIC_LVT0	(APIC + 0x350)

/* An IOAPIC's pins. */
#define PIN_LEVEL	(1 << 15)
#define PIN_MASKED	(1 << 16)
#define PIN_REMOTE_IRR	(1 << 14)

void pin_set(u32 pin, u32 entry);
u32 pin_get(u32 pin);

bool waits_for(volatile u32 *count, u32 value);
void settle(void);
void power_off(void);

/* ---- pci.c: configuration space ---- */

#define RNG_SLOT	9
#define RNG_GSI		11

u32 config_read(u32 slot, u32 offset);
void config_write(u32 slot, u32 offset, u32 value);
void config_write16(u32 slot, u32 offset, u16 value);

/* ---- virtio.c: a driver for the only virtio device ---- */

/**
 * struct rng - the device, behind its PCI function
 * @common: address of the common configuration
 * @isr: address of the interrupt status
 * @notify: port of the queue's doorbell
 * @msix: offset of the messages' capability
 * @table: address of the first message
 * @pending: address of the pending bits
 */
struct rng {
	u32 common;
	u32 isr;
	u16 notify;
	u32 msix;
	u32 table;
	u32 pending;
};

/* Registers of the common configuration. */
#define COMMON_CONFIG_VECTOR	0x10
#define COMMON_QUEUES		0x12
#define COMMON_QUEUE_VECTOR	0x1a

#define NO_VECTOR		0xffff

/* The queue's message, and the vectors that it sends. */
#define QUEUE_MESSAGE		1
#define VECTOR_QUEUE		0x51
#define VECTOR_OTHER		0x52
#define VECTOR_PIN		0x61

void rng_find(struct rng *rng);
void rng_start(struct rng *rng, u16 vector);
bool rng_request(const struct rng *rng);

/* ---- start.S ---- */

extern const u8 vectors[];
extern const u8 second_start[], second_end[], second_scratch[], second_bridge[], second_done[];
void triple_fault(void);

/* ---- the cases ---- */

/* pci.c */
void config_ports(void);
void bars(void);

/* msix.c */
void messages(void);
void all_messages(void);
void changed_message(void);

/* pins.c */
void in_service(void);
void pin(void);
void pin_disabled(void);
void resample(void);
void resample_again(void);
void resample_masked(void);

/* pm.c */
void pm_registers(void);
void pm_timer(void);
void power_button(void);
void reset_register(void);
void reset_keyboard(void);
void reset_fault(void);
void panics(void);

/* serial.c */
void serial_registers(void);
void serial_interrupts(void);
void second_cpu(void);

#endif /* KVM_GUEST_H */
