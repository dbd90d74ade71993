// SPDX-License-Identifier: GPL-2.0-only
/*
 * KVM's binary statistics: a header, descriptors with names, then the numbers.
 * Source: Linux 6.12 Documentation/virt/kvm/api.rst, 4.133.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bare_vm.h"

static int stats_pread(int fd, void *to, size_t size, off_t offset)
{
	ssize_t n = pread(fd, to, size, offset);

	if (n < 0)
		return -errno;
	return (size_t)n == size ? 0 : -EIO;
}

int __bare_stat(int stats_fd, const char *name, uint64_t *value)
{
	struct kvm_stats_header header;
	struct kvm_stats_desc *desc;
	size_t desc_size;
	uint32_t i;
	int ret;

	ret = stats_pread(stats_fd, &header, sizeof(header), 0);
	if (ret)
		return ret;
	desc_size = sizeof(*desc) + header.name_size;
	desc = malloc(desc_size);
	if (!desc)
		return -ENOMEM;
	for (i = 0; i < header.num_desc; i++) {
		ret = stats_pread(stats_fd, desc, desc_size,
				  header.desc_offset + i * desc_size);
		if (ret || !strncmp(desc->name, name, header.name_size))
			break;
	}
	if (!ret && i == header.num_desc)
		ret = -ENOENT;
	if (!ret)
		ret = stats_pread(stats_fd, value, sizeof(*value),
				  header.data_offset + desc->offset);
	free(desc);
	return ret;
}

uint64_t bare_stat(int stats_fd, const char *name)
{
	uint64_t value = 0;
	int ret = __bare_stat(stats_fd, name, &value);

	if (ret)
		pipe_die("KVM statistic %s: %s", name, strerror(-ret));
	return value;
}
