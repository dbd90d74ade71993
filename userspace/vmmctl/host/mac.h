/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * MAC addresses for network devices whose options have none.
 */
#ifndef MAC_H
#define MAC_H

#include "types.h"

struct vmm_config;

void vmm_mac_fill(struct vmm_config *cfg, const char *name);
void vmm_mac_derive(u8 mac[6], const char *name, unsigned int index);

#endif /* MAC_H */
