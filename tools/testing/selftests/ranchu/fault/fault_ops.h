/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The operations of fault_test.c: a table for what all devices have, and one for
 * each device.
 */
#ifndef RANCHU_FAULT_OPS_H
#define RANCHU_FAULT_OPS_H

#include <stdbool.h>

#include "faults.h"
#include "stages.h"

/**
 * struct op - an operation
 * @devices: what has it
 * @stage: how far these must have come
 * @name: for the report
 * @fn: does it: 0, or what went wrong; NULL: @request with zeroes for an argument
 * @request: an ioctl
 * @want: what it answers if nothing fails
 * @before: comes first, and nothing in it fails; may be NULL
 * @undo: makes a second try possible, where the first may have gone half way; or
 *	NULL
 * @where: what fails
 * @needs_nothing: nothing in it can fail
 */
struct op {
	unsigned int devices;
	enum stage stage;
	const char *name;
	int (*fn)(struct rig *rig);
	unsigned long request;
	int want;
	int (*before)(struct rig *rig);
	int (*undo)(struct rig *rig);
	enum faults_where where;
	bool needs_nothing;
};

#define OP(_devices, _stage, _name, _fn, ...) {			\
	.devices = _devices, .stage = _stage, .name = _name, .fn = _fn, ##__VA_ARGS__ }

/* An ioctl that means something with zeroes. */
#define IOCTL(_devices, _stage, _request, ...) \
	OP(_devices, _stage, #_request, NULL, .request = _request, ##__VA_ARGS__)

/* Each ends with a row without a name. */
extern const struct op fault_ops_all[];
extern const struct op fault_ops_blk[];
extern const struct op fault_ops_pipe[];
extern const struct op fault_ops_vq[];
extern const struct op fault_ops_vsock[];

#endif /* RANCHU_FAULT_OPS_H */
