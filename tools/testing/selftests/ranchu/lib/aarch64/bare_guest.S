/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The bare guest on arm64: x0 points to its struct bare_job. Copied into
 * guest memory, so it must not depend on where it is.
 */
#include "bare_job.h"

	.section .rodata
	.balign	8
	.globl	bare_guest_code
	.globl	bare_guest_code_end
bare_guest_code:
	ldr	w20, [x0, #BARE_JOB_EXIT]
	mov	w1, #BARE_AT_BEGIN
	str	w1, [x20]

	ldr	w1, [x0, #BARE_JOB_FLAGS]
	ldr	w2, [x0, #BARE_JOB_COUNT]
	ldr	w3, [x0, #BARE_JOB_REG]
	ldr	w4, [x0, #BARE_JOB_VALUE]
	ldr	w5, [x0, #BARE_JOB_STATUS]
	ldr	w6, [x0, #BARE_JOB_SIZE]
	ldr	w7, [x0, #BARE_JOB_SIZE_MASK]
	ldr	w8, [x0, #BARE_JOB_EXPECT]
	ldr	w9, [x0, #BARE_JOB_PRESET]
	ldr	w10, [x0, #BARE_JOB_LOCK]
	mov	w11, #0
	mov	w15, #1
	isb
	mrs	x12, cntvct_el0
	str	x12, [x0, #BARE_JOB_BEGIN]
	tbnz	w1, #4, .Lscribble			// BARE_SCRIBBLE

.Lnext:
	cmp	w11, w2
	b.hs	.Ldone
	ldr	w12, [x0, #BARE_JOB_STOP]
	cbnz	w12, .Ldone

	cbz	w10, .Llocked
.Ltake_lock:
	ldaxr	w12, [x10]
	cbnz	w12, .Ltake_lock
	stxr	w12, w15, [x10]
	cbnz	w12, .Ltake_lock
.Llocked:
	tbz	w1, #0, .Lsized			// BARE_VARY
	and	w8, w11, w7
	add	w8, w8, #1
	str	w8, [x6]
.Lsized:
	tbnz	w1, #1, .Lpreset			// BARE_NO_PRESET
	str	w9, [x5]
.Lpreset:
	tbnz	w1, #2, .Lrung			// BARE_NO_RING
	/* What writel() does: memory first, then the register. */
	dmb	oshst
	str	w4, [x3]
.Lrung:
	/* The next instruction after the write, and it must see the answer. */
	ldr	w13, [x5]

	cbz	w10, .Lunlocked
	stlr	wzr, [x10]
.Lunlocked:
	add	w11, w11, #1
	tbnz	w1, #3, .Lcounted			// BARE_NO_CHECK
	cmp	w13, w8
	b.eq	.Lcounted
	cmp	w13, w9
	b.ne	.Lwrong
	ldr	w12, [x0, #BARE_JOB_EARLY]
	add	w12, w12, #1
	str	w12, [x0, #BARE_JOB_EARLY]
	b	.Lcounted
.Lwrong:
	ldr	w12, [x0, #BARE_JOB_WRONG]
	add	w12, w12, #1
	str	w12, [x0, #BARE_JOB_WRONG]
	str	w13, [x0, #BARE_JOB_LAST_WRONG]
.Lcounted:
	str	w11, [x0, #BARE_JOB_DONE]
	b	.Lnext

.macro random
	eor	w4, w4, w4, lsl #13
	eor	w4, w4, w4, lsr #17
	eor	w4, w4, w4, lsl #5
.endm

.Lscribble:
	cmp	w11, w2
	b.hs	.Ldone
	ldr	w12, [x0, #BARE_JOB_STOP]
	cbnz	w12, .Ldone
	random
	and	w5, w4, w7
	add	x5, x3, x5, lsl #4
	ldp	w6, w8, [x5]
	ldp	w9, w10, [x5, #8]
	random
	and	w8, w4, w8
	add	w8, w6, w8
	random
	and	w10, w4, w10
	add	w9, w9, w10
	tbnz	w8, #0, .Lread
	str	w9, [x8]
	b	.Lscribbled
.Lread:
	sub	w8, w8, #1
	ldr	w9, [x8]
.Lscribbled:
	add	w11, w11, #1
	str	w11, [x0, #BARE_JOB_DONE]
	b	.Lscribble

.Ldone:
	isb
	mrs	x12, cntvct_el0
	str	x12, [x0, #BARE_JOB_END]
	mov	w1, #BARE_AT_END
	str	w1, [x20]
	/* Run again: the host has changed the job by now. */
	b	bare_guest_code
bare_guest_code_end:

	.section .note.GNU-stack, "", %progbits
