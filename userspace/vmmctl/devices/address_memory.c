// SPDX-License-Identifier: GPL-2.0-only
/*
 * Host memory that a guest sees in blocks of its goldfish address space. A service passes
 * memory files (memfd); each piece of one becomes a memslot inside the area's BAR.
 *
 * The service is not trusted. Its files are sealed against shrinking, so that no access of
 * the guest hits a page that is gone, and have no huge pages, because the host may run out
 * of them. vmmctl never reads their content.
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

/* A file of huge pages can only be mapped at the beginning of a huge page. */
static bool has_huge_pages(int fd, u64 page)
{
	void *hva = mmap(NULL, page, PROT_READ, MAP_SHARED, fd, page);

	if (hva == MAP_FAILED)
		return true;
	munmap(hva, page);
	return false;
}

/* Returns 0, or -errno if the file cannot be used. */
static int file_check(const struct vmm_address_map *map, u64 page)
{
	int seals = fcntl(map->fd, F_GET_SEALS);
	struct stat st;

	/* Only memfds have seals. */
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
	/* Core files of vmmctl do not contain the service's memory. */
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
 * @map: the memory and its place, not trusted; the caller checks that an allocated block
 *	contains it
 *
 * Return: 0; -EPERM for a file that is no memfd, can shrink or has huge pages; -EINVAL for
 *	a size or offset that is not in whole pages or not in the file; -EEXIST if memory is
 *	shown there; -ENOSPC for too many pieces; or -errno of the kernel
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
 * vmm_address_memory_remove - remove one piece
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
 * vmm_address_memory_drop - remove all pieces in a part of the area
 * @memory: the pieces
 * @offset: where the part begins
 * @size: bytes of it
 *
 * Return: how many were removed
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
 * vmm_address_memory_move - move all pieces to the area's new address
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
