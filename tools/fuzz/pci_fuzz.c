// SPDX-License-Identifier: GPL-2.0-only
/*
 * Fuzz target: a PCI bus with virtio devices, as two vCPUs may use it: configuration
 * space, BARs that are moved while they are used, messages, registers, queues that are
 * reset, with anything in RAM. The last quarter of the input is what the second vCPU does
 * meanwhile. What would go to KVM is checked against what KVM would hold against it. Then
 * the guest is reset, and the bus must read as at power-on.
 */
#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <unistd.h>
#include <linux/virtio_ids.h>

#include "devices/devices.h"
#include "machine/machine.h"
#include "virtio/pci.h"
#include "fuzz.h"
#include "pci_wires.h"

#define RAM		(16 * MIB)
#define PORTS		0x1000
#define PORTS_SIZE	0x1000
#define MEMORY		0xc0000000ULL
#define MEMORY_SIZE	0x40000
#define HIGH		0x800000000ULL
#define HIGH_SIZE	0x100000
#define MESSAGES	0xfee00000ULL

#define DEVICES		4
#define FIRST_SLOT	3

static struct {
	struct vmm_config cfg;
	struct vmm_vm vm;
	struct vmm_pci_bus bus;
	struct pci_wires wires;
	struct vmm_virtio_pci *device[DEVICES];
	u8 shared[4096];
	int tick_fd;
	bool open;
	u8 fresh[DEVICES][256];
} fuzz;

static const struct vmm_pci_map map = {
	.window = {
		[VMM_PCI_PORTS] = { PORTS, PORTS_SIZE },
		[VMM_PCI_MEMORY] = { MEMORY, MEMORY_SIZE },
		[VMM_PCI_MEMORY64] = { HIGH, HIGH_SIZE },
	},
	.gsi = { 10, 11, 10, 11 },
	.messages = { MESSAGES, 0x100000 },
	.message_gsi = 24,
};

/* A device that has what the others have not: memory, and an opinion on its config. */
static int odd_create(struct vmm_virtio *v)
{
	v->offered = 1ULL << 32;
	v->shm = (struct vmm_virtio_shm){
		.id = 1, .size = sizeof(fuzz.shared), .hva = fuzz.shared,
	};
	return 0;
}

static void odd_destroy(struct vmm_virtio *v)
{
}

static int odd_start(struct vmm_virtio *v)
{
	return v->queue[1].num & 2 ? -EINVAL : 0;
}

static void odd_stop(struct vmm_virtio *v)
{
}

static void odd_write_config(struct vmm_virtio *v, u32 offset, u64 value, unsigned int len)
{
	MUST(offset < VMM_VIRTIO_CONFIG && len <= VMM_VIRTIO_CONFIG - offset);
	MUST(len == 8 || !(value >> 8 * len) || len > 8);
	vmm_virtio_answer_locked(v, &value, sizeof(value));
}

static void odd_reset(struct vmm_virtio *v)
{
	static const u8 none[8];

	pthread_mutex_lock(&v->lock);
	vmm_virtio_answer_locked(v, none, sizeof(none));
	pthread_mutex_unlock(&v->lock);
}

static const struct vmm_virtio_ops odd_ops = {
	.name = "odd", .id = VIRTIO_ID_GPU, .queues = VMM_VIRTIO_QUEUES, .queue_max = 256,
	.create = odd_create, .destroy = odd_destroy, .start = odd_start, .stop = odd_stop,
	.write_config = odd_write_config, .reset = odd_reset,
};

