// SPDX-License-Identifier: GPL-2.0-only
/*
 * The persistent store: memory whose content survives a reset of the guest, and, with a
 * file, the end of the VM. Linux' ramoops stores its last messages there when it panics. The
 * guest reads and writes the memory without an exit; vmmctl does not look at the content.
 *
 * Source: platform_external_qemu include/hw/misc/goldfish_pstore.h: place and size
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "devices/devices.h"
#include "host/image.h"

#define STATE_VERSION	1

/* Fields of the saved state; a number is never reused. */
enum {
	STATE_BYTES = 1,	/* all of the store */
};

/**
 * struct pstore - the device
 * @window: the memory, which the guest reads and writes
 * @fd: the file behind it, which is locked while it is open; -1: none
 */
struct pstore {
	struct vmm_read_window window;
	int fd;
};

/* Makes the file as large as the store, and keeps its content. */
static int file_fit(int fd, const char *path, u64 size)
{
	struct stat st;
	int err;

	if (fstat(fd, &st))
		return vmm_error(errno, "--pstore: cannot examine %s", path);
	if (!S_ISREG(st.st_mode))
		return vmm_error(-EINVAL, "--pstore: %s is not a file", path);
	if (st.st_size > (off_t)size)
		return vmm_error(-EFBIG, "--pstore: %s is larger than the store, %llu bytes", path,
				 size);
	/* Allocates blocks now: without room, a later write to the memory would raise SIGBUS. */
	err = posix_fallocate(fd, 0, size);
	return err ? vmm_error(err, "--pstore: no room for %s", path) : 0;
}

/* Returns the file, or -errno after a message. */
static int file_open(const char *path, u64 size)
{
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NONBLOCK, 0600);
	int err;

	if (fd < 0)
		return vmm_error(errno, "--pstore: cannot open %s", path);
	err = vmm_image_lock(fd, false);
	if (err == -EAGAIN)
		err = vmm_error(err, "--pstore: another guest has %s", path);
	else if (err)
		err = vmm_error(-err, "--pstore: cannot lock %s", path);
	else
		err = file_fit(fd, path, size);
	if (!err)
		return fd;
	close(fd);
	return err;
}

static int store_open(struct pstore *store, const struct vmm_device *dev)
{
	const char *path = dev->vm->cfg->pstore;
	int flags = MAP_PRIVATE | MAP_ANONYMOUS;
	void *memory;

	store->fd = -1;
	if (strcmp(path, VMM_PSTORE_MEMORY)) {
		store->fd = file_open(path, dev->size);
		if (store->fd < 0)
			return store->fd;
		flags = MAP_SHARED;
	}
	memory = mmap(NULL, dev->size, PROT_READ | PROT_WRITE, flags, store->fd, 0);
	if (memory == MAP_FAILED)
		return vmm_error(errno, "--pstore: cannot map the store");
	store->window = (struct vmm_read_window){
		.gpa = dev->base, .size = dev->size, .hva = memory, .shown = true,
		.writable = true,
	};
	return 0;
}

static void store_close(struct pstore *store)
{
	if (store->window.hva)
		munmap(store->window.hva, store->window.size);
	if (store->fd >= 0)
		close(store->fd);
	free(store);
}

static int pstore_create(struct vmm_device *dev)
{
	struct pstore *store = calloc(1, sizeof(*store));
	int err;

	if (!store)
		return vmm_error(ENOMEM, "pstore");
	err = store_open(store, dev);
	if (err) {
		store_close(store);
		return err;
	}
	dev->state = store;
	vmm_read_window_add(dev->vm, &store->window);
	return 0;
}

static void pstore_destroy(struct vmm_device *dev)
{
	store_close(dev->state);
}

/* Limits an access to the end of the store. */
static unsigned int part(const struct pstore *store, u64 offset, unsigned int len)
{
	u64 left = store->window.size - offset;

	return len < left ? len : left;
}

/* Called only for accesses that KVM cannot do in the memslot. */
static u64 pstore_read(struct vmm_device *dev, u64 offset, unsigned int len)
{
	const struct pstore *store = dev->state;
	u64 value = 0;

	memcpy(&value, (const u8 *)store->window.hva + offset, part(store, offset, len));
	return value;
}

static void pstore_write(struct vmm_device *dev, u64 offset, u64 value, unsigned int len)
{
	struct pstore *store = dev->state;

	memcpy((u8 *)store->window.hva + offset, &value, part(store, offset, len));
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

/* The kernel's command line describes it, see boot/pc.c. */
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
