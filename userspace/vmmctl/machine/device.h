/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The interface of every device model on the board. A model is a struct
 * vmm_device_ops; the board says where an instance of it is.
 *
 * Order of life: create, then any number of lives of the guest, each of which
 * ends in reset, then destroy. pause and resume come in pairs inside a life, save
 * and load while the device is paused; a life may end with a paused device.
 *
 * pause, resume, save and reset may wait for whomever they ask: a job calls them, while the
 * main loop serves no file of a device's and no vCPU runs.
 */
#ifndef MACHINE_DEVICE_H
#define MACHINE_DEVICE_H

#include "machine/line.h"
#include "machine/state.h"
#include "machine/text.h"
#include "types.h"

struct vmm_device;
struct vmm_vm;

/* Where an address is. A CPU without ports has memory only. */
enum vmm_space {
	VMM_MMIO,
	VMM_PORTS,
};

/* How an interrupt is signalled, as the device tree counts. */
#define VMM_IRQ_EDGE_RISING	1
#define VMM_IRQ_LEVEL_HIGH	4

/**
 * struct vmm_description - what the guest is told about a device
 * @node: name of the device, as the device tree has it before "@"
 * @compatible: what drivers look for, in order; NULL where there are fewer
 * @hid: what they look for on a board with ACPI, a string or an identifier like PNP0501;
 *	NULL for a device that such a board does not have
 * @name: what ACPI calls the device, at most 4 capitals and digits
 * @text: what ACPI says of it, for people, or NULL
 * @space: where its registers are
 * @base: address of its registers
 * @size: bytes of them
 * @irq: its interrupt
 * @trigger: VMM_IRQ_*, 0 for no interrupt
 * @clocks: what the device calls the board's clock, as often as it has one, as a
 *	PrimeCell does; NULL where there are fewer
 * @dma: it gets at the guest's memory
 * @gpio: other nodes are connected to its lines
 * @console: the guest's first messages go there unless it is told otherwise
 * @by_compatible: Linux' driver does not know @hid: ACPI says the first of @compatible, too
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
 * struct vmm_visitor - takes descriptions of devices and makes something of them
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
 * struct vmm_device_command - something a user can ask of a device that runs
 * @name: the command; NULL ends a list
 * @help: one line about it
 * @run: does it; @arg may be NULL; main thread. 0 with what there is to say in @text, or
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
 * @pause: when it returns, nothing moves in the device; no vCPU runs. A paused
 *	device may be paused again
 * @resume: undoes @pause; a device that runs may be resumed again
 * @save: writes the state of a paused device
 * @load: takes what @save wrote, into a device that was reset; refuses with -errno
 *	what it does not know, and is then as after a reset
 * @load_nothing: a snapshot of an older vmmctl has no state of it: 0 if it may stay as
 *	after a reset; optional, without it such a snapshot is refused
 * @describe: tells @visitor what the guest is to be told; must not need @create
 * @stats: adds the device's counters; any thread
 * @parts: shows the counters of each device behind this one, in place of its own; any thread
 * @commands: what a user can ask for, a list
 *
 * A model without state of its own has neither @save nor @load; the other
 * functions are all there, but for @stats, @parts and @commands.
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
 * @irq: interrupt of the first instance, as the board counts
 * @trigger: VMM_IRQ_*
 * @line: the first instance's interrupt
 * @state: belongs to the model
 * @created: @ops->create has succeeded, and @ops->destroy is still to come
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

/* Counts what has happened @n times; any thread, as is reading. */
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
