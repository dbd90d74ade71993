/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * All virtio devices of a VM, independent of their transport: which there are, their places, and
 * operations on all of them. bank.c and pci_bank.c use it.
 */
#ifndef MODELS_H
#define MODELS_H

#include "virtio/virtio.h"

#define VMM_VIRTIO_PLACES	32	/* transports of a board, or slots of its PCI bus */

/**
 * struct vmm_virtio_place - the device at a place
 * @ops: the model, NULL for nothing
 * @index: which of the config's devices of that model
 */
struct vmm_virtio_place {
	const struct vmm_virtio_ops *ops;
	unsigned int index;
};

/**
 * struct vmm_virtio_set - devices by place
 * @v: the device, NULL for none
 */
struct vmm_virtio_set {
	struct vmm_virtio *v[VMM_VIRTIO_PLACES];
};

/**
 * typedef vmm_virtio_next - find a place for a device whose option names none
 * @at: devices so far
 * @ops: the device's model
 *
 * Return: a place, -1 if there is none
 */
typedef int (*vmm_virtio_next)(const struct vmm_virtio_place *at,
			       const struct vmm_virtio_ops *ops);

int vmm_virtio_assign(const struct vmm_config *cfg, vmm_virtio_next next,
		      struct vmm_virtio_place at[VMM_VIRTIO_PLACES]);
int vmm_virtio_place_of(const struct vmm_virtio_place *at, const struct vmm_virtio_ops *ops,
			unsigned int index);
int vmm_virtio_plug_all(const struct vmm_config *cfg, vmm_virtio_next next,
			int (*plug)(void *arg, const struct vmm_virtio_ops *ops,
				    unsigned int index, unsigned int slot), void *arg);

void vmm_virtio_init(struct vmm_virtio *v, struct vmm_vm *vm, const struct vmm_virtio_ops *ops,
		     unsigned int index, unsigned int slot);
int vmm_virtio_need(const struct vmm_virtio *v, u32 needs);
void vmm_virtio_note_exits(const struct vmm_vm *vm, const struct vmm_virtio_set *set);
int vmm_virtio_open_events(struct vmm_virtio *v);
void vmm_virtio_fini(struct vmm_virtio *v);

void vmm_virtio_set_reset(const struct vmm_virtio_set *set);
void vmm_virtio_set_pause(const struct vmm_virtio_set *set);
void vmm_virtio_set_resume(const struct vmm_virtio_set *set);
void vmm_virtio_set_parts(const struct vmm_virtio_set *set, struct vmm_report_visitor *visitor);
int vmm_virtio_set_save(const struct vmm_virtio_set *set, const char *name,
			struct vmm_state *state);
int vmm_virtio_set_fits(const struct vmm_virtio_set *set, struct vmm_state *state);
int vmm_virtio_set_load(const struct vmm_virtio_set *set, const char *name,
			struct vmm_state *state);

extern const struct vmm_device_command vmm_virtio_commands[];

#endif /* MODELS_H */
