// SPDX-License-Identifier: GPL-2.0-only
/*
 * What is the same for all devices: the bounds of an access, and operations that a model
 * does not have.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "host/log.h"
#include "machine/device.h"

static u64 mask(unsigned int len)
{
	return len >= sizeof(u64) ? ~0ULL : (1ULL << 8 * len) - 1;
}

/**
 * vmm_device_read - answer a guest's read
 * @dev: the device
 * @offset: byte offset
 * @len: bytes
 *
 * Context: any vCPU thread.
 * Return: the bytes, little endian; 0 outside the device or for a length that no
 *	CPU has
 */
u64 vmm_device_read(struct vmm_device *dev, u64 offset, unsigned int len)
{
	if (offset >= dev->size * dev->count || !len || len > sizeof(u64))
		return 0;
	return dev->ops->read(dev, offset, len) & mask(len);
}

/**
 * vmm_device_write - take a guest's write
 * @dev: the device
 * @offset: byte offset; what is outside the device is ignored
 * @value: the bytes, little endian
 * @len: bytes
 *
 * Context: any vCPU thread.
 */
void vmm_device_write(struct vmm_device *dev, u64 offset, u64 value, unsigned int len)
{
	if (offset >= dev->size * dev->count || !len || len > sizeof(u64))
		return;
	dev->ops->write(dev, offset, value & mask(len), len);
}

/**
 * vmm_device_irq - set the line of a device: a callback for register models
 * @arg: the device
 * @level: of the line
 *
 * Context: any thread.
 */
void vmm_device_irq(void *arg, bool level)
{
	struct vmm_device *dev = arg;

	vmm_line_set(&dev->line, level);
}

/**
 * vmm_device_nothing - an operation for which a model has nothing to do
 * @dev: the device
 */
void vmm_device_nothing(struct vmm_device *dev)
{
	(void)dev;
}

/**
 * vmm_device_report - collect a device's counters
 * @dev: the device
 * @report: filled; empty if the device was not created, or if it has parts, which have their own
 *
 * Interrupts that an eventfd raises are not counted.
 *
 * Context: any thread.
 */
void vmm_device_report(struct vmm_device *dev, struct vmm_report *report)
{
	report->count = 0;
	if (!dev->created || dev->ops->parts)
		return;
	vmm_report_add(report, "resets", vmm_counted(&dev->resets));
	if (dev->line.fd < 0)
		vmm_report_add(report, "interrupts", vmm_counted(&dev->line.raised));
	if (dev->ops->stats)
		dev->ops->stats(dev, report);
}

/**
 * vmm_report_add - add a counter to a report
 * @report: the report; a counter that does not fit is left out
 * @name: of the counter, shorter than VMM_REPORT_NAME
 * @value: of the counter; added to that of the same name, if there is one
 */
void vmm_report_add(struct vmm_report *report, const char *name, u64 value)
{
	unsigned int i;

	for (i = 0; i < report->count; i++) {
		if (strcmp(report->names[i], name))
			continue;
		report->values[i] += value;
		return;
	}
	if (report->count == VMM_REPORT)
		return;
	snprintf(report->names[report->count], VMM_REPORT_NAME, "%s", name);
	report->values[report->count] = value;
	report->count++;
}

/**
 * vmm_report_add_queue - add a counter of one of several queues to a report
 * @report: as for vmm_report_add()
 * @queue: which queue
 * @name: of the counter
 * @value: as for vmm_report_add()
 */
void vmm_report_add_queue(struct vmm_report *report, unsigned int queue, const char *name,
			  u64 value)
{
	char text[VMM_REPORT_NAME];

	snprintf(text, sizeof(text), "queue%u_%s", queue, name);
	vmm_report_add(report, text, value);
}

/**
 * vmm_device_save - save a device's state
 * @dev: paused
 * @state: filled; vmm_state_free() frees it
 *
 * Return: 0, or -errno; -EOPNOTSUPP for a model that has no state to save
 */
int vmm_device_save(struct vmm_device *dev, struct vmm_state *state)
{
	*state = (struct vmm_state){ 0 };
	return dev->ops->save ? dev->ops->save(dev, state) : -EOPNOTSUPP;
}

/**
 * vmm_device_load - take a state that was saved
 * @dev: reset or paused
 * @state: @bytes and @len are set
 *
 * Return: 0, or -errno with the device as after a reset
 */
int vmm_device_load(struct vmm_device *dev, struct vmm_state *state)
{
	int err = dev->ops->load ? dev->ops->load(dev, state) : -EOPNOTSUPP;

	if (err && dev->ops->load)
		dev->ops->reset(dev);
	return err;
}

/**
 * vmm_device_command - run a command of a device
 * @dev: the device
 * @name: of the command
 * @arg: its argument, or NULL
 * @text: gets the command's output
 *
 * Context: main thread.
 * Return: 0, -ENOENT if the device has no such command, or the command's -errno
 */
int vmm_device_command(struct vmm_device *dev, const char *name, const char *arg,
		       struct vmm_text *text)
{
	const struct vmm_device_command *command;

	for (command = dev->ops->commands; command && command->name; command++) {
		if (!strcmp(command->name, name))
			return command->run(dev, arg, text);
	}
	return -ENOENT;
}
