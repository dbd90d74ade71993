// SPDX-License-Identifier: GPL-2.0-only
/*
 * The persistent store without a guest: data that it keeps, and files that it refuses.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <linux/ranchu_pc.h>

#include "devices/devices.h"
#include "tests/tap.h"

#define SIZE	RANCHU_PC_PSTORE_SIZE
#define LAST	(SIZE - 4)

static char dir[64];
static char path[80];

/**
 * struct machine - the part of a VM that the store needs
 * @cfg: has the path of the file
 * @vm: switched off
 * @dev: the store
 */
struct machine {
	struct vmm_config cfg;
	struct vmm_vm vm;
	struct vmm_device dev;
};

static int machine_open(struct machine *m, const char *file)
{
	*m = (struct machine){ .cfg.pstore = file };
	m->vm.cfg = &m->cfg;
	m->vm.fd = -1;
	m->dev = (struct vmm_device){
		.vm = &m->vm, .ops = &vmm_pstore_ops, .base = RANCHU_PC_PSTORE_BASE, .size = SIZE,
	};
	return m->dev.ops->create(&m->dev);
}

static void machine_close(struct machine *m)
{
	m->dev.ops->destroy(&m->dev);
}

static u64 get(struct machine *m, u64 offset)
{
	return m->dev.ops->read(&m->dev, offset, 4);
}

static void put(struct machine *m, u64 offset, u64 value)
{
	m->dev.ops->write(&m->dev, offset, value, 4);
}

static void memory_survives_a_reset_only(void)
{
	struct machine m;

	if (tap_equal(machine_open(&m, "memory"), 0)) {
		tap_equal(get(&m, 0), 0);
		put(&m, 0, 0x43474244);
		put(&m, LAST, 0x12345678);
		m.dev.ops->reset(&m.dev);
		tap_equal(get(&m, 0), 0x43474244);
		tap_equal(get(&m, LAST), 0x12345678);
		machine_close(&m);
	}
	if (tap_equal(machine_open(&m, "memory"), 0)) {
		tap_equal(get(&m, 0), 0);
		machine_close(&m);
	}
}

static void the_guest_writes_the_same_memory(void)
{
	struct machine m;

	if (!tap_equal(machine_open(&m, "memory"), 0))
		return;
	if (tap_check(m.vm.windows)) {
		tap_equal(m.vm.windows->gpa, RANCHU_PC_PSTORE_BASE);
		tap_equal(m.vm.windows->size, SIZE);
		tap_check(m.vm.windows->shown && m.vm.windows->writable);
		memcpy((u8 *)m.vm.windows->hva + 8, "text", 4);
		tap_equal(get(&m, 8), 0x74786574);
	}
	machine_close(&m);
}

static void an_access_over_the_end_ends_there(void)
{
	struct machine m;

	if (!tap_equal(machine_open(&m, "memory"), 0))
		return;
	m.dev.ops->write(&m.dev, SIZE - 2, 0x1122334455667788, 8);
	tap_equal(m.dev.ops->read(&m.dev, SIZE - 2, 8), 0x7788);
	machine_close(&m);
}

static void a_file_outlives_the_vm(void)
{
	struct machine m;
	struct stat st;

	if (tap_equal(machine_open(&m, path), 0)) {
		put(&m, LAST, 0xabcdef01);
		machine_close(&m);
	}
	tap_check(!stat(path, &st) && st.st_size == SIZE && (st.st_mode & 0777) == 0600);
	if (tap_equal(machine_open(&m, path), 0)) {
		tap_equal(get(&m, LAST), 0xabcdef01);
		machine_close(&m);
	}
	unlink(path);
}

static void one_vm_has_a_file(void)
{
	struct machine first, second;

	if (!tap_equal(machine_open(&first, path), 0))
		return;
	tap_check(machine_open(&second, path) < 0);
	machine_close(&first);
	if (tap_equal(machine_open(&second, path), 0))
		machine_close(&second);
	unlink(path);
}

static void other_files_are_refused(void)
{
	struct machine m;
	int fd;

	tap_check(machine_open(&m, dir) < 0);
	tap_check(machine_open(&m, "/dev/null") < 0);
	tap_check(machine_open(&m, "/nowhere/store") < 0);
	fd = open(path, O_CREAT | O_RDWR | O_CLOEXEC, 0600);
	tap_check(!ftruncate(fd, SIZE + 1));
	close(fd);
	tap_check(machine_open(&m, path) < 0);
	unlink(path);
}

static void what_is_saved_is_loaded(void)
{
	struct vmm_state state;
	struct machine m;

	if (!tap_equal(machine_open(&m, "memory"), 0))
		return;
	put(&m, 0, 1);
	put(&m, LAST, 2);
	tap_equal(vmm_device_save(&m.dev, &state), 0);
	put(&m, 0, 3);
	put(&m, LAST, 4);
	tap_equal(vmm_device_load(&m.dev, &state), 0);
	tap_equal(get(&m, 0), 1);
	tap_equal(get(&m, LAST), 2);
	/* Truncated states, and another size: nothing is changed. */
	put(&m, 0, 5);
	state.len--;
	tap_equal(vmm_device_load(&m.dev, &state), -EINVAL);
	m.vm.windows->size = SIZE / 2;
	state.len++;
	tap_equal(vmm_device_load(&m.dev, &state), -EINVAL);
	m.vm.windows->size = SIZE;
	tap_equal(get(&m, 0), 5);
	vmm_state_free(&state);
	machine_close(&m);
}

static const struct tap_case cases[] = {
	{ "memory survives a reset only", memory_survives_a_reset_only },
	{ "the guest writes the same memory", the_guest_writes_the_same_memory },
	{ "an access over the end ends there", an_access_over_the_end_ends_there },
	{ "a file outlives the vm", a_file_outlives_the_vm },
	{ "one vm has a file", one_vm_has_a_file },
	{ "other files are refused", other_files_are_refused },
	{ "what is saved is loaded", what_is_saved_is_loaded },
};

int main(void)
{
	int rc;

	snprintf(dir, sizeof(dir), "/tmp/vmmctl-pstore-XXXXXX");
	if (!mkdtemp(dir))
		return 1;
	snprintf(path, sizeof(path), "%s/store", dir);
	rc = tap_run(cases, ARRAY_SIZE(cases));
	rmdir(dir);
	return rc;
}
