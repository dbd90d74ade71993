// SPDX-License-Identifier: GPL-2.0-only
/*
 * Host memory that a guest sees in blocks of its goldfish address space. A service gives
 * files of memory (memfd); each piece of one is a memslot, where the guest has put the area.
 *
 * The service is a process that may mean harm. Its files cannot get shorter, so that no
 * access of the guest's meets a page that is gone, and they have no huge pages, which a host
 * may run out of. What is in them vmmctl never looks at.
 */
#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "devices/address_space.h"

static struct vmm_address_mapping *mapping_free(struct vmm_address_memory *memory)
{
	unsigned int i;

	for (i = 0; i < VMM_ADDRESS_MAPPINGS; i++) {
		if (!memory->mapping[i].size)
			return &memory->mapping[i];
	}
	return NULL;
}

static bool overlaps(const struct vmm_address_mapping *mapping, u64 offset, u64 size)
{
	return mapping->size && offset < mapping->offset + mapping->size &&
	       mapping->offset < offset + size;
}

static bool memory_overlaps(const struct vmm_address_memory *memory, u64 offset, u64 size)
{
	unsigned int i;

	for (i = 0; i < VMM_ADDRESS_MAPPINGS; i++) {
		if (overlaps(&memory->mapping[i], offset, size))
			return true;
	}
	return false;
}

/* A file of huge pages can be mapped from the beginning of one of them only. */
static bool has_huge_pages(int fd, u64 page)
{
	void *hva = mmap(NULL, page, PROT_READ, MAP_SHARED, fd, page);

	if (hva == MAP_FAILED)
		return true;
	munmap(hva, page);
	return false;
}

/* 0, or why the file is not taken. */
static int file_check(const struct vmm_address_map *map, u64 page)
{
	int seals = fcntl(map->fd, F_GET_SEALS);
	struct stat st;

	/* Only memory has seals. */
	if (seals < 0 || !(seals & F_SEAL_SHRINK))
		return -EPERM;
	if (fstat(map->fd, &st))
		return -errno;
	if ((u64)st.st_size < map->size || map->file_offset > (u64)st.st_size - map->size)
		return -EINVAL;
	return has_huge_pages(map->fd, page) ? -EPERM : 0;
}

static int show(struct vmm_address_memory *memory, struct vmm_address_mapping *mapping)
{
	struct vmm_pci_bus *bus = memory->fn->bus;
	u64 at = memory->fn->bar[memory->bar].at;
	int err;

	if (at == VMM_PCI_NOWHERE)
		return 0;
	err = bus->wires->memory(bus->arg, mapping->slot, at + mapping->offset, mapping->size,
				 mapping->hva);
	mapping->shown = !err;
	return err;
}

static void hide(struct vmm_address_memory *memory, struct vmm_address_mapping *mapping)
{
	struct vmm_pci_bus *bus = memory->fn->bus;

	if (mapping->shown)
		bus->wires->memory(bus->arg, mapping->slot, 0, 0, mapping->hva);
	mapping->shown = false;
}

static void mapping_end(struct vmm_address_memory *memory, struct vmm_address_mapping *mapping)
{
	hide(memory, mapping);
	munmap(mapping->hva, mapping->size);
	mapping->size = 0;
}

static int add_locked(struct vmm_address_memory *memory, const struct vmm_address_map *map)
{
	struct vmm_address_mapping *mapping = mapping_free(memory);
	int err;

	if (memory_overlaps(memory, map->offset, map->size))
		return -EEXIST;
	if (!mapping)
		return -ENOSPC;
	mapping->hva = mmap(NULL, map->size, PROT_READ | PROT_WRITE, MAP_SHARED, map->fd,
			    map->file_offset);
	if (mapping->hva == MAP_FAILED)
		return -errno;
	/* The process's secrets are in no core file of ours. */
	madvise(mapping->hva, map->size, MADV_DONTDUMP);
	mapping->offset = map->offset;
	mapping->size = map->size;
	err = show(memory, mapping);
	if (err)
		mapping_end(memory, mapping);
	return err;
}

/**
 * vmm_address_memory_add - show memory to the guest
 * @memory: the pieces so far
 * @map: what and where, trusted by nobody, but that it is in a block that is taken
 *
 * Return: 0; -EPERM for a file that is no memfd, can shrink or has huge pages; -EINVAL for
 *	a size or place that is no whole page or not in the file; -EEXIST where there is
 *	memory; -ENOSPC for one piece too many; or -errno of the kernel's
 */
int vmm_address_memory_add(struct vmm_address_memory *memory, const struct vmm_address_map *map)
{
	u64 page = sysconf(_SC_PAGESIZE);
	int err;

	if (!map->size || (map->offset | map->size | map->file_offset) & (page - 1))
		return -EINVAL;
	err = file_check(map, page);
	if (err)
		return err;
	pthread_mutex_lock(&memory->fn->bus->lock);
	err = add_locked(memory, map);
	pthread_mutex_unlock(&memory->fn->bus->lock);
	return err;
}

/**
 * vmm_address_memory_remove - take one piece away
 * @memory: the pieces
 * @offset: where in the area it begins
 *
 * Return: 0, or -ENOENT if none begins there
 */
int vmm_address_memory_remove(struct vmm_address_memory *memory, u64 offset)
{
	int err = -ENOENT;
	unsigned int i;

	pthread_mutex_lock(&memory->fn->bus->lock);
	for (i = 0; i < VMM_ADDRESS_MAPPINGS && err; i++) {
		struct vmm_address_mapping *mapping = &memory->mapping[i];

		if (!mapping->size || mapping->offset != offset)
			continue;
		mapping_end(memory, mapping);
		err = 0;
	}
	pthread_mutex_unlock(&memory->fn->bus->lock);
	return err;
}

/**
 * vmm_address_memory_drop - take away all pieces in a part of the area
 * @memory: the pieces
 * @offset: where the part begins
 * @size: bytes of it
 *
 * Return: how many there were
 */
unsigned int vmm_address_memory_drop(struct vmm_address_memory *memory, u64 offset, u64 size)
{
	unsigned int dropped = 0;
	unsigned int i;

	pthread_mutex_lock(&memory->fn->bus->lock);
	for (i = 0; i < VMM_ADDRESS_MAPPINGS; i++) {
		struct vmm_address_mapping *mapping = &memory->mapping[i];

		if (!overlaps(mapping, offset, size))
			continue;
		mapping_end(memory, mapping);
		dropped++;
	}
	pthread_mutex_unlock(&memory->fn->bus->lock);
	return dropped;
}

/**
 * vmm_address_memory_move - show all pieces where the area is now
 * @memory: the pieces
 *
 * Context: the bus's lock is held.
 */
void vmm_address_memory_move(struct vmm_address_memory *memory)
{
	unsigned int i;

	for (i = 0; i < VMM_ADDRESS_MAPPINGS; i++) {
		hide(memory, &memory->mapping[i]);
		if (memory->mapping[i].size)
			show(memory, &memory->mapping[i]);
	}
}