static void plug(unsigned int i, const struct vmm_virtio_ops *ops)
{
	struct vmm_virtio_pci *p = calloc(1, sizeof(*p));
	struct vmm_virtio *v = &p->v;
	unsigned int q;

	MUST(p);
	fuzz.device[i] = p;
	v->ops = ops;
	v->vm = &fuzz.vm;
	v->name = ops->name;
	v->id = ops->id;
	v->queues = ops->queues;
	v->queue_max = ops->queue_max;
	pthread_mutex_init(&v->lock, NULL);
	pthread_cond_init(&v->idle, NULL);
	v->call_fd = vmm_event_create();
	for (q = 0; q < VMM_VIRTIO_QUEUES; q++) {
		v->queue[q].kick_fd = vmm_event_create();
		v->queue[q].call_fd = vmm_event_create();
	}
	MUST(!ops->create(v));
	MUST(!vmm_virtio_pci_plug(p, &fuzz.bus, FIRST_SLOT + i));
}

static void look(unsigned int i, u8 *config)
{
	unsigned int offset;

	for (offset = 0; offset < 256; offset++)
		config[offset] = vmm_pci_config_read(&fuzz.bus, FIRST_SLOT + i, offset, 1);
}

/* What would be a WARN in the kernel breaks a device here; no guest may bring it about. */
static void log_line(void *arg, const char *line, size_t len)
{
	MUST(!memmem(line, len, "a bug of vmmctl", 15));
}

static int pins(void *arg)
{
	return vmm_pci_intx_serve(&fuzz.bus);
}

static void machine_open(void)
{
	struct vmm_vm *vm = &fuzz.vm;
	unsigned int i;

	fuzz.cfg = (struct vmm_config){
		.memory = RAM,
		.builtins = 3,
		.builtin = { { VMM_BUILTIN_RNG, NULL }, { VMM_BUILTIN_BALLOON, NULL },
			     { VMM_BUILTIN_SOUND, NULL } },
		.virtio_packed = true,
	};
	*vm = (struct vmm_vm){ .cfg = &fuzz.cfg, .fd = -1 };
	vmm_log_also(log_line, NULL);
	vm->loop = vmm_loop_create();
	fuzz.tick_fd = vmm_event_create();
	MUST(!vmm_mem_add(&vm->mem, 0, RAM));
	fuzz.wires.map = &map;
	MUST(!vmm_pci_bus_open(&fuzz.bus, &map, &pci_wires_ops, &fuzz.wires));
	plug(0, &vmm_rng_ops);
	plug(1, &vmm_balloon_ops);
	plug(2, &odd_ops);
	plug(3, &vmm_sound_ops);
	MUST(!vmm_threads_start(vm));
	vmm_pci_power_on(&fuzz.bus);
	MUST(!vmm_loop_add(vm->loop, fuzz.bus.pin_fd, pins, NULL));
	for (i = 0; i < DEVICES; i++)
		look(i, fuzz.fresh[i]);
	fuzz.open = true;
}

static int tick(void *arg)
{
	vmm_event_clear(fuzz.tick_fd);
	return 1;
}

/* What devices want of the main thread. The tick is served last, because it comes last. */
static void main_thread(void)
{
	vmm_event_signal(fuzz.tick_fd);
	MUST(!vmm_loop_add(fuzz.vm.loop, fuzz.tick_fd, tick, NULL));
	MUST(vmm_loop_run(fuzz.vm.loop) == 1);
	vmm_loop_del(fuzz.vm.loop, fuzz.tick_fd);
}

static u32 ram_address(u32 value)
{
	return (value & 0xf) * 0x400 + (value >> 4 & 3);
}

static void poke_ram(struct input *in)
{
	u8 *to = vmm_mem_ptr(&fuzz.vm.mem, ram_address(take(in, 1)), 0x1000);
	unsigned int at = take(in, 1);
	unsigned int i;

	for (i = 0; i < 16; i++)
		__atomic_store_n(&to[at + i], take(in, 1), __ATOMIC_RELAXED);
}

