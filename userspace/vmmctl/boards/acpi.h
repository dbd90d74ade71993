/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The x86_64 board's ACPI tables.
 */
#ifndef BOARDS_ACPI_H
#define BOARDS_ACPI_H

#include "types.h"

struct vmm_board;
struct vmm_config;
struct vmm_vm;

int vmm_acpi_build(const struct vmm_board *board, const struct vmm_config *cfg, void *to,
		   size_t size, u64 gpa);
int vmm_acpi_load(const struct vmm_vm *vm, u64 *rsdp);

#endif /* BOARDS_ACPI_H */
