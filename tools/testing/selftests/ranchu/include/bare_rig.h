/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A bare machine and a device with one pipe between them, for the doorbell's
 * tests and benchmarks.
 */
#ifndef RANCHU_BARE_RIG_H
#define RANCHU_BARE_RIG_H

#include "bare_vm.h"

/* Any id but 0, so that an unwritten value is not taken for it. */
#define RIG_PIPE_ID		5

/**
 * struct bare_rig - all parts
 * @mem: guest memory
 * @dev: the device node
 * @vm: the machine
 * @pipe: an open pipe, number RIG_PIPE_ID
 * @efd: the eventfd that KVM signals when RIG_PIPE_ID is written to CMD
 * @data_gpa: a buffer of RIG_DATA_SIZE bytes
 */
struct bare_rig {
	struct pipe_mem mem;
	struct pipe_dev dev;
	struct bare_vm vm;
	struct test_pipe pipe;
	int efd;
	uint64_t data_gpa;
};

#define RIG_DATA_SIZE		(2u << 20)

/*
 * Why this machine cannot run such tests, in a sentence; NULL if it can.
 * Without @doorbell only KVM and the device node are asked for.
 */
const char *bare_rig_missing(bool doorbell);

/* Everything up to a connected pipe with a doorbell, and everything but that. */
void bare_rig_start(struct bare_rig *rig, const char *service,
		    unsigned int nr_vcpus);
void bare_rig_start_quiet(struct bare_rig *rig, const char *service,
			  unsigned int nr_vcpus);
void bare_rig_stop(struct bare_rig *rig);

/* Device, owner, memory, handshake, pipe; the machine is there already. */
void bare_rig_open_pipe(struct bare_rig *rig, const char *service);

/* Tells a vCPU to run a command @count times that always gives @expect. */
void bare_rig_command(struct bare_rig *rig, struct bare_vcpu *vcpu,
		      uint32_t cmd, uint32_t expect, uint32_t count);

/* The same with a transfer of 1, 2, 3 ... @max bytes (a power of two), ... */
void bare_rig_transfer(struct bare_rig *rig, struct bare_vcpu *vcpu,
		       uint32_t cmd, uint32_t max, uint32_t count);

#endif /* RANCHU_BARE_RIG_H */
