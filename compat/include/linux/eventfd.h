/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _RANCHU_COMPAT_LINUX_EVENTFD_H
#define _RANCHU_COMPAT_LINUX_EVENTFD_H

/* There an eventfd's lock sleeps, and what stands in below needs one that does not. */
#if defined(RANCHU_LACKS_EVENTFD_SIGNAL_MASK) && defined(CONFIG_PREEMPT_RT)
#error "PREEMPT_RT is not supported on kernels that hide eventfd_signal_mask."
#endif

#include_next <linux/eventfd.h>

/*
 * Older kernels do not let modules add bits to the key of an eventfd's wakes. Here the
 * bits are the CPU's while the eventfd is signalled, and who looks at a key adds them:
 * a wake function of ours, called by the signal or by an interrupt that came meanwhile,
 * which has no use for them.
 */
#ifdef RANCHU_LACKS_EVENTFD_SIGNAL_MASK
#include <linux/percpu.h>
#include <linux/poll.h>
#include <linux/preempt.h>

static DEFINE_PER_CPU(__poll_t, ranchu_eventfd_mask) __maybe_unused;

static inline void ranchu_eventfd_signal_mask(struct eventfd_ctx *ctx, __poll_t mask)
{
	__poll_t outer;

	preempt_disable();
	outer = __this_cpu_read(ranchu_eventfd_mask);
	__this_cpu_write(ranchu_eventfd_mask, mask);
	eventfd_signal(ctx, 1);
	__this_cpu_write(ranchu_eventfd_mask, outer);
	preempt_enable();
}

#define eventfd_signal_mask ranchu_eventfd_signal_mask

static inline __poll_t ranchu_key_to_poll(void *key)
{
	return key_to_poll(key) | __this_cpu_read(ranchu_eventfd_mask);
}

#undef key_to_poll
#define key_to_poll ranchu_key_to_poll
#endif

#endif /* _RANCHU_COMPAT_LINUX_EVENTFD_H */
