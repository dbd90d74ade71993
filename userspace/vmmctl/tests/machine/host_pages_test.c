// SPDX-License-Identifier: GPL-2.0-only
/*
 * Calculations that depend on the host's page size, for 4, 16 and 64 KiB, on any machine.
 *
 * The linker puts this file's sysconf() and ioctl() in place of the C library's (--wrap).
 * The latter emulates a KVM whose memslots are whole pages of the host, and whose guest
 * acts like that of the probe.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "devices/address_space.h"
#include "machine/machine.h"
#include "snapshot/snapshot.h"
#include "tests/machine/lacks.h"
#include "tests/tap.h"

#define BASE	0x40000000ULL
#define LARGEST	65536ULL
#define RAM	(8 * LARGEST)

/* Bits of an entry in /proc/self/pagemap. */
#define PRESENT	(1ULL << 63)
#define SWAPPED	(1ULL << 62)
#define OF_FILE	(1ULL << 61)

static u64 host = VMM_PAGE_SIZE;	/* bytes of a page of the host */

long __wrap_sysconf(int name)
{
	return name == _SC_PAGESIZE ? (long)host : __real_sysconf(name);
}

static void on_each(void (*fn)(void))
{
	static const u64 sizes[] = { 4096, 16384, 65536 };
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		host = sizes[i];
		tap_context("pages of %llu", host);
		fn();
	}
	host = VMM_PAGE_SIZE;
}

/* ---- KVM ---- */

static struct {
	int vcpu_fd;
	u64 window;		/* the read-only memory, and its mapping */
	const u8 *hva;
	u64 behind;
	u64 at;			/* offset of the guest's next read */
} kvm;

static int file_of(u64 size)
{
	int fd = memfd_create("stand-in", MFD_CLOEXEC);

	return fd >= 0 && !ftruncate(fd, size) ? fd : -1;
}

static int memory_set(const struct kvm_userspace_memory_region *region)
{
	bool whole = !(region->memory_size & (host - 1));

#ifdef __aarch64__
	whole = whole && !(region->guest_phys_addr & (host - 1));
#endif
	if (!whole) {
		errno = EINVAL;
		return -1;
	}
	if (region->flags & KVM_MEM_READONLY) {
		kvm.window = region->guest_phys_addr;
		kvm.behind = kvm.window + region->memory_size;
		kvm.hva = (const u8 *)(uintptr_t)region->userspace_addr;
		kvm.at = 0;
	}
	return 0;
}

/* Acts as the guest: loads a word of the window, stores it after the window, advances by 64. */
static int guest_runs(void)
{
	static struct kvm_run run;

	run.exit_reason = KVM_EXIT_MMIO;
	run.mmio.phys_addr = kvm.behind;
	run.mmio.is_write = 1;
	run.mmio.len = 4;
	memcpy(run.mmio.data, kvm.hva + kvm.at, 4);
	kvm.at += 64;
	return pwrite(kvm.vcpu_fd, &run, sizeof(run), 0) == sizeof(run) ? 0 : -1;
}

int __wrap_ioctl(int fd, unsigned long request, ...)
{
	va_list args;
	void *arg;

	va_start(args, request);
	arg = va_arg(args, void *);
	va_end(args);
	switch (request) {
	case KVM_CHECK_EXTENSION:
		return 1;
	case KVM_CREATE_VM:
		return file_of(0);
	case KVM_GET_VCPU_MMAP_SIZE:
		return sizeof(struct kvm_run);
	case KVM_CREATE_VCPU:
		kvm.vcpu_fd = file_of(LARGEST);
		return kvm.vcpu_fd;
	case KVM_SET_USER_MEMORY_REGION:
		return memory_set(arg);
	case KVM_RUN:
		return guest_runs();
	}
	(void)fd;
	return 0;
}

static void probe_here(void)
{
	struct vmm_probe probe;

	tap_equal(vmm_probe_run(-1, &probe), 0);
	tap_check(probe.readonly && vmm_probe_coherent(&probe));
	tap_equal(probe.reads, VMM_PAGE_SIZE / 64 - 1);
	tap_equal(probe.stale, 0);
}

static void the_probe_guest_runs(void)
{
	on_each(probe_here);
}

/* ---- snapshots ---- */

static void entry_put(int pagemap_fd, const struct vmm_region *region, u64 page, u64 entry)
{
	u64 at = (uintptr_t)region->hva / host + page;

	tap_equal(pwrite(pagemap_fd, &entry, sizeof(entry), at * sizeof(entry)), sizeof(entry));
}

/* Checks that @pages has exactly these pages of the host. */
static void has(const struct vmm_pages *pages, u64 first, u64 n)
{
	u64 at = 0, last;

	tap_check(vmm_pages_next(pages, &at, pages->count, &last));
	tap_equal(at, first * host / VMM_PAGE_SIZE);
	tap_equal(last, (first + n) * host / VMM_PAGE_SIZE);
	at = last;
	tap_check(!vmm_pages_next(pages, &at, pages->count, &last));
}