/* Values that mean something somewhere. */
static u64 value_take(struct input *in)
{
	u32 how = take(in, 1);

	switch (how >> 5) {
	case 0:
		return how;
	case 1:
		return MEMORY + ((how & 0x1f) << 12);
	case 2:
		return PORTS + ((how & 0x1f) << 2);
	case 3:
		return MESSAGES + ((how & 0x1f) << 12);
	case 4:
		return ram_address(how & 0x1f);
	case 5:
		return 1ULL << (how & 0x1f);
	case 6:
		return how & 1 ? ~0ULL : HIGH + ((how & 0x1f) << 11);
	default:
		return take(in, 4);
	}
}

static unsigned int slot_take(struct input *in)
{
	return FIRST_SLOT + take(in, 1) % (DEVICES + 1);
}

static void config_access(struct input *in)
{
	unsigned int slot = slot_take(in);
	u32 where = take(in, 1);
	unsigned int offset = take(in, 1);
	unsigned int len = 1 << (where & 3);
	u32 value;

	if (where & 0x10) {
		/* Through the ports, whatever they are set to. */
		vmm_pci_port_write(&fuzz.bus, 0, 0x80000000 | slot << 11 | (offset & 0xfc), 4);
		vmm_pci_port_write(&fuzz.bus, where >> 5, value_take(in), len);
		vmm_pci_port_read(&fuzz.bus, offset & 7, len);
	} else if (where & 0x20) {
		vmm_pci_config_write(&fuzz.bus, slot, offset, value_take(in), len);
	} else {
		value = vmm_pci_config_read(&fuzz.bus, slot, offset, len);
		MUST(value == ~0U || len >= 4 || !(value >> 8 * len));
	}
}

static u64 base_of(unsigned int device, unsigned int bar)
{
	u32 low = vmm_pci_config_read(&fuzz.bus, FIRST_SLOT + device, 0x10 + 4 * bar, 4);

	return low & ~(low & 1 ? 3U : 15U);
}

/* Where a BAR is now, or was a moment ago. */
static void bar_access(struct input *in)
{
	unsigned int device = take(in, 1) % DEVICES;
	u32 where = take(in, 1);
	u32 offset = take(in, 2);
	unsigned int bar = (where & 7) % VMM_PCI_BARS;
	unsigned int len = 1 << (where >> 3 & 3);
	u64 addr;

	/* Most registers are at the beginning of their page. */
	if (where & 0x20)
		offset &= 0x303f;
	addr = base_of(device, bar) + offset;
	if (where & 0xc0)
		/* KVM gives the bytes of an access and nothing beyond them. */
		vmm_pci_write(&fuzz.bus, bar == VMM_VIRTIO_PCI_PORTS, addr,
			      value_take(in) & ~0ULL >> (64 - 8 * len), len);
	else
		vmm_pci_read(&fuzz.bus, bar == VMM_VIRTIO_PCI_PORTS, addr, len);
}

static void regs_write(unsigned int device, u32 offset, u64 value, unsigned int len)
{
	vmm_pci_write(&fuzz.bus, false, base_of(device, VMM_VIRTIO_PCI_REGS) + offset, value, len);
}

static void message_on(unsigned int device, unsigned int vector)
{
	u64 entry = base_of(device, VMM_VIRTIO_PCI_MSIX) + 16 * vector;

	vmm_pci_write(&fuzz.bus, false, entry, MESSAGES, 8);
	vmm_pci_write(&fuzz.bus, false, entry + 8, 0x40 + vector, 4);
	vmm_pci_write(&fuzz.bus, false, entry + 12, 0, 4);
}

