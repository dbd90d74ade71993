/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Writes AML, ACPI's machine language: the elements that describe devices.
 */
#ifndef BOARDS_AML_H
#define BOARDS_AML_H

#include "types.h"

/**
 * struct vmm_aml - AML that is being written
 * @bytes: the buffer
 * @size: bytes that fit
 * @len: bytes written
 * @full: something did not fit, or was too long for the language
 */
struct vmm_aml {
	u8 *bytes;
	size_t size;
	size_t len;
	bool full;
};

void vmm_aml_put(struct vmm_aml *aml, u64 value, unsigned int len);
void vmm_aml_bytes(struct vmm_aml *aml, const void *bytes, size_t len);
size_t vmm_aml_scope(struct vmm_aml *aml, const char *name);
size_t vmm_aml_device(struct vmm_aml *aml, const char *name);
void vmm_aml_name(struct vmm_aml *aml, const char *name);
void vmm_aml_hid(struct vmm_aml *aml, const char *hid);
void vmm_aml_string(struct vmm_aml *aml, const char *text);
void vmm_aml_uuid(struct vmm_aml *aml, const u8 uuid[16]);
size_t vmm_aml_package(struct vmm_aml *aml, unsigned int elements);
void vmm_aml_unicode(struct vmm_aml *aml, const char *text);
void vmm_aml_end(struct vmm_aml *aml, size_t begin);
size_t vmm_aml_resources(struct vmm_aml *aml);
void vmm_aml_memory(struct vmm_aml *aml, u32 base, u32 size);
void vmm_aml_ports(struct vmm_aml *aml, u16 base, u8 count);
void vmm_aml_irq(struct vmm_aml *aml, u8 irq);
void vmm_aml_interrupt(struct vmm_aml *aml, u32 gsi);
void vmm_aml_resources_end(struct vmm_aml *aml, size_t begin);

#endif /* BOARDS_AML_H */
