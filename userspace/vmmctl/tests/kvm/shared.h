/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the test guests and board_test agree upon. Both include it: the guests are of 32
 * bits.
 */
#ifndef KVM_SHARED_H
#define KVM_SHARED_H

/* Guest physical addresses. */
#define KVM_GUEST_BASE	0x00100000	/* all guests: one program */
#define KVM_RESULTS	0x00080000	/* struct kvm_results */
#define KVM_CPU_START	0x00010000	/* a second CPU's first instruction, of 16 bits */

#define KVM_FAILURES	8	/* that are kept */
#define KVM_FILE_NAME	20	/* bytes of a source's name */

#ifndef __ASSEMBLER__
/**
 * struct kvm_failure - a check of the guest's that failed
 * @line: of the source
 * @have: what there is
 * @want: what should be
 * @file: the source
 */
struct kvm_failure {
	unsigned int line;
	unsigned int have;
	unsigned int want;
	char file[KVM_FILE_NAME];
};

/**
 * struct kvm_results - what a guest leaves behind
 * @checks: how many it has made
 * @failures: how many of them failed
 * @failure: the first of those
 */
struct kvm_results {
	unsigned int checks;
	unsigned int failures;
	struct kvm_failure failure[KVM_FAILURES];
};

/* The cases: a guest is told which one it is. */
enum kvm_case {
	KVM_NOTHING,
	KVM_IN_SERVICE,	/* resets if it is not so */
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

/* The guests, as guest/ makes them: one program for all cases. */
extern const unsigned char kvm_guest[], kvm_guest_end[];
#endif /* __ASSEMBLER__ */

/* Ports of board_test's own device, of 4 bytes each. */
#define KVM_PORT		0x0510
#define KVM_PORTS		16
#define KVM_PORT_RAISE		0x0510	/* write: raise the line so often, one after the other */
#define KVM_PORT_ENDS		0x0514	/* read: ends of its interrupt that KVM has told of */
#define KVM_PORT_CLOCK		0x0518	/* read: microseconds of the host's clock */
#define KVM_PORT_BUTTON		0x051c	/* write: press the power button */

/* What the serial case is sent, and what it answers. */
#define KVM_SERIAL_IN	"ping"
#define KVM_SERIAL_OUT	"pong"

#endif /* KVM_SHARED_H */
