/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The interface of the test guests and board_test. Both include it; the guests are compiled for 32
 * bits.
 */
#ifndef KVM_SHARED_H
#define KVM_SHARED_H

/* Guest physical addresses. */
#define KVM_GUEST_BASE	0x00100000	/* all guests: one program */
#define KVM_RESULTS	0x00080000	/* struct kvm_results */
#define KVM_CPU_START	0x00010000	/* a second CPU's first instruction, of 16 bits */

#define KVM_FAILURES	8	/* failures that are recorded */
#define KVM_FILE_NAME	20	/* bytes of a source's name */

#ifndef __ASSEMBLER__
/**
 * struct kvm_failure - a failed check of the guest
 * @line: of the source
 * @have: actual value
 * @want: expected value
 * @file: the source
 */
struct kvm_failure {
	unsigned int line;
	unsigned int have;
	unsigned int want;
	char file[KVM_FILE_NAME];
};

/**
 * struct kvm_results - results of a guest
 * @checks: number of checks
 * @failures: number of failed checks
 * @failure: the first of those
 */
struct kvm_results {
	unsigned int checks;
	unsigned int failures;
	struct kvm_failure failure[KVM_FAILURES];
};

/* The cases; the number is passed to the guest. */
enum kvm_case {
	KVM_NOTHING,
	KVM_IN_SERVICE,	/* resets on failure */
	KVM_CONFIG_PORTS,
	KVM_BARS,
	KVM_MESSAGES,
	KVM_ALL_MESSAGES,
	KVM_CHANGED_MESSAGE,
	KVM_PIN,
	KVM_PIN_DISABLED,
	KVM_RESAMPLE,
	KVM_RESAMPLE_AGAIN,
	KVM_RESAMPLE_MASKED,
	KVM_PM_REGISTERS,
	KVM_PM_TIMER,
	KVM_POWER_BUTTON,
	KVM_SERIAL_REGISTERS,
	KVM_SERIAL_INTERRUPTS,
	KVM_SECOND_CPU,
	KVM_RESET_REGISTER,
	KVM_RESET_KEYBOARD,
	KVM_RESET_FAULT,
	KVM_PANICS,
	KVM_CASES
};

/* The guests' program, built in guest/: one for all cases. */
extern const unsigned char kvm_guest[], kvm_guest_end[];
#endif /* __ASSEMBLER__ */

/* Ports of board_test's own device, of 4 bytes each. */
#define KVM_PORT		0x0510
#define KVM_PORTS		16
#define KVM_PORT_RAISE		0x0510	/* write: raise the line this many times in a row */
#define KVM_PORT_ENDS		0x0514	/* read: ends of its interrupt that KVM has reported */
#define KVM_PORT_CLOCK		0x0518	/* read: microseconds of the host's clock */
#define KVM_PORT_BUTTON		0x051c	/* write: press the power button */

/* Input of the serial case, and its answer. */
#define KVM_SERIAL_IN	"ping"
#define KVM_SERIAL_OUT	"pong"

#endif /* KVM_SHARED_H */
