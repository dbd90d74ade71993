// SPDX-License-Identifier: GPL-2.0-only
/*
 * An uncompressed kernel: an ELF file (vmlinux) with a note of its PVH entry, and the start info of
 * a kernel that is entered there. The file is not trusted.
 *
 * Source: the Xen project's "x86/HVM direct boot ABI" and xen/include/public/elfnote.h,
 * start_info.h for the numbers.
 */
#include <elf.h>
#include <errno.h>
#include <string.h>

#include "boot/pc.h"
#include "machine/machine.h"

#define NOTE_NAME	"Xen"
#define NOTE_ENTRY	18

#define START_MAGIC	0x336ec578
#define START_VERSION	1

/* The start info of PVH; little endian, as the CPU is. */
struct start_info {
	u32 magic;
	u32 version;
	u32 flags;
	u32 modules;
	u64 module_list;
	u64 command_line;
	u64 rsdp;
	u64 memory_map;
	u32 memory_map_entries;
	u32 reserved;
};

struct start_module {
	u64 base;
	u64 size;
	u64 command_line;
	u64 reserved;
};

struct start_range {
	u64 base;
	u64 size;
	u32 type;
	u32 reserved;
};

/* The start info and what it refers to, in one piece of RAM. */
struct start {
	struct start_info info;
	struct start_module initrd;
	struct start_range range[VMM_PC_RANGES];
};

/**
 * vmm_elf_is - return whether a file claims to be an ELF file
 * @head: its first bytes
 * @len: how many
 *
 * Return: whether it does
 */
bool vmm_elf_is(const u8 *head, size_t len)
{
	return len >= SELFMAG && !memcmp(head, ELFMAG, SELFMAG);
}

static bool header_is_good(const Elf64_Ehdr *header)
{
	return header->e_ident[EI_CLASS] == ELFCLASS64 &&
	       header->e_ident[EI_DATA] == ELFDATA2LSB && header->e_machine == EM_X86_64 &&
	       header->e_phentsize == sizeof(Elf64_Phdr) && header->e_phnum &&
	       header->e_phnum <= VMM_ELF_SEGMENTS;
}

/* Returns whether a range is inside the file. */
static bool is_inside(u64 offset, u64 size, u64 file_size)
{
	return offset <= file_size && size <= file_size - offset;
}

static int segment_add(struct vmm_elf *elf, const Elf64_Phdr *p, u64 file_size)
{
	struct vmm_elf_segment *s = &elf->segment[elf->segments];

	if (!p->p_memsz)
		return 0;
	if (p->p_filesz > p->p_memsz || !is_inside(p->p_offset, p->p_filesz, file_size) ||
	    p->p_paddr < VMM_PC_INITRD_FIRST || p->p_paddr > 4 * GIB || p->p_memsz > 4 * GIB)
		return -ENOEXEC;
	*s = (struct vmm_elf_segment){
		.offset = p->p_offset,
		.size = p->p_filesz,
		.gpa = p->p_paddr,
		.mem_size = p->p_memsz,
	};
	if (!elf->segments || s->gpa < elf->first)
		elf->first = s->gpa;
	if (s->gpa + s->mem_size > elf->end)
		elf->end = s->gpa + s->mem_size;
	elf->segments++;
	return 0;
}

static u64 pad4(u64 size)
{
	return (size + 3) / 4 * 4;
}

/* Finds the PVH entry in a list of notes; 0 for none. */
static u64 notes_entry(const u8 *notes, u64 size)
{
	Elf64_Nhdr note;
	u64 name, desc;
	u32 entry;

	while (size >= sizeof(note)) {
		memcpy(&note, notes, sizeof(note));
		name = pad4(note.n_namesz);
		desc = pad4(note.n_descsz);
		if (name + desc > size - sizeof(note))
			return 0;
		if (note.n_type == NOTE_ENTRY && note.n_namesz == sizeof(NOTE_NAME) &&
		    note.n_descsz >= sizeof(entry) &&
		    !memcmp(notes + sizeof(note), NOTE_NAME, sizeof(NOTE_NAME))) {
			memcpy(&entry, notes + sizeof(note) + name, sizeof(entry));
			return entry;
		}
		notes += sizeof(note) + name + desc;
		size -= sizeof(note) + name + desc;
	}
	return 0;
}

static int notes_read(const struct vmm_boot_file *file, const Elf64_Phdr *p, u64 file_size,
		      struct vmm_elf *elf)
{
	u8 notes[VMM_ELF_NOTES];
	int err;