/* RAM itself is not read, only its entries in the page table. */
static void changes_here(void)
{
	const struct vmm_mem mem = {
		.regions = 2,
		.region = {
			{ .base = BASE, .size = RAM, .hva = (void *)0x10000000, .fd = -1 },
			{ .base = 4 * BASE, .size = RAM, .hva = (void *)0x20000000, .fd = -1 },
		},
	};
	u64 pages_of_one = RAM / host;
	struct vmm_pages pages;
	int fd = file_of(0x30000000 / VMM_PAGE_SIZE * 8);

	if (!tap_check(fd >= 0) || !tap_equal(vmm_pages_alloc(&pages, 2 * RAM), 0))
		return;
	/* Read, but not written. */
	entry_put(fd, &mem.region[0], 1, PRESENT | OF_FILE);
	entry_put(fd, &mem.region[0], pages_of_one - 1, PRESENT);
	entry_put(fd, &mem.region[1], 0, SWAPPED);
	tap_equal(vmm_pages_changed(&pages, &mem, fd), 0);
	has(&pages, pages_of_one - 1, 2);
	vmm_pages_free(&pages);
	close(fd);
}

static void changes_are_whole_pages(void)
{
	on_each(changes_here);
}

static u8 *ram_of(u8 byte, int *fd)
{
	u8 *ram;

	*fd = file_of(RAM);
	ram = mmap(NULL, RAM, PROT_READ | PROT_WRITE, MAP_SHARED, *fd, 0);
	if (ram == MAP_FAILED)
		abort();
	memset(ram, byte, RAM);
	return ram;
}

/* Adds pages of the guest to the set. */
static void pages_put(struct vmm_pages *pages, u64 first, u64 n)
{
	for (; n; first++, n--)
		pages->bit[first / 8] |= 1 << first % 8;
}

/* Maps a whole page of the host, and a single guest page inside of one. */
static void map_here(void)
{
	int base_fd, fd;
	u8 *base = ram_of('b', &base_fd), *changed = ram_of('c', &fd);
	u64 each = host / VMM_PAGE_SIZE, lone = 4 * each + each / 2, i;
	struct vmm_mem mem = { 0 };
	struct vmm_pages pages;

	if (!tap_equal(vmm_mem_add_file(&mem, BASE, RAM, base_fd, 0), 0) ||
	    !tap_equal(vmm_pages_alloc(&pages, RAM), 0))
		return;
	pages_put(&pages, each, each);
	pages_put(&pages, lone, 1);
	tap_equal(vmm_pages_map(&pages, &mem, fd), 0);
	for (i = 0; i < pages.count; i++) {
		bool is_changed = i / each == 1 || i == lone;
		const u8 *at = (u8 *)mem.region[0].hva + i * VMM_PAGE_SIZE;

		tap_equal(at[0], is_changed ? 'c' : 'b');
		tap_equal(at[VMM_PAGE_SIZE - 1], is_changed ? 'c' : 'b');
	}
	vmm_pages_free(&pages);
	vmm_mem_destroy(&mem);
	munmap(base, RAM);
	munmap(changed, RAM);
	close(base_fd);
	close(fd);
}

static void changes_are_laid_over_ram(void)
{
	on_each(map_here);
}

/* ---- memory of the balloon and of the address space ---- */

static void drop_here(void)
{
	int fd;
	u8 *file = ram_of('f', &fd), *p;
	struct vmm_mem mem = { 0 };

	if (!tap_equal(vmm_mem_add_file(&mem, BASE, RAM, fd, 0), 0))
		return;
	p = mem.region[0].hva;
	memset(p, 'w', RAM);
	vmm_mem_drop(&mem.region[0], BASE + host - VMM_PAGE_SIZE, host + VMM_PAGE_SIZE);
	tap_equal(p[host], 'f');
	tap_equal(p[2 * host - 1], 'f');
	tap_equal(p[2 * host], 'w');
	/* With pages of 4 KiB it is a whole page. */
	tap_equal(p[host - 1], host == VMM_PAGE_SIZE ? 'f' : 'w');
	vmm_mem_destroy(&mem);
	munmap(file, RAM);
	close(fd);
}

static void a_balloon_gives_whole_pages_back(void)
{
	on_each(drop_here);
}

/* Ranges that are not whole pages of the host are refused before the file is checked. */
static void show_here(void)
{
	struct vmm_address_memory memory = { 0 };
	const struct vmm_address_map rows[] = {
		{ .fd = -1, .offset = host, .size = host / 2 },
		{ .fd = -1, .offset = host / 2, .size = host },
		{ .fd = -1, .size = host, .file_offset = host / 2 },
		{ .fd = -1 },
	};
	const struct vmm_address_map whole = { .fd = -1, .offset = host, .size = 2 * host };
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(rows); i++)
		tap_equal(vmm_address_memory_add(&memory, &rows[i]), -EINVAL);
	tap_equal(vmm_address_memory_add(&memory, &whole), -EPERM);
}

static void shown_memory_is_whole_pages(void)
{
	on_each(show_here);
}

static const struct tap_case cases[] = {
	{ "the probe guest runs, whatever a page is", the_probe_guest_runs },
	{ "a snapshot has all of a page that was written to", changes_are_whole_pages },
	{ "pages of a snapshot are laid over RAM, or read", changes_are_laid_over_ram },
	{ "a balloon gives whole pages back", a_balloon_gives_whole_pages_back },
	{ "memory that is shown to a guest is whole pages", shown_memory_is_whole_pages },
};

int main(void)
{
	return tap_run(cases, ARRAY_SIZE(cases));
}
