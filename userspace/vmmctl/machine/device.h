/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The interface of device models. A model is a struct
 * vmm_device_ops; the board says where an instance of it is.
 *
 * Order of life: create, then any number of lives of the guest, each of which
 * ends in reset, then destroy. pause and resume come in pairs inside a life, save
 * and load while the device is paused; a life may end with a paused device.
 *
 * pause, resume, save and reset may block: a job calls them, while the main loop serves no
 * device's files and no vCPU runs.
 */
#ifndef MACHINE_DEVICE_H
#define MACHINE_DEVICE_H

#include "machine/line.h"
#include "machine/state.h"
#include "machine/text.h"
#include "types.h"

struct vmm_device;
struct vmm_vm;

/* Address spaces. A CPU without I/O ports has memory only. */
enum vmm_space {
	VMM_MMIO,
	VMM_PORTS,
};

/* How an interrupt is signalled, with the numbers of the device tree. */
#define VMM_IRQ_EDGE_RISING	1
#define VMM_IRQ_LEVEL_HIGH	4

/**
 * struct vmm_description - what the guest is told about a device
 * @node: name of the device, as the device tree has it before "@"
 * @compatible: what drivers look for, in order; NULL where there are fewer
 * @hid: the ID that drivers look for on a board with ACPI, a string or an identifier like PNP0501;
 *	NULL for a device that no board with ACPI has
 * @name: the device's name in ACPI, at most 4 capitals and digits
 * @text: its description in ACPI (_DDN), or NULL
 * @space: where its registers are
 * @base: address of its registers
 * @size: bytes of them
 * @irq: its interrupt
 * @trigger: VMM_IRQ_*, 0 for no interrupt
 * @clocks: names of the clocks that the device has, as a PrimeCell does; all are the
 *	board's one clock; NULL where there are fewer
 * @dma: it accesses guest memory
 * @gpio: it is a GPIO controller: other nodes refer to it
 * @console: the guest's console, unless its command line names another
 * @by_compatible: Linux' driver does not know @hid: ACPI has the first of @compatible as well
 */
struct vmm_description {
	const char *node;
	const char *compatible[2];
	const char *hid;
	const char *name;
	const char *text;
	enum vmm_space space;
	u64 base;
	u64 size;
	u32 irq;
	u32 trigger;
	const char *clocks[2];
	bool dma;
	bool gpio;
	bool console;
	bool by_compatible;
};

/**
 * struct vmm_visitor - takes descriptions of devices, for a device tree or for ACPI tables
 * @device: takes one; the description is only valid during the call
 */
struct vmm_visitor {
	void (*device)(struct vmm_visitor *visitor, const struct vmm_description *description);
};

#define VMM_REPORT	64	/* counters of a device, at most */
#define VMM_REPORT_NAME	32	/* bytes of a counter's name, its end included */

/**
 * struct vmm_report - counters of a device
 * @names: of the counters
 * @values: of the counters
 * @count: elements used in both
 */
struct vmm_report {
	char names[VMM_REPORT][VMM_REPORT_NAME];
	u64 values[VMM_REPORT];
	unsigned int count;
};

/**
 * struct vmm_report_visitor - takes the counters of devices behind another one
 * @report: takes those of one; @name and @report are only valid during the call
 */
struct vmm_report_visitor {
	void (*report)(struct vmm_report_visitor *visitor, const char *name,
		       const struct vmm_report *report);
};

/**
 * struct vmm_device_command - a command that a user can give to a running device
 * @name: the command; NULL ends a list
 * @help: one line about it
 * @run: runs it in the main thread; @arg may be NULL. Returns 0 with the output in @text, or
 *	-errno with the reason in @text or after a message
 */
struct vmm_device_command {
	const char *name;
	const char *help;
	int (*run)(struct vmm_device *dev, const char *arg, struct vmm_text *text);
};

