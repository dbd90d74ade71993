// SPDX-License-Identifier: GPL-2.0-only
/*
 * How long a bare guest's job takes, by the guest's own counter.
 */
#define _GNU_SOURCE
#include "bare_vm.h"

/* Ticks of the guest's counter per second. */
static double counter_hz(struct bare_vcpu *vcpu)
{
#ifdef __aarch64__
	uint64_t hz;

	(void)vcpu;
	asm volatile("mrs %0, cntfrq_el0" : "=r"(hz));
	return hz;
#else
	int khz = __pipe_ioctl(vcpu->fd, KVM_GET_TSC_KHZ, NULL);

	if (khz <= 0)
		pipe_die("KVM_GET_TSC_KHZ: %d", khz);
	return khz * 1000.0;
#endif
}

double bare_job_ns(struct bare_vcpu *vcpu)
{
	struct bare_job *job = vcpu->job;

	job->done = 0;
	job->early = 0;
	job->wrong = 0;
	bare_job_run(vcpu);
	if (job->done != job->count || job->early || job->wrong)
		pipe_die("%u of %u done, %u early, %u wrong, the last %d",
			 job->done, job->count, job->early, job->wrong,
			 (int)job->last_wrong);
	return (job->end - job->begin) * 1e9 / counter_hz(vcpu);
}
