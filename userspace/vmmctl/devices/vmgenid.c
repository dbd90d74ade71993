// SPDX-License-Identifier: GPL-2.0-only
/*
 * The VM generation ID: 16 random bytes that the guest can read, and an interrupt when they
 * have changed. They change whenever the VM starts from a snapshot, because several VMs may
 * start from the same one: the guest's kernel then reseeds its random numbers. They do not
 * change at a reset.
 *
 * The guest's driver reads the bytes with instructions that KVM cannot emulate, so the page is
 * memory that the guest may read, on every host. If KVM has no read-only memory, the guest may
 * also write there, and harms only its own random numbers. If the guest bypasses the cache
 * (arm64), the bytes are cleaned to memory first.
 *
 * Source: "Virtual Machine Generation ID" (Microsoft, 2012); Linux 6.12
 * Documentation/devicetree/bindings/rng/microsoft,vmgenid.yaml
 */
#include <endian.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <unistd.h>

#include "devices/devices.h"

#define ID_BYTES	16

/**
 * struct vmgenid - the device
 * @window: the page with the bytes at its beginning
 * @window_fd: the memfd behind it
 * @generations: counts changes of the bytes
 */
struct vmgenid {
	struct vmm_read_window window;
	int window_fd;
	u64 generations;
};

/* A guest that maps the page as Device memory bypasses the cache. */
static void write_back(const void *bytes)
{
#ifdef __aarch64__
	asm volatile("dc cvac, %0\n\tdsb sy" : : "r" (bytes) : "memory");
#else
	(void)bytes;
#endif
}

/* The bytes are not secret, but must be unique. */
static int id_change(struct vmgenid *id)
{
	if (getrandom(id->window.hva, ID_BYTES, 0) != ID_BYTES)
		return vmm_error(errno, "vmgenid: getrandom");
	write_back(id->window.hva);
	vmm_count(&id->generations, 1);
	return 0;
}

static void id_close(struct vmgenid *id)
{
	if (id->window.hva) {
		munmap(id->window.hva, id->window.size);
		close(id->window_fd);
	}
	free(id);
}

static int id_open(struct vmgenid *id, struct vmm_device *dev)
{
	id->window.gpa = dev->base;
	id->window.size = dev->size;
	id->window.shown = true;
	id->window.writable = dev->vm->lacks & VMM_KVM_READONLY;
	id->window.hva = vmm_mem_window(dev->size, &id->window_fd);
	if (!id->window.hva)
		return vmm_error(errno, "vmgenid: cannot allocate its page");
	return id_change(id);
}

static int id_create(struct vmm_device *dev)
{
	struct vmgenid *id = calloc(1, sizeof(*id));
	int err;

	if (!id)
		return vmm_error(ENOMEM, "vmgenid");
	err = id_open(id, dev);
	if (err) {
		id_close(id);
		return err;
	}
	vmm_read_window_add(dev->vm, &id->window);
	dev->state = id;
	return 0;
}

static void id_destroy(struct vmm_device *dev)
{
	id_close(dev->state);
}

/* Called only if the page is not shown. */
static u64 id_read(struct vmm_device *dev, u64 offset, unsigned int len)
{
	struct vmgenid *id = dev->state;
	u64 value = 0;

	if (offset < ID_BYTES)
		memcpy(&value, (u8 *)id->window.hva + offset,
		       len < ID_BYTES - offset ? len : ID_BYTES - offset);
	return value;
}

static void id_write(struct vmm_device *dev, u64 offset, u64 value, unsigned int len)
{
	(void)dev;
	(void)offset;
	(void)value;
	(void)len;
}

/* Fields of the saved state; a number is never reused. */
enum {
	STATE_BYTES = 1,	/* number of bytes that the guest reads */
};

#define STATE_VERSION	1

/* The bytes are not saved: a VM that starts from the snapshot gets new ones. */
static int id_save(struct vmm_device *dev, struct vmm_state *state)
{
	__le32 bytes = htole32(ID_BYTES);
	int err = vmm_state_begin(state, dev->ops->name, STATE_VERSION);

	if (err)
		return err;
	vmm_state_put(state, STATE_BYTES, &bytes, sizeof(bytes));
	return vmm_state_end(state);
}

static int id_load(struct vmm_device *dev, struct vmm_state *state)
{
	struct vmgenid *id = dev->state;
	__le32 bytes;
	int err = vmm_state_open(state, dev->ops->name, STATE_VERSION);

	if (err < 0)
		return err;
	vmm_state_get(state, STATE_BYTES, &bytes, sizeof(bytes));
	err = vmm_state_close(state);
	if (!err && le32toh(bytes) != ID_BYTES)
		err = -EINVAL;
	if (!err)
		err = id_change(id);
	if (err)
		return err;
	/* The edge is pending before the guest runs its first instruction. */
	vmm_line_set(&dev->line, true);
	vmm_line_set(&dev->line, false);
	return 0;
}

static void id_describe(const struct vmm_device *dev, struct vmm_visitor *visitor)
{
	struct vmm_description description = {
		.node = "vmgenid",
		.compatible = { "microsoft,vmgenid" },
		.space = dev->space,
		.base = dev->base,
		.size = dev->size,
		.irq = dev->irq,
		.trigger = dev->trigger,
	};

	visitor->device(visitor, &description);
}

static void id_stats(struct vmm_device *dev, struct vmm_report *report)
{
	const struct vmgenid *id = dev->state;

	vmm_report_add(report, "generations", vmm_counted(&id->generations));
}

/** The VM's generation. */
const struct vmm_device_ops vmm_vmgenid_ops = {
	.name = "vmgenid",
	.create = id_create,
	.reset = vmm_device_nothing,
	.destroy = id_destroy,
	.read = id_read,
	.write = id_write,
	.pause = vmm_device_nothing,
	.resume = vmm_device_nothing,
	.save = id_save,
	.load = id_load,
	.describe = id_describe,
	.stats = id_stats,
};