/**
 * struct vmm_device_ops - a device model
 * @name: of the device, for statistics, messages and saved state
 * @create: makes @dev->state and opens every file that the device will ever need,
 *	or fails with nothing left behind; guest RAM exists, no vCPU does
 * @reset: puts the device into its power-on state; opens nothing; no vCPU exists
 * @destroy: undoes @create, also of a paused device; no vCPU exists
 * @read: answers a guest's read of @len bytes, 1 to 8, at byte @offset, which is
 *	inside the device although @offset + @len may not be; any vCPU thread. Bytes
 *	above @len are ignored
 * @write: takes a guest's write; otherwise as @read
 * @pause: stops all activity of the device before it returns; no vCPU runs. A paused
 *	device may be paused again
 * @resume: undoes @pause; a device that runs may be resumed again
 * @save: writes the state of a paused device
 * @fits: checks a state that @save wrote without loading it: 0, or -errno after a message.
 *	Optional: @load checks all of it
 * @load: loads the state that @save wrote into a device that was reset; on -errno, the
 *	device is as after a reset
 * @load_nothing: called for a snapshot of an older vmmctl, which has no state of the
 *	device: 0 if the device may stay as after a reset. Optional: without it, such a
 *	snapshot is refused
 * @describe: describes the device to @visitor; also without @create
 * @stats: adds the device's counters; any thread
 * @parts: shows the counters of each device behind this one, in place of its own; any thread
 * @commands: commands that a user can give, a list
 *
 * A model without state has neither @save nor @load. @stats, @parts and @commands may be
 * NULL, all other functions must be there.
 */
struct vmm_device_ops {
	const char *name;
	int (*create)(struct vmm_device *dev);
	void (*reset)(struct vmm_device *dev);
	void (*destroy)(struct vmm_device *dev);
	u64 (*read)(struct vmm_device *dev, u64 offset, unsigned int len);
	void (*write)(struct vmm_device *dev, u64 offset, u64 value, unsigned int len);
	void (*pause)(struct vmm_device *dev);
	void (*resume)(struct vmm_device *dev);
	int (*save)(struct vmm_device *dev, struct vmm_state *state);
	int (*fits)(const struct vmm_device *dev, struct vmm_state *state);
	int (*load)(struct vmm_device *dev, struct vmm_state *state);
	int (*load_nothing)(struct vmm_device *dev);
	void (*describe)(const struct vmm_device *dev, struct vmm_visitor *visitor);
	void (*stats)(struct vmm_device *dev, struct vmm_report *report);
	void (*parts)(struct vmm_device *dev, struct vmm_report_visitor *visitor);
	const struct vmm_device_command *commands;
};

/**
 * struct vmm_device - a device of a VM's board
 * @ops: the model
 * @vm: the VM
 * @space: where its registers are
 * @base: address of the first instance
 * @size: bytes of one instance
 * @count: instances; instance i is at @base + i * @size and raises @irq + i
 * @irq: interrupt of the first instance, with the board's numbering
 * @trigger: VMM_IRQ_*
 * @line: the first instance's interrupt
 * @state: belongs to the model
 * @created: @ops->create has succeeded, and @ops->destroy was not called yet
 * @resets: how often it was reset
 */
struct vmm_device {
	const struct vmm_device_ops *ops;
	struct vmm_vm *vm;
	enum vmm_space space;
	u64 base;
	u64 size;
	unsigned int count;
	u32 irq;
	u32 trigger;
	struct vmm_line line;
	void *state;
	bool created;
	u64 resets;
};

/* Adds @n to a counter that any thread may write and read. */
static inline void vmm_count(u64 *counter, u64 n)
{
	__atomic_fetch_add(counter, n, __ATOMIC_RELAXED);
}

static inline u64 vmm_counted(const u64 *counter)
{
	return __atomic_load_n(counter, __ATOMIC_RELAXED);
}

/* ---- device.c ---- */

u64 vmm_device_read(struct vmm_device *dev, u64 offset, unsigned int len);
void vmm_device_write(struct vmm_device *dev, u64 offset, u64 value, unsigned int len);
void vmm_device_irq(void *arg, bool level);
void vmm_device_nothing(struct vmm_device *dev);
void vmm_device_report(struct vmm_device *dev, struct vmm_report *report);
void vmm_report_add(struct vmm_report *report, const char *name, u64 value);
void vmm_report_add_queue(struct vmm_report *report, unsigned int queue, const char *name,
			  u64 value);
int vmm_device_save(struct vmm_device *dev, struct vmm_state *state);
int vmm_device_load(struct vmm_device *dev, struct vmm_state *state);
int vmm_device_command(struct vmm_device *dev, const char *name, const char *arg,
		       struct vmm_text *text);

#endif /* MACHINE_DEVICE_H */
