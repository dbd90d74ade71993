// SPDX-License-Identifier: GPL-2.0-only
/*
 * Persistent store: memory that a reset of the guest leaves alone, and with --pstore also
 * the end of the VM. Linux' ramoops keeps its last messages there when it panics. The guest
 * reads and writes it without an exit; what is in it is the guest's business alone.
 *
 * Source: platform_external_qemu include/hw/misc/goldfish_pstore.h, for place and size
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "devices/devices.h"

#define STATE_VERSION	1

/* Tags of the saved state; a number is never used for anything else. */
enum {
	STATE_BYTES = 1,	/* all of it */
};

/**
 * struct pstore - a persistent store
 * @window: how the guest sees it; has the memory
 */
struct pstore {
	struct vmm_read_window window;
};

/* The file is made as large as the store, and keeps what it has. */
static int pstore_file(const char *path, u64 size)
{
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	struct stat st;
	int err = 0;

	if (fd < 0 || fstat(fd, &st))
		err = errno;
	else if (!S_ISREG(st.st_mode))
		err = EINVAL;
	else if (st.st_size != (off_t)size && ftruncate(fd, size))
		err = errno;
	if (!err)
		return fd;
	if (fd >= 0)
		close(fd);
	return vmm_error(err, "--pstore: cannot use %s", path);
}

static void *pstore_map(const char *path, u64 size)
{
	int flags = path ? MAP_SHARED : MAP_PRIVATE | MAP_ANONYMOUS;
	int fd = path ? pstore_file(path, size) : -1;
	void *memory;

	if (path && fd < 0)
		return NULL;
	memory = mmap(NULL, size, PROT_READ | PROT_WRITE, flags, fd, 0);
	if (memory == MAP_FAILED) {
		vmm_error(errno, "pstore: no memory");
		memory = NULL;
	}
	if (fd >= 0)
		close(fd);
	return memory;
}

static int pstore_create(struct vmm_device *dev)
{
	struct pstore *store = calloc(1, sizeof(*store));

	if (!store)
		return vmm_error(ENOMEM, "pstore");
	store->window = (struct vmm_read_window){
		.gpa = dev->base, .size = dev->size, .writable = true,
		.hva = pstore_map(dev->vm->cfg->pstore, dev->size),
	};
	if (!store->window.hva) {
		free(store);
		return -EIO;
	}
	dev->state = store;
	vmm_read_window_add(dev->vm, &store->window);
	return vmm_read_window_show(dev->vm, &store->window, true);
}

static void pstore_destroy(struct vmm_device *dev)
{
	struct pstore *store = dev->state;

	munmap(store->window.hva, store->window.size);
	free(store);
}

/* An access that reaches the end ends there. */
static unsigned int pstore_part(const struct pstore *store, u64 offset, unsigned int len)
{
	return len < store->window.size - offset ? len : store->window.size - offset;
}

/* Only without KVM does an access come here. */
static u64 pstore_read(struct vmm_device *dev, u64 offset, unsigned int len)
{
	const struct pstore *store = dev->state;
	u64 value = 0;

	memcpy(&value, (const u8 *)store->window.hva + offset, pstore_part(store, offset, len));
	return value;
}

static void pstore_write(struct vmm_device *dev, u64 offset, u64 value, unsigned int len)
{
	struct pstore *store = dev->state;

	memcpy((u8 *)store->window.hva + offset, &value, pstore_part(store, offset, len));
}

static int pstore_save(struct vmm_device *dev, struct vmm_state *state)
{
	const struct pstore *store = dev->state;
	int err = vmm_state_begin(state, dev->ops->name, STATE_VERSION);

	if (err)
		return err;
	vmm_state_put(state, STATE_BYTES, store->window.hva, store->window.size);
	return vmm_state_end(state);
}

static int pstore_load(struct vmm_device *dev, struct vmm_state *state)
{
	struct pstore *store = dev->state;
	u8 *bytes = malloc(store->window.size);
	int err;

	if (!bytes)
		return vmm_error(ENOMEM, "pstore");
	err = vmm_state_open(state, dev->ops->name, STATE_VERSION);
	if (err >= 0) {
		vmm_state_get(state, STATE_BYTES, bytes, store->window.size);
		err = vmm_state_close(state);
	}
	if (!err)
		memcpy(store->window.hva, bytes, store->window.size);
	free(bytes);
	return err;
}

/* The kernel's command line tells of it, see Documentation/watching.md. */
static void pstore_describe(const struct vmm_device *dev, struct vmm_visitor *visitor)
{
	(void)dev;
	(void)visitor;
}

/** The persistent store. */
const struct vmm_device_ops vmm_pstore_ops = {
	.name = "pstore",
	.create = pstore_create,
	.reset = vmm_device_nothing,
	.destroy = pstore_destroy,
	.read = pstore_read,
	.write = pstore_write,
	.pause = vmm_device_nothing,
	.resume = vmm_device_nothing,
	.save = pstore_save,
	.load = pstore_load,
	.describe = pstore_describe,
};
