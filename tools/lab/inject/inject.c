// SPDX-License-Identifier: GPL-2.0-only
/*
 * Keeps guests of the emulated x86_64 host from a fault of the emulator. For the lab only.
 *
 * QEMU (7.2, 10.0 and later) notes the interrupt that VMRUN injects as an exception, too,
 * delivers it, and leaves the note. The guest's next exit or exception removes it. If the
 * emulator looks at its timers before that, which a clock that counts instructions makes
 * it do at each deadline, it takes the note for an exception that is still due: the guest
 * gets the interrupt once more, inside the handler and with interrupts off. If that
 * handler has just taken a lock, the CPU spins for ever.
 *
 * So whenever an interrupt is injected, one for the host is pending. The guest is left at
 * its handler's first instruction, and with that the note is gone.
 */
#include <linux/irq_work.h>
#include <linux/module.h>
#include <linux/percpu.h>
#include <linux/tracepoint.h>

struct kvm_vcpu;

DECLARE_TRACE(kvm_inj_virq,
	      TP_PROTO(unsigned int vector, bool soft, bool reinjected),
	      TP_ARGS(vector, soft, reinjected));
DECLARE_TRACE(kvm_entry,
	      TP_PROTO(struct kvm_vcpu *vcpu, bool force_immediate_exit),
	      TP_ARGS(vcpu, force_immediate_exit));

static void inject_nothing(struct irq_work *work)
{
}

static DEFINE_PER_CPU(struct irq_work, inject_exit);

/* The next entry of this CPU injects. A vCPU that moves in between is not cared for. */
static DEFINE_PER_CPU(bool, inject_due);

static void inject_noted(void *data, unsigned int vector, bool soft, bool reinjected)
{
	this_cpu_write(inject_due, true);
}

/* With interrupts off: what is queued here comes when the guest runs. */
static void inject_entered(void *data, struct kvm_vcpu *vcpu, bool force_immediate_exit)
{
	if (!this_cpu_read(inject_due))
		return;
	this_cpu_write(inject_due, false);
	irq_work_queue(this_cpu_ptr(&inject_exit));
}

static int __init inject_init(void)
{
	int cpu;
	int err;

	/* A module's variables of a CPU are not relocated: no function's address is there. */
	for_each_possible_cpu(cpu)
		*per_cpu_ptr(&inject_exit, cpu) = IRQ_WORK_INIT_HARD(inject_nothing);
	err = register_trace_kvm_inj_virq(inject_noted, NULL);
	if (err)
		return err;
	err = register_trace_kvm_entry(inject_entered, NULL);
	if (err)
		unregister_trace_kvm_inj_virq(inject_noted, NULL);
	return err;
}
module_init(inject_init);

static void __exit inject_exit_module(void)
{
	int cpu;

	unregister_trace_kvm_entry(inject_entered, NULL);
	unregister_trace_kvm_inj_virq(inject_noted, NULL);
	tracepoint_synchronize_unregister();
	for_each_possible_cpu(cpu)
		irq_work_sync(per_cpu_ptr(&inject_exit, cpu));
}
module_exit(inject_exit_module);

MODULE_DESCRIPTION("An interrupt of a guest's is delivered once, for emulated hosts");
MODULE_LICENSE("GPL");
