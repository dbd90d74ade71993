// SPDX-License-Identifier: GPL-2.0-only
/*
 * Holds a virtual machine without CPUs for as long as the emulated host runs.
 *
 * With its first VM, KVM has the scheduler tell it of every switch to and from a vCPU,
 * and with the last one no more: a static key, which is instructions of the scheduler
 * that are patched. An emulator with a thread for each CPU may go on with what was there
 * before: it throws away what it has translated, another CPU translates it again, and
 * only then is the instruction written. KVM then does not hear that a vCPU has come back,
 * enters the guest with another's registers, and that CPU of the host is never seen
 * again. Held by host-init while it has one CPU only, the key is set once and for all.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

int main(void)
{
	int kvm = open("/dev/kvm", O_RDWR);

	if (kvm < 0 || ioctl(kvm, KVM_CREATE_VM, 0) < 0) {
		fprintf(stderr, "host-vm: no VM: %s\n", strerror(errno));
		return 1;
	}
	if (daemon(0, 0)) {
		fprintf(stderr, "host-vm: %s\n", strerror(errno));
		return 1;
	}
	for (;;)
		pause();
}
