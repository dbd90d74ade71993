// SPDX-License-Identifier: GPL-2.0-only
/*
 * MAC addresses for guests whose command line has none: made from the host and the VM's name,
 * so that two VMs have different ones, and a VM with a name always gets the same one.
 */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "host/mac.h"
#include "machine/config.h"

#define FNV_OFFSET	0xcbf29ce484222325ULL
#define FNV_PRIME	0x100000001b3ULL

static u64 hash_add(u64 hash, const void *bytes, size_t len)
{
	const u8 *byte = bytes;

	while (len--)
		hash = (hash ^ *byte++) * FNV_PRIME;
	return hash;
}

/* Similar inputs of FNV-1a have similar results: mixes all bits. */
static u64 hash_mix(u64 hash)
{
	hash ^= hash >> 33;
	hash *= 0xff51afd7ed558ccdULL;
	hash ^= hash >> 33;
	hash *= 0xc4ceb9fe1a85ec53ULL;
	return hash ^ hash >> 33;
}

static u64 hash_host(u64 hash)
{
	char id[64] = "";
	FILE *in = fopen("/etc/machine-id", "re");

	if (in && fgets(id, sizeof(id), in))
		hash = hash_add(hash, id, strcspn(id, "\n"));
	if (in)
		fclose(in);
	if (!gethostname(id, sizeof(id) - 1))
		hash = hash_add(hash, id, strlen(id));
	return hash;
}

/**
 * vmm_mac_derive - derive a MAC address
 * @mac: filled: a unicast address, locally administered
 * @name: name of the VM
 * @index: which of its network devices
 *
 * Opens files: called before the sandbox is entered.
 */
void vmm_mac_derive(u8 mac[6], const char *name, unsigned int index)
{
	u64 hash = hash_host(FNV_OFFSET);

	hash = hash_add(hash, name, strlen(name) + 1);
	hash = hash_mix(hash_add(hash, &index, sizeof(index)));
	memcpy(mac, &hash, 6);
	mac[0] = (mac[0] & 0xfc) | 0x02;
}

static void mac_fill(struct vmm_backend *backend, const char *name, unsigned int *index)
{
	static const u8 none[6];

	if (!memcmp(backend->mac, none, sizeof(none)))
		vmm_mac_derive(backend->mac, name, *index);
	++*index;
}

/**
 * vmm_mac_fill - set the MAC addresses of network devices that have none
 * @cfg: the command line
 * @name: name of the VM
 *
 * A guest that starts from a snapshot has its addresses already.
 */
void vmm_mac_fill(struct vmm_config *cfg, const char *name)
{
	unsigned int index = 0;
	unsigned int i;

	if (cfg->from)
		return;
	for (i = 0; i < cfg->backends[VMM_BACKEND_NET]; i++)
		mac_fill(&cfg->backend[VMM_BACKEND_NET][i], name, &index);
	for (i = 0; i < cfg->backends[VMM_BACKEND_VHOST_USER]; i++) {
		if (cfg->backend[VMM_BACKEND_VHOST_USER][i].type == VMM_VHOST_USER_NET)
			mac_fill(&cfg->backend[VMM_BACKEND_VHOST_USER][i], name, &index);
	}
}
