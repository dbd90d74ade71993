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
 * @devices: devices that have it
 * @stage: stage of the device that it needs
 * @name: for the report
 * @fn: does it, returns 0 or an error; NULL: @request with an argument of zeroes
 * @request: an ioctl
 * @want: its result without a fault
 * @before: called first, without faults; may be NULL
 * @undo: makes a second try possible if the first was incomplete; may be
 *	NULL
 * @where: thread in which faults are injected
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

/* An ioctl that is valid with an argument of zeroes. */
#define IOCTL(_devices, _stage, _request, ...) \
	OP(_devices, _stage, #_request, NULL, .request = _request, ##__VA_ARGS__)

/* Each table ends with a row without a name. */
extern const struct op fault_ops_all[];
extern const struct op fault_ops_blk[];
extern const struct op fault_ops_pipe[];
extern const struct op fault_ops_vq[];
extern const struct op fault_ops_vsock[];

#endif /* RANCHU_FAULT_OPS_H */
