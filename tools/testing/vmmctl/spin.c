// SPDX-License-Identifier: GPL-2.0-only
/*
 * In a guest, for tests: the CPU whose number is written to the parameter "cpu" spins with
 * interrupts off, for ever.
 */
#include <linux/cpumask.h>
#include <linux/kernel.h>
#include <linux/module.h>
#include <linux/smp.h>

static void spin(void *unused)
{
	for (;;)
		cpu_relax();
}

static int spin_set(const char *text, const struct kernel_param *param)
{
	unsigned int cpu;
	int err = kstrtouint(text, 0, &cpu);

	if (err)
		return err;
	if (cpu >= nr_cpu_ids || !cpu_online(cpu))
		return -EINVAL;
	/* It is called with interrupts off. */
	return smp_call_function_single(cpu, spin, NULL, false);
}

static const struct kernel_param_ops spin_ops = { .set = spin_set };

module_param_cb(cpu, &spin_ops, NULL, 0200);
MODULE_PARM_DESC(cpu, "the CPU that is to spin");
MODULE_DESCRIPTION("A CPU that takes no more interrupts, for tests");
MODULE_LICENSE("GPL");
