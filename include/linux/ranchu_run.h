/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Running a vCPU past the exits that a device serves itself: run.c of ranchu.ko.
 */
#ifndef _LINUX_RANCHU_RUN_H
#define _LINUX_RANCHU_RUN_H

#include <linux/errno.h>
#include <linux/kconfig.h>
#include <linux/types.h>

struct kvm_run;

/**
 * typedef ranchu_run_fn - serve a guest's read
 * @data: as ranchu_run() was given it
 * @gpa: guest physical address
 * @len: bytes
 * @value: set to what the guest reads
 *
 * Context: vCPU.
 * Return: false if the read is for userspace.
 */
typedef bool (*ranchu_run_fn)(void *data, u64 gpa, u32 len, u32 *value);

#if IS_ENABLED(CONFIG_KVM)
long ranchu_run(int vcpu_fd, struct kvm_run __user *run, ranchu_run_fn fn, void *data);
long ranchu_run_by(int fd, unsigned int number, unsigned long arg,
		   struct kvm_run __user *run, ranchu_run_fn fn, void *data);
#else
static inline long ranchu_run(int vcpu_fd, struct kvm_run __user *run, ranchu_run_fn fn,
			      void *data)
{
	return -EOPNOTSUPP;
}

static inline long ranchu_run_by(int fd, unsigned int number, unsigned long arg,
				 struct kvm_run __user *run, ranchu_run_fn fn, void *data)
{
	return -EOPNOTSUPP;
}
#endif

/**
 * ranchu_run_supported() - tell whether ranchu_run() works
 *
 * Return: true if it does.
 */
static inline bool ranchu_run_supported(void)
{
	return IS_ENABLED(CONFIG_KVM);
}

#endif /* _LINUX_RANCHU_RUN_H */
