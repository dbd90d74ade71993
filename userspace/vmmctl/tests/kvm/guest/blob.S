/* SPDX-License-Identifier: GPL-2.0-only */
/* The guests' program, for board_test. */
	.section .rodata
	.globl kvm_guest, kvm_guest_end
kvm_guest:
	.incbin "guest.bin"
kvm_guest_end:
	.section .note.GNU-stack, "", @progbits