/* A driver: decoding, messages, features, queues with places in RAM, DRIVER_OK. */
static void bring_up(struct input *in)
{
	unsigned int device = take(in, 1) % DEVICES;
	u32 how = take(in, 1);
	unsigned int queue;

	vmm_pci_config_write(&fuzz.bus, FIRST_SLOT + device, 4, 7, 2);
	if (how & 1)
		vmm_pci_config_write(&fuzz.bus, FIRST_SLOT + device,
				     fuzz.device[device]->fn.msix_cap + 2, 0x8000, 2);
	regs_write(device, 0x14, 0, 1);
	regs_write(device, 0x14, 3, 1);
	regs_write(device, 0x08, 1, 4);
	regs_write(device, 0x0c, 1 | (how & 4) | (how & 8 ? 0x100 : 0), 4);
	regs_write(device, 0x08, 0, 4);
	regs_write(device, 0x0c, (how & 3) << 28, 4);
	regs_write(device, 0x14, 11, 1);
	for (queue = 0; queue < (how & 0x80 ? 4 : 2); queue++) {
		message_on(device, queue);
		regs_write(device, 0x16, queue, 2);
		regs_write(device, 0x18, 1 << (how >> 4 & 7), 2);
		regs_write(device, 0x1a, queue, 2);
		regs_write(device, 0x20, ram_address(take(in, 1) & 0xf), 8);
		regs_write(device, 0x28, ram_address(take(in, 1) & 0xf), 8);
		regs_write(device, 0x30, ram_address(take(in, 1) & 0xf), 8);
		regs_write(device, 0x1c, 1, 2);
	}
	regs_write(device, 0x14, 15, 1);
	vmm_pci_write(&fuzz.bus, true, base_of(device, VMM_VIRTIO_PCI_PORTS), 0, 4);
}

/* One queue is given up and set up again. */
static void queue_reset(struct input *in)
{
	unsigned int device = take(in, 1) % DEVICES;

	regs_write(device, 0x16, take(in, 1) & 3, 2);
	regs_write(device, 0x3a, 1, 2);
	regs_write(device, 0x18, 16, 2);
	regs_write(device, 0x20, ram_address(take(in, 1) & 0xf), 8);
	regs_write(device, 0x28, ram_address(take(in, 1) & 0xf), 8);
	regs_write(device, 0x30, ram_address(take(in, 1) & 0xf), 8);
	regs_write(device, 0x1c, 1, 2);
}

/* The device has something to say. */
static void device_speaks(struct input *in)
{
	u32 what = take(in, 1);
	struct vmm_virtio *v = &fuzz.device[(what & 0xf) % DEVICES]->v;

	if (what & 0x80)
		vmm_virtio_fail(v);
	else
		vmm_virtio_notify_queue(v, (what >> 4) % v->queues);
}

static void act(struct input *in, bool first)
{
	switch (take(in, 1) & 15) {
	case 0:
	case 1:
	case 2:
	case 3:
		config_access(in);
		break;
	case 4:
		bring_up(in);
		break;
	case 5:
		poke_ram(in);
		break;
	case 6:
		queue_reset(in);
		break;
	case 7:
		device_speaks(in);
		break;
	case 8:
		if (first)
			main_thread();
		break;
	default:
		bar_access(in);
	}
}

static void *second_vcpu(void *arg)
{
	struct input *in = arg;

	while (in->left)
		act(in, false);
	return NULL;
}

static void reset(void)
{
	u8 now[256];
	unsigned int i;

	for (i = 0; i < DEVICES; i++)
		vmm_virtio_reset(&fuzz.device[i]->v);
	vmm_pci_power_on(&fuzz.bus);
	main_thread();
	pci_wires_must_be_free(&fuzz.wires);
	for (i = 0; i < DEVICES; i++) {
		look(i, now);
		MUST(!memcmp(now, fuzz.fresh[i], sizeof(now)));
		MUST(!fuzz.device[i]->v.status && !fuzz.device[i]->v.running);
	}
	memset(vmm_mem_ptr(&fuzz.vm.mem, 0, RAM), 0, 0x10000);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = { data, size };
	struct input other = split_off(&in);
	pthread_t thread;

	if (!fuzz.open)
		machine_open();
	MUST(!pthread_create(&thread, NULL, second_vcpu, &other));
	while (in.left)
		act(&in, true);
	pthread_join(thread, NULL);
	reset();
	return 0;
}
