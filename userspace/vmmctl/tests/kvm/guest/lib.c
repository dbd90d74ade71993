// SPDX-License-Identifier: GPL-2.0-only
/*
 * Start and end of a test guest: descriptors for interrupts, the local APIC, the IOAPIC's
 * pins, results.
 *
 * Source: Intel SDM volume 3, 6.10 (IDT), 10.4 to 10.8 (local APIC); 82093AA data sheet,
 * 3.2.4 (redirection table); ACPI 6.5, 4.8 (sleep).
 */
#include "tests/kvm/guest/guest.h"

#define CODE_SELECTOR	0x10
#define GATE_INTERRUPT	0x8e00	/* present, 32 bits, interrupts off */
#define EXCEPTIONS	32
#define VECTOR_BYTES	16	/* distance of two vectors' code */

#define IOAPIC		0xfec00000
#define IOAPIC_WINDOW	(IOAPIC + 0x10)
#define IOAPIC_PIN	0x10	/* register of the first pin, of two */

#define APIC_ON		0x1ff	/* and the vector of spurious interrupts */
#define LVT_MASKED	(1 << 16)

#define PM_CONTROL	0x604
#define PM_SLEEP_OFF	(1 << 13)

#define WAIT_US		10000000
#define SETTLE_US	50000

volatile u32 got[256];
void (*on_interrupt)(u32 vector);

/**
 * struct gate - an interrupt descriptor
 * @low: address, its lower half
 * @selector: code
 * @kind: GATE_INTERRUPT
 * @high: address, its upper half
 */
struct gate {
	u16 low;
	u16 selector;
	u16 kind;
	u16 high;
};

static struct gate idt[256];

static void nothing(void)
{
	check(true);
}

static void (*const cases[KVM_CASES])(void) = {
	[KVM_NOTHING] = nothing,
	[KVM_IN_SERVICE] = in_service,
	[KVM_CONFIG_PORTS] = config_ports,
	[KVM_BARS] = bars,
	[KVM_MESSAGES] = messages,
	[KVM_ALL_MESSAGES] = all_messages,
	[KVM_CHANGED_MESSAGE] = changed_message,
	[KVM_PIN] = pin,
	[KVM_PIN_DISABLED] = pin_disabled,
	[KVM_RESAMPLE] = resample,
	[KVM_RESAMPLE_AGAIN] = resample_again,
	[KVM_RESAMPLE_MASKED] = resample_masked,
	[KVM_PM_REGISTERS] = pm_registers,
	[KVM_PM_TIMER] = pm_timer,
	[KVM_POWER_BUTTON] = power_button,
	[KVM_SERIAL_REGISTERS] = serial_registers,
	[KVM_SERIAL_INTERRUPTS] = serial_interrupts,
	[KVM_SECOND_CPU] = second_cpu,
	[KVM_RESET_REGISTER] = reset_register,
	[KVM_RESET_KEYBOARD] = reset_keyboard,
	[KVM_RESET_FAULT] = reset_fault,
	[KVM_PANICS] = panics,
};

/* The compiler generates calls of these two for structures. */
void *memset(void *to, int byte, u32 size)
{
	void *at = to;

	asm volatile("cld; rep stosb" : "+D"(at), "+c"(size) : "a"(byte) : "memory");
	return to;
}

void *memcpy(void *to, const void *from, u32 size)
{
	void *at = to;

	asm volatile("cld; rep movsb" : "+D"(at), "+S"(from), "+c"(size) : : "memory");
	return to;
}

/* Record the result of a check. */
void result(u32 have, u32 want, const char *file, u32 line)
{
	struct kvm_results *results = (struct kvm_results *)KVM_RESULTS;
	struct kvm_failure *failure = &results->failure[results->failures];
	u32 i;

	results->checks++;
	if (have == want)
		return;
	if (results->failures < KVM_FAILURES) {
		failure->line = line;
		failure->have = have;
		failure->want = want;
		for (i = 0; file[i] && i < KVM_FILE_NAME - 1; i++)
			failure->file[i] = file[i];
	}
	results->failures++;
}

/* Switch the VM off. */
void power_off(void)
{
	for (;;)
		out16(PM_CONTROL, PM_SLEEP_OFF);
}

/* Handle all vectors; after an exception a case cannot continue. */
void interrupt(u32 vector)
{
	got[vector]++;
	if (vector < EXCEPTIONS) {
		equal(vector, ~0U);
		power_off();
	}
	if (on_interrupt)
		on_interrupt(vector);
	write32(APIC_EOI, 0);
}

static void idt_load(void)
{
	struct { u16 limit; u32 base; } __attribute__((packed)) table = {
		sizeof(idt) - 1, (u32)idt,
	};
	u32 i;

	for (i = 0; i < ARRAY_SIZE(idt); i++) {
		u32 at = (u32)vectors + i * VECTOR_BYTES;

		idt[i] = (struct gate){ at, CODE_SELECTOR, GATE_INTERRUPT, at >> 16 };
	}
	asm volatile("lidt %0" : : "m"(table));
}

/* Set a pin of the IOAPIC, for the first CPU. */
void pin_set(u32 pin, u32 entry)
{
	write32(IOAPIC, IOAPIC_PIN + 2 * pin + 1);
	write32(IOAPIC_WINDOW, 0);
	write32(IOAPIC, IOAPIC_PIN + 2 * pin);
	write32(IOAPIC_WINDOW, entry);
}

/* Read the lower word of a pin. */
u32 pin_get(u32 pin)
{
	write32(IOAPIC, IOAPIC_PIN + 2 * pin);
	return read32(IOAPIC_WINDOW);
}

/* Wait until a count reaches a value; return false on a timeout. */
bool waits_for(volatile u32 *count, u32 value)
{
	u32 start = in32(KVM_PORT_CLOCK);

	while (*count < value) {
		if (in32(KVM_PORT_CLOCK) - start > WAIT_US)
			return false;
	}
	return true;
}

/* Wait for unwanted interrupts. */
void settle(void)
{
	u32 start = in32(KVM_PORT_CLOCK);

	while (in32(KVM_PORT_CLOCK) - start < SETTLE_US)
		;
}

/* Run a case, with interrupts enabled and no source of them yet. */
void guest_main(u32 which)
{
	idt_load();
	out8(0x21, 0xff);
	out8(0xa1, 0xff);
	write32(APIC_LVT0, LVT_MASKED);
	write32(APIC_SPURIOUS, APIC_ON);
	interrupts_on();
	cases[which]();
	power_off();
}
