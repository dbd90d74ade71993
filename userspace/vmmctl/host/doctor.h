/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the files of the doctor share: printing a line for each check.
 */
#ifndef HOST_DOCTOR_H
#define HOST_DOCTOR_H

#include "machine/config.h"

void vmm_doctor_good(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
unsigned int vmm_doctor_bad(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

unsigned int vmm_doctor_parts(u32 lacks);

/* ---- doctor_kernel.c: modules, and who may open a node ---- */

#define VMM_DOCTOR_MEND	256	/* bytes of a sentence that mends */

/**
 * struct vmm_doctor_host - a host that is looked at
 * @root: goes before each path, "" for this machine
 * @release: of its kernel, as uname has it
 * @user: who asks
 */
struct vmm_doctor_host {
	const char *root;
	const char *release;
	const char *user;
};

unsigned int vmm_doctor_module_of(const struct vmm_doctor_host *host, const char *name);
unsigned int vmm_doctor_node_of(const struct vmm_doctor_host *host, const char *node,
				const char *module);
void vmm_doctor_node_mend_of(const struct vmm_doctor_host *host, const char *node, int err,
			     char *mend, size_t size);
void vmm_doctor_kvm_mend_of(const struct vmm_doctor_host *host, int err, char *mend, size_t size);

/* The same of this machine. */
unsigned int vmm_doctor_node(const char *node, const char *module);
void vmm_doctor_kvm_mend(int err, char *mend, size_t size);

/* ---- doctor_host.c: limits, memory, ports and interfaces ---- */

unsigned int vmm_doctor_host(const struct vmm_config *cfg);

#endif /* HOST_DOCTOR_H */
