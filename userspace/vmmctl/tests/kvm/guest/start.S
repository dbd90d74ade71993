/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * First instructions of the test guests, their interrupt vectors, and the first instructions of a
 * second CPU.
 */
#include "tests/kvm/shared.h"

	.code32
	.section .text.start, "ax"
	.globl start
start:
	movl	$stack_end, %esp
	pushl	%ebx		/* which case */
	call	guest_main

	.text
	.globl vectors
	.balign 16
vectors:
	vector = 0
	.rept 256
	.balign 16
	pushl	$vector
	jmp	interrupted
	vector = vector + 1
	.endr

interrupted:
	pushal
	cld
	pushl	32(%esp)
	call	interrupt
	addl	$4, %esp
	popal
	addl	$4, %esp
	/*
	 * Replaces iret. KVM's emulator has no iret outside real mode, and on some machines
	 * KVM emulates all of a 32-bit guest.
	 */
	pushl	8(%esp)
	popfl
	lret	$4

/*
 * Loads no descriptors at all, so that the next exception cannot be delivered. It is a
 * division by 0, because the emulator has no int3 either.
 */
	.globl triple_fault
triple_fault:
	lidt	nothing_at_all
	xorl	%ecx, %ecx
	divl	%ecx
	.balign 4
nothing_at_all:
	.word	0
	.long	0

/*
 * Runs in real mode at KVM_CPU_START, where it is copied to: reads the serial port's scratch
 * register and the PCI bridge's identity, and stores them.
 */
	.code16
	.globl second_start, second_end, second_scratch, second_bridge, second_done
second_start:
	cli
	movw	%cs, %ax
	movw	%ax, %ds
	movw	$0x3ff, %dx
	inb	%dx, %al
	movb	%al, second_scratch - second_start
	movw	$0xcf8, %dx
	movl	$0x80000000, %eax
	outl	%eax, %dx
	movw	$0xcfc, %dx
	inl	%dx, %eax
	movl	%eax, second_bridge - second_start
	movl	$1, second_done - second_start
1:	hlt
	jmp	1b
	.balign 4
second_scratch:
	.long	0
second_bridge:
	.long	0
second_done:
	.long	0
second_end:

	.bss
	.balign 16
	.skip	16384
stack_end:
