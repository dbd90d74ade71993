// SPDX-License-Identifier: GPL-2.0-only
/*
 * AML, ACPI's machine language. Elements with a length have functions that begin and end them; the
 * length takes three bytes and is written at the end.
 *
 * Source: ACPI specification 6.5, section 20.2 for the language, 6.4 for resources,
 * 19.3.4 for compressed identifiers.
 */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "boards/aml.h"

#define OP_NAME		0x08
#define OP_STRING	0x0d
#define OP_WORD		0x0b
#define OP_DWORD	0x0c
#define OP_SCOPE	0x10
#define OP_BUFFER	0x11
#define OP_PACKAGE	0x12
#define OP_EXTENDED	0x5b
#define OP_DEVICE	0x82

#define LENGTH_BYTES	3
#define LENGTH_MAX	0xfffff

#define RES_IRQ		0x22	/* edge, active high, not shared */
#define RES_PORTS	0x47
#define RES_END		0x79
#define RES_MEMORY	0x86
#define RES_INTERRUPT	0x89
#define MEMORY_WRITABLE	1
#define PORTS_16_BITS	1
#define INTERRUPT_LEVEL_HIGH_SHARED	0x09

/**
 * vmm_aml_put - write a number
 * @aml: the table; bytes are appended
 * @value: the number
 * @len: bytes of it, the lowest first
 */
void vmm_aml_put(struct vmm_aml *aml, u64 value, unsigned int len)
{
	u8 bytes[sizeof(value)];
	unsigned int i;

	for (i = 0; i < len; i++)
		bytes[i] = value >> 8 * i;
	vmm_aml_bytes(aml, bytes, len);
}

/**
 * vmm_aml_bytes - append bytes
 * @aml: the table; bytes are appended
 * @bytes: the bytes
 * @len: how many
 */
void vmm_aml_bytes(struct vmm_aml *aml, const void *bytes, size_t len)
{
	if (len > aml->size - aml->len) {
		aml->full = true;
		return;
	}
	memcpy(aml->bytes + aml->len, bytes, len);
	aml->len += len;
}

/* A name is 4 characters; a backslash before it means the root. */
static void name_put(struct vmm_aml *aml, const char *name)
{
	unsigned int i;

	if (*name == '\\')
		vmm_aml_put(aml, *name++, 1);
	for (i = 0; i < 4; i++)
		vmm_aml_put(aml, *name ? *name++ : '_', 1);
}

static size_t length_begin(struct vmm_aml *aml)
{
	size_t begin = aml->len;

	vmm_aml_put(aml, 0, LENGTH_BYTES);
	return begin;
}

/**
 * vmm_aml_end - end what was begun
 * @aml: the table; bytes are appended
 * @begin: the value returned at its beginning
 */
void vmm_aml_end(struct vmm_aml *aml, size_t begin)
{
	size_t len = aml->len - begin;

	if (aml->full || len > LENGTH_MAX) {
		aml->full = true;
		return;
	}
	/* The number of length bytes that follow, and the lowest 4 bits. */
	aml->bytes[begin] = (LENGTH_BYTES - 1) << 6 | (len & 0xf);
	aml->bytes[begin + 1] = len >> 4;
	aml->bytes[begin + 2] = len >> 12;
}

/**
 * vmm_aml_scope - begin a scope
 * @aml: the table; bytes are appended
 * @name: of the scope
 *
 * Return: for vmm_aml_end()
 */
size_t vmm_aml_scope(struct vmm_aml *aml, const char *name)
{
	size_t begin;

	vmm_aml_put(aml, OP_SCOPE, 1);
	begin = length_begin(aml);
	name_put(aml, name);
	return begin;
}

/**
 * vmm_aml_device - begin a device
 * @aml: the table; bytes are appended
 * @name: of the device
 *
 * Return: for vmm_aml_end()
 */
size_t vmm_aml_device(struct vmm_aml *aml, const char *name)
{
	size_t begin;

	vmm_aml_put(aml, OP_EXTENDED, 1);
	vmm_aml_put(aml, OP_DEVICE, 1);
	begin = length_begin(aml);
	name_put(aml, name);
	return begin;
}

/**
 * vmm_aml_name - name the value that follows
 * @aml: the table; bytes are appended
 * @name: its name
 */
void vmm_aml_name(struct vmm_aml *aml, const char *name)
{
	vmm_aml_put(aml, OP_NAME, 1);
	name_put(aml, name);
}

/**
 * vmm_aml_string - write text
 * @aml: the table; bytes are appended
 * @text: ASCII; other characters set @aml->full
 */
void vmm_aml_string(struct vmm_aml *aml, const char *text)
{
	const char *c;

	for (c = text; *c; c++) {
		if (*c & 0x80)
			aml->full = true;
	}
	vmm_aml_put(aml, OP_STRING, 1);
	vmm_aml_bytes(aml, text, strlen(text) + 1);
}

/**
 * vmm_aml_package - begin a list of values
 * @aml: the table; bytes are appended
 * @elements: how many will follow, at most 255
 *
 * Return: for vmm_aml_end()
 */
size_t vmm_aml_package(struct vmm_aml *aml, unsigned int elements)
{
	size_t begin;

	vmm_aml_put(aml, OP_PACKAGE, 1);
	begin = length_begin(aml);
	vmm_aml_put(aml, elements, 1);
	return begin;
}

/* Returns whether an ID has three capitals and four hexadecimal digits. */
static bool is_compressible(const char *hid)
{
	unsigned int i;

	for (i = 0; i < 7; i++) {
		if (i < 3 ? !isupper(hid[i]) : !isxdigit(hid[i]))
			return false;
	}
	return !hid[i];
}

/**
 * vmm_aml_hid - write a device's identifier
 * @aml: the table; bytes are appended
 * @hid: as text; one like PNP0501 is compressed
 */
void vmm_aml_hid(struct vmm_aml *aml, const char *hid)
{
	u32 id;

	vmm_aml_name(aml, "_HID");
	if (!is_compressible(hid)) {
		vmm_aml_string(aml, hid);
		return;
	}
	id = (hid[0] - '@') << 26 | (hid[1] - '@') << 21 | (hid[2] - '@') << 16 |
	     (u32)strtoul(hid + 3, NULL, 16);
	vmm_aml_put(aml, OP_DWORD, 1);
	vmm_aml_put(aml, __builtin_bswap32(id), 4);
}

static size_t buffer_begin(struct vmm_aml *aml)
{
	size_t begin;

	vmm_aml_put(aml, OP_BUFFER, 1);
	begin = length_begin(aml);
	/* The buffer's size, which is written at the end. */
	vmm_aml_put(aml, OP_WORD, 1);
	vmm_aml_put(aml, 0, 2);
	return begin;
}

static void buffer_end(struct vmm_aml *aml, size_t begin)
{
	size_t at = begin + LENGTH_BYTES + 1;
	size_t size = aml->len - (at + 2);

	if (!aml->full && size <= 0xffff) {
		aml->bytes[at] = size;
		aml->bytes[at + 1] = size >> 8;
	} else {
		aml->full = true;
	}
	vmm_aml_end(aml, begin);
}

/**
 * vmm_aml_unicode - write a Unicode string
 * @aml: the table; bytes are appended
 * @text: ASCII
 */
void vmm_aml_unicode(struct vmm_aml *aml, const char *text)
{
	size_t begin = buffer_begin(aml);

	do {
		vmm_aml_put(aml, (u8)*text, 2);
	} while (*text++);
	buffer_end(aml, begin);
}

/**
 * vmm_aml_uuid - write a UUID
 * @aml: the table; bytes are appended
 * @uuid: its first three numbers with the lowest byte first, as ACPI has it
 */
void vmm_aml_uuid(struct vmm_aml *aml, const u8 uuid[16])
{
	size_t begin = buffer_begin(aml);

	vmm_aml_bytes(aml, uuid, 16);
	buffer_end(aml, begin);
}

/**
 * vmm_aml_resources - begin a list of resources
 * @aml: the table; bytes are appended
 *
 * Return: for vmm_aml_resources_end()
 */
size_t vmm_aml_resources(struct vmm_aml *aml)
{
	return buffer_begin(aml);
}

/**
 * vmm_aml_memory - list registers in memory
 * @aml: the table; bytes are appended
 * @base: guest physical address
 * @size: bytes
 */
void vmm_aml_memory(struct vmm_aml *aml, u32 base, u32 size)
{
	vmm_aml_put(aml, RES_MEMORY, 1);
	vmm_aml_put(aml, 9, 2);
	vmm_aml_put(aml, MEMORY_WRITABLE, 1);
	vmm_aml_put(aml, base, 4);
	vmm_aml_put(aml, size, 4);
}

/**
 * vmm_aml_ports - list ports
 * @aml: the table; bytes are appended
 * @base: the first
 * @count: how many
 */
void vmm_aml_ports(struct vmm_aml *aml, u16 base, u8 count)
{
	vmm_aml_put(aml, RES_PORTS, 1);
	vmm_aml_put(aml, PORTS_16_BITS, 1);
	vmm_aml_put(aml, base, 2);
	vmm_aml_put(aml, base, 2);
	vmm_aml_put(aml, 1, 1);
	vmm_aml_put(aml, count, 1);
}

/**
 * vmm_aml_irq - list an edge-triggered ISA interrupt
 * @aml: the table; bytes are appended
 * @irq: 0 to 15
 */
void vmm_aml_irq(struct vmm_aml *aml, u8 irq)
{
	vmm_aml_put(aml, RES_IRQ, 1);
	vmm_aml_put(aml, 1U << irq, 2);
}

/**
 * vmm_aml_interrupt - list a level-triggered, active-high, shared interrupt
 * @aml: the table; bytes are appended
 * @gsi: global system interrupt
 */
void vmm_aml_interrupt(struct vmm_aml *aml, u32 gsi)
{
	vmm_aml_put(aml, RES_INTERRUPT, 1);
	vmm_aml_put(aml, 6, 2);
	vmm_aml_put(aml, INTERRUPT_LEVEL_HIGH_SHARED, 1);
	vmm_aml_put(aml, 1, 1);
	vmm_aml_put(aml, gsi, 4);
}

/**
 * vmm_aml_resources_end - end a list of resources
 * @aml: the table; bytes are appended
 * @begin: what vmm_aml_resources() returned
 */
void vmm_aml_resources_end(struct vmm_aml *aml, size_t begin)
{
	size_t first = begin + LENGTH_BYTES + 3;
	u8 sum = 0;
	size_t i;

	vmm_aml_put(aml, RES_END, 1);
	for (i = first; i < aml->len; i++)
		sum += aml->bytes[i];
	vmm_aml_put(aml, (u8)-sum, 1);
	buffer_end(aml, begin);
}
