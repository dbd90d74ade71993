// SPDX-License-Identifier: GPL-2.0-only
/*
 * Pausing, while vCPUs are still stopped from the previous pause.
 */
#include <poll.h>
#include <unistd.h>

#include <linux/kvm.h>

#include "machine/machine.h"
#include "tests/tap.h"

static bool signalled(int fd)
{
	struct pollfd wait = { .fd = fd, .events = POLLIN };

	return poll(&wait, 1, 0) == 1;
}

/* A vCPU that is resumed, and paused again before its thread wakes. */
static void told_again(void)
{
	static struct kvm_run run;
	static struct vmm_vcpu vcpu = { .run = &run };
	static struct vmm_vm vm = {
		.vcpus = 1,
		.vcpu[0] = &vcpu,
		.pause_lock = PTHREAD_MUTEX_INITIALIZER,
		.pause_cond = PTHREAD_COND_INITIALIZER,
	};

	vm.parked_fd = vmm_event_create();
	vmm_vm_pause(&vm);
	tap_check(!signalled(vm.parked_fd) && !vmm_vm_paused(&vm));
	tap_check(run.immediate_exit);

	vm.parked = 1;
	vmm_vm_resume(&vm);
	tap_check(!vmm_vm_paused(&vm));
	vmm_vm_pause(&vm);
	tap_check(signalled(vm.parked_fd) && vmm_vm_paused(&vm));
	close(vm.parked_fd);
}

static const struct tap_case cases[] = {
	{ "a VM that is paused again before its vCPUs went on says so", told_again },
};

int main(void)
{
	return tap_run(cases, ARRAY_SIZE(cases));
}
