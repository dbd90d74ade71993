// SPDX-License-Identifier: GPL-2.0-only
/*
 * Reads KVM's binary statistics: a header, descriptors with names, values.
 * Histograms are left out, which keeps every counter one number.
 *
 * Source: Linux 6.12 Documentation/virt/kvm/api.rst, 4.133 KVM_GET_STATS_FD.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "machine/machine.h"

#define NAME_MAX_BYTES	256	/* longer names would be a format we do not know */

static void kvm_stats_value(struct vmm_kvm_stats *sum, const char *name, u64 value)
{
	unsigned int i;

	for (i = 0; i < sum->count; i++) {
		if (!strcmp(sum->name[i], name)) {
			sum->value[i] += value;
			return;
		}
	}
	if (i == VMM_KVM_STATS)
		return;
	snprintf(sum->name[i], sizeof(sum->name[i]), "%s", name);
	sum->value[i] = value;
	sum->count++;
}

static int kvm_stats_one(struct vmm_kvm_stats *sum, int fd, const struct kvm_stats_header *header,
			 unsigned int index)
{
	union {
		struct kvm_stats_desc desc;
		u8 bytes[sizeof(struct kvm_stats_desc) + NAME_MAX_BYTES];
	} d;
	size_t size = sizeof(d.desc) + header->name_size;
	char name[sizeof(sum->name[0])];
	u64 value;

	if (pread(fd, &d, size, header->desc_offset + index * size) != (ssize_t)size)
		return -EIO;
	switch (d.desc.flags & KVM_STATS_TYPE_MASK) {
	case KVM_STATS_TYPE_CUMULATIVE:
	case KVM_STATS_TYPE_INSTANT:
		break;
	default:
		return 0;
	}
	if (pread(fd, &value, sizeof(value), header->data_offset + d.desc.offset) != sizeof(value))
		return -EIO;
	memcpy(name, d.bytes + sizeof(d.desc), sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	kvm_stats_value(sum, name, value);
	return 0;
}

/**
 * vmm_kvm_stats_add - add the counters of a statistics file to a sum
 * @sum: zeroed before the first file
 * @fd: from KVM_GET_STATS_FD; below 0: nothing is added
 *
 * Context: any thread, also while the vCPU runs.
 * Return: 0, or -EIO if the file is not what was expected
 */
int vmm_kvm_stats_add(struct vmm_kvm_stats *sum, int fd)
{
	struct kvm_stats_header header;
	unsigned int i;
	int err;

	if (fd < 0)
		return 0;
	if (pread(fd, &header, sizeof(header), 0) != sizeof(header) ||
	    header.name_size < sizeof(sum->name[0]) || header.name_size > NAME_MAX_BYTES)
		return -EIO;
	for (i = 0; i < header.num_desc; i++) {
		err = kvm_stats_one(sum, fd, &header, i);
		if (err)
			return err;
	}
	return 0;
}
