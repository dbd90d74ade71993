/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The bare guest on x86: 32-bit protected mode, ebx points to its struct
 * bare_job. Copied into guest memory, so it must not depend on where it is.
 */
#include "bare_job.h"

	.section .rodata
	.code32
	.balign	8
	.globl	bare_guest_code
	.globl	bare_guest_code_end
bare_guest_code:
	mov	BARE_JOB_EXIT(%ebx), %eax
	movl	$BARE_AT_BEGIN, (%eax)

	xor	%ecx, %ecx			# iterations made
	mov	BARE_JOB_STATUS(%ebx), %esi
	mov	BARE_JOB_REG(%ebx), %edi
	lfence
	rdtsc
	mov	%eax, BARE_JOB_BEGIN(%ebx)
	mov	%edx, BARE_JOB_BEGIN+4(%ebx)
	testl	$BARE_SCRIBBLE, BARE_JOB_FLAGS(%ebx)
	jnz	.Lscribble_begin

.Lnext:
	cmp	BARE_JOB_COUNT(%ebx), %ecx
	jae	.Ldone
	cmpl	$0, BARE_JOB_STOP(%ebx)
	jne	.Ldone

	mov	BARE_JOB_LOCK(%ebx), %edx
	test	%edx, %edx
	jz	.Llocked
.Ltake_lock:
	mov	$1, %eax
	xchg	%eax, (%edx)
	test	%eax, %eax
	jz	.Llocked
	pause
	jmp	.Ltake_lock
.Llocked:
	mov	BARE_JOB_EXPECT(%ebx), %ebp
	testl	$BARE_VARY, BARE_JOB_FLAGS(%ebx)
	jz	.Lsized
	mov	%ecx, %ebp
	and	BARE_JOB_SIZE_MASK(%ebx), %ebp
	inc	%ebp
	mov	BARE_JOB_SIZE(%ebx), %eax
	mov	%ebp, (%eax)
.Lsized:
	testl	$BARE_NO_PRESET, BARE_JOB_FLAGS(%ebx)
	jnz	.Lpreset
	mov	BARE_JOB_PRESET(%ebx), %eax
	mov	%eax, (%esi)
.Lpreset:
	testl	$BARE_NO_RING, BARE_JOB_FLAGS(%ebx)
	jnz	.Lrung
	mov	BARE_JOB_VALUE(%ebx), %eax
	mov	%eax, (%edi)
.Lrung:
	/* The next instruction after the write, and it must see the answer. */
	mov	(%esi), %eax

	test	%edx, %edx
	jz	.Lunlocked
	movl	$0, (%edx)
.Lunlocked:
	inc	%ecx
	testl	$BARE_NO_CHECK, BARE_JOB_FLAGS(%ebx)
	jnz	.Lcounted
	cmp	%ebp, %eax
	je	.Lcounted
	cmp	BARE_JOB_PRESET(%ebx), %eax
	jne	.Lwrong
	incl	BARE_JOB_EARLY(%ebx)
	jmp	.Lcounted
.Lwrong:
	incl	BARE_JOB_WRONG(%ebx)
	mov	%eax, BARE_JOB_LAST_WRONG(%ebx)
.Lcounted:
	mov	%ecx, BARE_JOB_DONE(%ebx)
	jmp	.Lnext

	/* Leaves the next random number in ebp. */
.macro random
	mov	%ebp, %eax
	shl	$13, %eax
	xor	%eax, %ebp
	mov	%ebp, %eax
	shr	$17, %eax
	xor	%eax, %ebp
	mov	%ebp, %eax
	shl	$5, %eax
	xor	%eax, %ebp
.endm

.Lscribble_begin:
	mov	BARE_JOB_VALUE(%ebx), %ebp
.Lscribble:
	cmp	BARE_JOB_COUNT(%ebx), %ecx
	jae	.Ldone
	cmpl	$0, BARE_JOB_STOP(%ebx)
	jne	.Ldone
	random
	mov	%ebp, %esi
	and	BARE_JOB_SIZE_MASK(%ebx), %esi
	shl	$4, %esi
	add	BARE_JOB_REG(%ebx), %esi
	random
	mov	%ebp, %edi
	and	4(%esi), %edi
	add	(%esi), %edi
	random
	mov	%ebp, %eax
	and	12(%esi), %eax
	add	8(%esi), %eax
	test	$1, %edi
	jnz	.Lread
	mov	%eax, (%edi)
	jmp	.Lscribbled
.Lread:
	mov	-1(%edi), %eax
.Lscribbled:
	inc	%ecx
	mov	%ecx, BARE_JOB_DONE(%ebx)
	jmp	.Lscribble

.Ldone:
	lfence
	rdtsc
	mov	%eax, BARE_JOB_END(%ebx)
	mov	%edx, BARE_JOB_END+4(%ebx)
	mov	BARE_JOB_EXIT(%ebx), %eax
	movl	$BARE_AT_END, (%eax)
	/* Run again: the host has changed the job by now. */
	jmp	bare_guest_code
bare_guest_code_end:

	.section .note.GNU-stack, "", @progbits
