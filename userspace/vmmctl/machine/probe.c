// SPDX-License-Identifier: GPL-2.0-only
/*
 * Runs a guest of four instructions in a VM of its own, to find out whether KVM
 * runs guests at all and whether a guest sees at once what the host writes into
 * a read-only memslot: the register window depends on it.
 */
#include <errno.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "machine/machine.h"

#define PROBE_STEP	64	/* bytes: a cache line, in the programs too */

/**
 * struct probe_guest - the VM and its memory
 * @vm_fd: the VM
 * @vcpu_fd: its only vCPU
 * @run: shared with KVM
 * @run_size: bytes of it
 * @page: code page, and the window behind it
 * @size: bytes of each, a page of the host's: KVM takes no less
 */
struct probe_guest {
	int vm_fd;
	int vcpu_fd;
	struct kvm_run *run;
	size_t run_size;
	u8 *page;
	size_t size;
};

static int probe_slot(const struct probe_guest *g, u32 slot, u32 flags, u64 gpa, void *hva)
{
	struct kvm_userspace_memory_region region = {
		.slot = slot,
		.flags = flags,
		.guest_phys_addr = gpa,
		.memory_size = g->size,
		.userspace_addr = (uintptr_t)hva,
	};

	return ioctl(g->vm_fd, KVM_SET_USER_MEMORY_REGION, &region);
}

static int probe_open(int kvm_fd, struct probe_guest *g)
{
	int size = ioctl(kvm_fd, KVM_GET_VCPU_MMAP_SIZE, 0);
	void *map;

	if (size < 0)
		return -1;
	g->vm_fd = ioctl(kvm_fd, KVM_CREATE_VM, vmm_arch_vm_type(kvm_fd));
	if (g->vm_fd < 0)
		return -1;
	g->vcpu_fd = ioctl(g->vm_fd, KVM_CREATE_VCPU, 0);
	if (g->vcpu_fd < 0)
		return -1;
	map = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, g->vcpu_fd, 0);
	if (map == MAP_FAILED)
		return -1;
	g->run = map;
	g->run_size = size;
	map = mmap(NULL, 2 * g->size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (map == MAP_FAILED)
		return -1;
	g->page = map;
	if (probe_slot(g, 0, 0, vmm_arch_probe_code, g->page) ||
	    probe_slot(g, 1, KVM_MEM_READONLY, vmm_arch_probe_window, g->page + g->size))
		return -1;
	return vmm_arch_probe_setup(g->vm_fd, g->vcpu_fd, g->page,
				    vmm_arch_probe_window + g->size);
}

static void probe_close(struct probe_guest *g)
{
	if (g->page)
		munmap(g->page, 2 * g->size);
	if (g->run)
		munmap(g->run, g->run_size);
	if (g->vcpu_fd >= 0)
		close(g->vcpu_fd);
	if (g->vm_fd >= 0)
		close(g->vm_fd);
}

/* Runs the guest until it has stored the word that it read. Returns 0, or -errno. */
static int probe_step(struct probe_guest *g, u32 *seen)
{
	int ret;

	do {
		ret = ioctl(g->vcpu_fd, KVM_RUN, 0);
	} while (ret && errno == EINTR);
	if (ret)
		return vmm_error(errno, "the probe guest does not run");
	if (g->run->exit_reason != KVM_EXIT_MMIO || !g->run->mmio.is_write ||
	    g->run->mmio.phys_addr != vmm_arch_probe_window + g->size)
		return vmm_error(-EIO, "the probe guest failed: KVM exit reason %u",
				 g->run->exit_reason);
	memcpy(seen, g->run->mmio.data, sizeof(*seen));
	return 0;
}

static int probe_walk(struct probe_guest *g, struct vmm_probe *probe)
{
	u8 *window = g->page + g->size;
	u32 offset;
	u32 seen = 0;
	int err;

	for (offset = 0; offset < VMM_PAGE_SIZE; offset += PROBE_STEP) {
		u32 value = 0x5eed0000 + offset;

		__atomic_store_n((u32 *)(window + offset), value, __ATOMIC_SEQ_CST);
		err = probe_step(g, &seen);
		if (err)
			return err;
		/* Not counted: at the first read KVM maps the page, and cleans its cache lines. */
		if (!offset)
			continue;
		probe->reads++;
		probe->stale += seen != value;
	}
	return 0;
}

/**
 * vmm_window_fits - decide whether registers can be memslots of a host
 * @page: bytes of a page of the host
 *
 * The board puts devices 4 KiB apart, and a memslot consists of whole host pages.
 *
 * Return: whether they can
 */
bool vmm_window_fits(unsigned long page)
{
	return page == VMM_PAGE_SIZE;
}

/**
 * vmm_probe_run - run the probe guest
 * @kvm_fd: /dev/kvm
 * @probe: filled
 *
 * Return: 0, also without read-only memory; -errno if KVM cannot run it
 */
int vmm_probe_run(int kvm_fd, struct vmm_probe *probe)
{
	struct probe_guest g = { .vm_fd = -1, .vcpu_fd = -1, .size = sysconf(_SC_PAGESIZE) };
	int err;

	memset(probe, 0, sizeof(*probe));
	probe->fwb = -1;
	probe->readonly = ioctl(kvm_fd, KVM_CHECK_EXTENSION, KVM_CAP_READONLY_MEM) > 0;
	if (!probe->readonly)
		return 0;
	if (probe_open(kvm_fd, &g)) {
		err = vmm_error(errno, "cannot set up a probe guest");
	} else {
		probe->fwb = vmm_arch_probe_fwb(g.vcpu_fd);
		err = probe_walk(&g, probe);
	}
	probe_close(&g);
	return err;
}

/**
 * vmm_probe_coherent - decide whether a register window can be used
 * @probe: filled by vmm_probe_run()
 *
 * Return: true if the CPU promises it, or else if no read was stale
 */
bool vmm_probe_coherent(const struct vmm_probe *probe)
{
	return probe->fwb == 1 || (probe->reads && !probe->stale);
}

/**
 * vmm_probe_window - decide whether the guest reads registers from memory
 * @cfg: the command line
 * @shown: filled: whether it does
 *
 * Return: 0, or -errno after a message
 */
int vmm_probe_window(const struct vmm_config *cfg, bool *shown)
{
	struct vmm_probe probe;
	int kvm_fd;
	int err;

	*shown = cfg->window == VMM_WINDOW_ON;
	if (*shown && !vmm_window_fits(sysconf(_SC_PAGESIZE)))
		return vmm_error(-EINVAL,
				 "--window on needs pages of %llu bytes; this host's have %ld",
				 VMM_PAGE_SIZE, sysconf(_SC_PAGESIZE));
	if (cfg->window != VMM_WINDOW_AUTO)
		return 0;
	if (!vmm_window_fits(sysconf(_SC_PAGESIZE))) {
		vmm_note("no register window: this host's pages have %ld bytes",
			 sysconf(_SC_PAGESIZE));
		return 0;
	}
	kvm_fd = vmm_kvm_open();
	if (kvm_fd < 0)
		return kvm_fd;
	err = vmm_probe_run(kvm_fd, &probe);
	close(kvm_fd);
	if (err)
		return err;
	*shown = vmm_probe_coherent(&probe);
	if (!probe.readonly)
		vmm_note("no register window: this host's KVM has no read-only memory");
	else if (!*shown)
		vmm_note("no register window: this CPU would read old values from it");
	return 0;
}