	if (p->p_filesz > sizeof(notes) || !is_inside(p->p_offset, p->p_filesz, file_size))
		return -ENOEXEC;
	err = vmm_boot_file_read(file, p->p_offset, notes, p->p_filesz);
	if (!err && !elf->entry)
		elf->entry = notes_entry(notes, p->p_filesz);
	return err;
}

static bool entry_is_loaded(const struct vmm_elf *elf)
{
	unsigned int i;

	for (i = 0; i < elf->segments; i++) {
		const struct vmm_elf_segment *s = &elf->segment[i];

		if (elf->entry >= s->gpa && elf->entry - s->gpa < s->size)
			return true;
	}
	return false;
}

/**
 * vmm_elf_read - read and check an ELF kernel's headers
 * @file: the kernel
 * @file_size: bytes of it
 * @elf: filled
 *
 * Return: 0, or -errno after a message
 */
int vmm_elf_read(const struct vmm_boot_file *file, u64 file_size, struct vmm_elf *elf)
{
	Elf64_Phdr headers[VMM_ELF_SEGMENTS];
	Elf64_Ehdr header;
	unsigned int i;
	int err = 0;

	memset(elf, 0, sizeof(*elf));
	if (file_size < sizeof(header))
		return vmm_error(-ENOEXEC, "%s is too short for an ELF file", file->path);
	err = vmm_boot_file_read(file, 0, &header, sizeof(header));
	if (err)
		return err;
	if (!header_is_good(&header) ||
	    !is_inside(header.e_phoff, header.e_phnum * sizeof(headers[0]), file_size))
		return vmm_error(-ENOEXEC, "%s is no ELF kernel for x86_64", file->path);
	err = vmm_boot_file_read(file, header.e_phoff, headers,
				 header.e_phnum * sizeof(headers[0]));
	for (i = 0; i < header.e_phnum && !err; i++) {
		if (headers[i].p_type == PT_LOAD)
			err = segment_add(elf, &headers[i], file_size);
		else if (headers[i].p_type == PT_NOTE)
			err = notes_read(file, &headers[i], file_size, elf);
	}
	if (err)
		return err == -ENOEXEC ? vmm_error(err, "%s: its ELF headers make no sense",
						   file->path) : err;
	if (!elf->entry)
		return vmm_error(-ENOEXEC, "%s has no PVH entry (CONFIG_PVH)", file->path);
	if (!entry_is_loaded(elf))
		return vmm_error(-ENOEXEC, "%s: its PVH entry is in none of its segments",
				 file->path);
	return 0;
}

/**
 * vmm_elf_load - put an ELF kernel into guest RAM
 * @file: the kernel
 * @elf: filled by vmm_elf_read()
 * @mem: guest RAM, all zero
 *
 * Return: 0, or -errno after a message
 */
int vmm_elf_load(const struct vmm_boot_file *file, const struct vmm_elf *elf,
		 const struct vmm_mem *mem)
{
	unsigned int i;
	int err = 0;

	for (i = 0; i < elf->segments && !err; i++) {
		const struct vmm_elf_segment *s = &elf->segment[i];

		err = vmm_boot_file_load(file, s->offset, mem, s->gpa, s->size);
	}
	return err;
}

/**
 * vmm_elf_start_info - write the start info of a kernel that is entered by PVH
 * @layout: addresses in guest RAM
 * @mem: guest RAM; VMM_PC_START_INFO is filled
 */
void vmm_elf_start_info(const struct vmm_pc_layout *layout, const struct vmm_mem *mem)
{
	struct start *start = vmm_mem_ptr(mem, VMM_PC_START_INFO, sizeof(*start));
	unsigned int i;

	*start = (struct start){
		.info = {
			.magic = START_MAGIC,
			.version = START_VERSION,
			.modules = layout->initrd_size ? 1 : 0,
			.module_list = VMM_PC_START_INFO + offsetof(struct start, initrd),
			.command_line = VMM_PC_COMMAND_LINE,
			.rsdp = layout->rsdp,
			.memory_map = VMM_PC_START_INFO + offsetof(struct start, range),
			.memory_map_entries = layout->ranges,
		},
		.initrd = { .base = layout->initrd, .size = layout->initrd_size },
	};
	for (i = 0; i < layout->ranges; i++)
		start->range[i] = (struct start_range){
			.base = layout->range[i].base,
			.size = layout->range[i].size,
			.type = layout->range[i].type,
		};
}
