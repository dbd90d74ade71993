// SPDX-License-Identifier: GPL-2.0-only
/*
 * A network device that is saved and loaded: its rings, its MAC address, the link, and the
 * request to announce itself, with the answer by the control queue. The kernel is the test's.
 */
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>
#include <linux/if_tun.h>
#include <linux/vhost.h>
#include <linux/virtio_config.h>
#include <linux/virtio_ids.h>
#include <linux/virtio_net.h>
#include <linux/virtio_ring.h>

#include "devices/devices.h"
#include "tests/tap.h"

#define BASE		0x40000000ULL
#define QUEUE		0x10000
#define QUEUES		3
#define NUM		64
#define CONTROL		2
#define AVAIL		0x1000
#define USED		0x2000
#define DATA		0x3000
#define TAG		100

#define ANNOUNCE	(1ULL << VIRTIO_NET_F_GUEST_ANNOUNCE)
#define CTRL_VQ		(1ULL << VIRTIO_NET_F_CTRL_VQ)
#define STATUS		(1ULL << VIRTIO_NET_F_STATUS)
#define MAC		(1ULL << VIRTIO_NET_F_MAC)

static char message[400];

/* ---- the kernel ---- */

static struct {
	int tap;
	int backend[2];		/* vhost-net's */
	bool keeps;		/* it refuses to detach the tap */
	u32 base[2];		/* next index of each ring */
	unsigned int based;	/* rings whose next index was set */
	u64 features;
	int mtu;
	bool down;		/* the tap */
} kernel;

int open(const char *path, int flags, ...)
{
	bool tap = !strcmp(path, "/dev/net/tun");
	int fd;

	if (!tap && strncmp(path, "/dev/vhost-", 11))
		return syscall(SYS_openat, AT_FDCWD, path, flags, 0);
	fd = memfd_create(path, MFD_CLOEXEC);
	if (tap)
		kernel.tap = fd;
	return fd;
}

static int set_backend(const struct vhost_vring_file *file)
{
	if (!tap_check(file->index < ARRAY_SIZE(kernel.backend)))
		return -1;
	if (kernel.keeps && file->fd < 0) {
		errno = EIO;
		return -1;
	}
	kernel.backend[file->index] = file->fd;
	return 0;
}

/* The next index moves while the ring has a tap. */
static int ring_base(struct vhost_vring_state *state, bool set)
{
	if (!tap_check(state->index < ARRAY_SIZE(kernel.base)))
		return -1;
	tap_equal(kernel.backend[state->index], -1);
	if (!set) {
		state->num = kernel.base[state->index];
		return 0;
	}
	kernel.base[state->index] = state->num;
	kernel.based |= 1 << state->index;
	return 0;
}

int ioctl(int fd, unsigned long request, ...)
{
	struct ifreq *ifr;
	va_list args;
	void *arg;

	(void)fd;
	va_start(args, request);
	arg = va_arg(args, void *);
	va_end(args);
	ifr = arg;
	switch (request) {
	case VHOST_GET_FEATURES:
		*(u64 *)arg = 1ULL << VIRTIO_F_VERSION_1 | 1ULL << VIRTIO_NET_F_MRG_RXBUF;
		break;
	case VHOST_SET_FEATURES:
		kernel.features = *(u64 *)arg;
		break;
	case VHOST_NET_SET_BACKEND:
		return set_backend(arg);
	case VHOST_GET_VRING_BASE:
	case VHOST_SET_VRING_BASE:
		return ring_base(arg, request == VHOST_SET_VRING_BASE);
	case SIOCGIFMTU:
		ifr->ifr_mtu = kernel.mtu;
		break;
	case SIOCGIFFLAGS:
		ifr->ifr_flags = kernel.down ? 0 : IFF_UP | IFF_RUNNING;
		break;
	}
	return 0;
}

/* ---- a guest's driver ---- */

static struct vmm_config cfg;
static struct vmm_vm vm;
static struct vmm_virtio *v;
static u8 regs[RANCHU_VIRTIO_MMIO_SIZE] __attribute__((aligned(8)));

static void kernel_reset(void)
{
	memset(&kernel, 0, sizeof(kernel));
	memset(kernel.backend, 0xff, sizeof(kernel.backend));	/* -1 */
	kernel.mtu = 1500;
	cfg = (struct vmm_config){
		.backend[VMM_BACKEND_NET] = { { .path = "tap-of-nobody" } },
	};
}

static bool device_open(void)
{
	unsigned int i;

	vm = (struct vmm_vm){ .cfg = &cfg, .fd = -1, .loop = vmm_loop_create() };
	v = calloc(1, sizeof(*v));
	if (!tap_check(v && vm.loop) || !tap_equal(vmm_mem_add(&vm.mem, BASE, MIB), 0))
		return false;
	vmm_virtio_mmio_idle(regs);
	v->ops = &vmm_net_ops;
	v->vm = &vm;
	v->name = vmm_net_ops.name;
	v->id = vmm_net_ops.id;
	v->queue_max = vmm_net_ops.queue_max;
	v->queues = vmm_net_ops.queues;
	v->slot = 7;
	v->regs = regs;
	v->call_fd = vmm_event_create();
	pthread_mutex_init(&v->lock, NULL);
	pthread_cond_init(&v->idle, NULL);
	if (!tap_equal(v->ops->create(v), 0))
		return false;
	for (i = 0; i < v->queues; i++)
		v->queue[i].kick_fd = vmm_event_create();
	vmm_virtio_mmio_plug(v);
	return true;
}

static void device_close(void)
{
	unsigned int i;

	vmm_virtio_mmio_write(v, 0x70, 0, 4);
	tap_check(kernel.backend[0] == -1 && kernel.backend[1] == -1);
	v->ops->destroy(v);
	for (i = 0; i < v->queues; i++)
		close(v->queue[i].kick_fd);
	close(v->call_fd);
	pthread_cond_destroy(&v->idle);
	pthread_mutex_destroy(&v->lock);
	free(v);
	vmm_loop_destroy(vm.loop);
	vmm_mem_destroy(&vm.mem);
}

static void *at(u64 offset)
{
	return vmm_mem_ptr(&vm.mem, BASE + CONTROL * QUEUE + offset, 16);
}

static void driver_starts(u64 features)
{
	unsigned int i;

	vmm_virtio_mmio_write(v, 0x70, 3, 4);
	vmm_virtio_mmio_write(v, 0x24, 0, 4);
	vmm_virtio_mmio_write(v, 0x20, (u32)features, 4);
	vmm_virtio_mmio_write(v, 0x24, 1, 4);
	vmm_virtio_mmio_write(v, 0x20, 1, 4);
	vmm_virtio_mmio_write(v, 0x70, 11, 4);
	for (i = 0; i < (features & CTRL_VQ ? QUEUES : CONTROL); i++) {
		vmm_virtio_mmio_write(v, 0x30, i, 4);
		vmm_virtio_mmio_write(v, 0x38, NUM, 4);
		vmm_virtio_mmio_write(v, 0x80, BASE + i * QUEUE, 4);
		vmm_virtio_mmio_write(v, 0x90, BASE + i * QUEUE + AVAIL, 4);
		vmm_virtio_mmio_write(v, 0xa0, BASE + i * QUEUE + USED, 4);
		vmm_virtio_mmio_write(v, 0x44, 1, 4);
	}
	vmm_virtio_mmio_write(v, 0x70, 15, 4);
	tap_check(v->running && !(v->status & VIRTIO_CONFIG_S_NEEDS_RESET));
}

/* Makes the chain of descriptor 0 available; returns whether it is used within @ms. */
static bool send_chain(unsigned int ms)
{
	static const struct timespec while_it_works = { 0, 1000000 };
	u16 *avail = at(AVAIL);
	u16 *used = at(USED);
	u16 next = avail[1];

	avail[2 + next % NUM] = 0;
	__atomic_store_n(&avail[1], next + 1, __ATOMIC_RELEASE);
	vmm_event_signal(v->queue[CONTROL].kick_fd);
	while (__atomic_load_n(&used[1], __ATOMIC_ACQUIRE) != (u16)(next + 1) && ms--)
		nanosleep(&while_it_works, NULL);
	return used[1] == (u16)(next + 1);
}

/* Sends a command of @len bytes by the control queue; returns the answer, -1 for none. */
static int send_command(const void *bytes, u32 len)
{
	struct vring_desc *desc = at(0);
	u8 *data = at(DATA);

	memcpy(data, bytes, len);
	data[0x800] = 0x77;
	desc[0] = (struct vring_desc){ BASE + CONTROL * QUEUE + DATA, len, VRING_DESC_F_NEXT, 1 };
	desc[1] = (struct vring_desc){ BASE + CONTROL * QUEUE + DATA + 0x800, 1,
				       VRING_DESC_F_WRITE, 0 };
	return send_chain(5000) ? data[0x800] : -1;
}

static int announced(void)
{
	static const u8 bytes[] = { VIRTIO_NET_CTRL_ANNOUNCE, VIRTIO_NET_CTRL_ANNOUNCE_ACK };

	return send_command(bytes, sizeof(bytes));
}

static struct virtio_net_config config(void)
{
	struct virtio_net_config seen;

	memcpy(&seen, regs + 0x100, sizeof(seen));
	return seen;
}

static bool has_mac(u8 last)
{
	struct virtio_net_config seen = config();
	u8 mac[6] = { 0x02, 0x15, 0xb2, 0, 0, last };

	return !memcmp(seen.mac, mac, sizeof(mac));
}

/* Whether there is an interrupt about a change of the configuration; takes it. */
static bool was_told(void)
{
	bool told = regs[0x60] & 2;

	if (told)
		tap_check(vmm_event_clear(v->call_fd));
	vmm_virtio_mmio_write(v, 0x64, 3, 4);
	return told;
}

/* ---- saving and loading ---- */

static struct vmm_state saved;

static int device_save(void)
{
	int err;

	vmm_virtio_pause(v);
	tap_equal(vmm_state_begin(&saved, "test", 1), 0);
	tap_listen();
	err = vmm_virtio_save(v, &saved, TAG);
	tap_heard(message, sizeof(message));
	if (!err)
		err = vmm_state_end(&saved);
	return err;
}

static int device_load(void)
{
	int err;

	tap_equal(vmm_state_open(&saved, "test", 1), 1);
	tap_listen();
	err = vmm_virtio_load(v, &saved, TAG);
	tap_heard(message, sizeof(message));
	return err;
}

/* Saves a guest whose driver has accepted @features, and makes another device. */
static bool saved_with(u64 features)
{
	kernel_reset();
	if (!device_open())
		return false;
	driver_starts(features);
	kernel.base[0] = 300;
	kernel.base[1] = 65535;
	tap_equal(device_save(), 0);
	vmm_virtio_resume(v);
	device_close();
	kernel_reset();
	return true;
}

static void rings_go_on(void)
{
	if (!saved_with(STATUS | MAC | 1ULL << VIRTIO_NET_F_MRG_RXBUF) || !device_open())
		return;
	tap_equal(device_load(), 0);
	tap_check(v->running && !(v->status & VIRTIO_CONFIG_S_NEEDS_RESET));
	tap_equal(kernel.based, 3);
	tap_equal(kernel.base[0], 300);
	tap_equal(kernel.base[1], 65535);
	tap_check(kernel.backend[0] == kernel.tap && kernel.backend[1] == kernel.tap);
	tap_equal(kernel.features, 1ULL << VIRTIO_F_VERSION_1 | 1ULL << VIRTIO_NET_F_MRG_RXBUF);
	/* vhost-net is to look at both rings, and the driver too. */
	tap_check(vmm_event_clear(v->queue[0].kick_fd) && vmm_event_clear(v->queue[1].kick_fd));
	tap_check(vmm_event_clear(v->call_fd));
	/* A driver without that feature is not requested to announce itself. */
	tap_equal(config().status, VIRTIO_NET_S_LINK_UP);
	tap_check(!was_told());
	/* The next driver begins anew. */
	vmm_virtio_mmio_write(v, 0x70, 0, 4);
	driver_starts(STATUS);
	tap_equal(kernel.base[0], 0);
	device_close();
	vmm_state_free(&saved);
}

static void a_device_that_is_not_used(void)
{
	kernel_reset();
	if (!device_open())
		return;
	tap_equal(device_save(), 0);
	tap_equal(device_load(), 0);
	tap_check(!v->running && has_mac(7));
	vmm_virtio_resume(v);
	driver_starts(STATUS | CTRL_VQ | ANNOUNCE);
	tap_equal(config().status, VIRTIO_NET_S_LINK_UP);
	device_close();
	vmm_state_free(&saved);
}

/* The next index that is saved would be an old one. */
static void rings_that_move_are_not_saved(void)
{
	kernel_reset();
	if (!device_open())
		return;
	driver_starts(STATUS);
	kernel.keeps = true;
	tap_equal(device_save(), -EBUSY);
	tap_check(strstr(message, "virtio-net: queue 0 cannot be saved"));
	kernel.keeps = false;
	vmm_virtio_resume(v);
	device_close();
	vmm_state_free(&saved);
}

static void the_guest_announces_itself(void)
{
	static const u8 other[] = { VIRTIO_NET_CTRL_RX, VIRTIO_NET_CTRL_RX_PROMISC, 1 };
	static const u8 mac[] = { 0x02, 0x15, 0xb2, 0, 0, 7 };
	struct vmm_report report;
	u32 generation;

	if (!saved_with(STATUS | CTRL_VQ | ANNOUNCE) || !device_open())
		return;
	generation = v->generation;
	tap_equal(device_load(), 0);
	tap_equal(config().status, VIRTIO_NET_S_LINK_UP | VIRTIO_NET_S_ANNOUNCE);
	tap_check(v->config_pending && v->generation != generation && was_told());
	/* All other commands are refused, and are no answer to the request. */
	tap_equal(send_command(other, sizeof(other)), VIRTIO_NET_ERR);
	tap_equal(send_command(other, 1), VIRTIO_NET_ERR);
	tap_check(config().status & VIRTIO_NET_S_ANNOUNCE);
	tap_equal(announced(), VIRTIO_NET_OK);
	tap_equal(config().status, VIRTIO_NET_S_LINK_UP);
	tap_check(!was_told());
	/* The link changed at the same time, and the old request was shown again. */
	vmm_net_config(v, mac, VIRTIO_NET_S_LINK_UP | VIRTIO_NET_S_ANNOUNCE, kernel.mtu);
	tap_equal(announced(), VIRTIO_NET_OK);
	tap_equal(config().status, VIRTIO_NET_S_LINK_UP);
	/* An answer without a request is not counted. */
	tap_equal(announced(), VIRTIO_NET_OK);
	vmm_virtio_report(v, &report);
	tap_check(!strcmp(report.names[9], "announced"));
	tap_equal(report.values[9], 1);
	device_close();
	vmm_state_free(&saved);
}

/* The control queue continues where it was. */
static void a_command_before_and_one_after(void)
{
	u16 used[2];

	kernel_reset();
	if (!device_open())
		return;
	driver_starts(STATUS | CTRL_VQ | ANNOUNCE);
	tap_equal(announced(), VIRTIO_NET_OK);
	tap_equal(announced(), VIRTIO_NET_OK);
	tap_equal(device_save(), 0);
	memcpy(used, at(USED), sizeof(used));
	/* Guest memory stays, and so does what the driver knows of its ring. */
	tap_equal(device_load(), 0);
	/* The VM is paused, and vhost-net accesses no guest memory. */
	tap_check(kernel.backend[0] == -1 && kernel.backend[1] == -1);
	vmm_virtio_resume(v);
	tap_check(kernel.backend[0] == kernel.tap && kernel.backend[1] == kernel.tap);
	tap_equal(announced(), VIRTIO_NET_OK);
	tap_equal(((u16 *)at(USED))[1], used[1] + 1);
	device_close();
	vmm_state_free(&saved);
}

/* Chains that are no commands harm nothing but the driver's own device. */
static void chains_that_are_no_commands(void)
{
	struct vring_desc *desc;
	unsigned int i;

	kernel_reset();
	if (!device_open())
		return;
	desc = at(0);
	driver_starts(STATUS | CTRL_VQ | ANNOUNCE);
	/* There is no room for an answer. */
	desc[0] = (struct vring_desc){ BASE + CONTROL * QUEUE + DATA, 2, 0, 0 };
	tap_check(send_chain(5000));
	tap_equal(((u32 *)at(USED))[2], 0);
	/* There is room only. */
	desc[0] = (struct vring_desc){ BASE + CONTROL * QUEUE + DATA, 4096, VRING_DESC_F_WRITE, 0 };
	tap_check(send_chain(5000));
	tap_equal(*(u8 *)at(DATA), VIRTIO_NET_ERR);
	/* More buffers than a command has: the queue ends, and is not saved. */
	for (i = 0; i < NUM / 2; i++)
		desc[i] = (struct vring_desc){ BASE, 1, VRING_DESC_F_NEXT, i + 1 };
	desc[i] = (struct vring_desc){ BASE, 1, 0, 0 };
	tap_check(!send_chain(50));
	tap_equal(device_save(), -EIO);
	tap_check(strstr(message, "virtio-net: queue 2 cannot be saved"));
	vmm_virtio_resume(v);
	/* The next driver's queue works. */
	vmm_virtio_mmio_write(v, 0x70, 0, 4);
	memset(vmm_mem_ptr(&vm.mem, BASE + CONTROL * QUEUE, QUEUE), 0, QUEUE);
	driver_starts(STATUS | CTRL_VQ | ANNOUNCE);
	tap_equal(announced(), VIRTIO_NET_OK);
	device_close();
	vmm_state_free(&saved);
}

/* The request is shown as soon as the link is up: before, announcements would be lost. */
static void a_link_that_is_down(void)
{
	if (!saved_with(STATUS | CTRL_VQ | ANNOUNCE))
		return;
	kernel.down = true;
	if (!device_open())
		return;
	tap_equal(device_load(), 0);
	tap_equal(config().status, 0);
	tap_check(was_told());
	device_close();
	vmm_state_free(&saved);
}

static void the_mac_stays(void)
{
	static const u8 another[6] = { 2, 0, 0, 0, 0, 9 };

	if (!saved_with(STATUS | MAC) || !device_open())
		return;
	/* In another slot, where a new device would have another one. */
	v->slot = 9;
	tap_equal(device_load(), 0);
	tap_check(has_mac(7));
	/* The same for the next driver. */
	vmm_virtio_mmio_write(v, 0x70, 0, 4);
	driver_starts(STATUS | MAC);
	tap_check(has_mac(7));
	device_close();
	/* The driver would not read another MAC address. */
	memcpy(cfg.backend[VMM_BACKEND_NET][0].mac, another, sizeof(another));
	if (!device_open())
		return;
	tap_equal(device_load(), -EINVAL);
	tap_check(strstr(message, "02:15:b2:00:00:07, which cannot be changed"));
	device_close();
	vmm_state_free(&saved);
}

static void another_mtu_is_refused(void)
{
	if (!saved_with(STATUS | MAC))
		return;
	kernel.mtu = 1280;
	if (!device_open())
		return;
	tap_equal(device_load(), -EINVAL);
	tap_check(strstr(message, "the guest's MTU is 1500, and that of tap-of-nobody is 1280"));
	device_close();
	vmm_state_free(&saved);
}

/* A state that was made to harm. */
static void a_group_is_no_mac(void)
{
	static const u8 mac[] = { 0x02, 0x15, 0xb2, 0, 0, 7 };
	u8 *field;

	if (!saved_with(STATUS | MAC) || !device_open())
		return;
	field = memmem(saved.bytes, saved.len, mac, sizeof(mac));
	if (tap_check(field)) {
		*field = 3;
		tap_equal(device_load(), -EINVAL);
		memset(field, 0, sizeof(mac));
		tap_equal(device_load(), -EINVAL);
	}
	vmm_virtio_reset(v);
	device_close();
	vmm_state_free(&saved);
}

static const struct tap_case cases[] = {
	{ "its rings go on", rings_go_on },
	{ "a device that no driver uses", a_device_that_is_not_used },
	{ "rings that move are not saved", rings_that_move_are_not_saved },
	{ "the guest announces itself", the_guest_announces_itself },
	{ "a command before, and one after", a_command_before_and_one_after },
	{ "chains that are no commands", chains_that_are_no_commands },
	{ "a link that is down", a_link_that_is_down },
	{ "the MAC address stays", the_mac_stays },
	{ "another MTU is refused", another_mtu_is_refused },
	{ "a group is no MAC address", a_group_is_no_mac },
};

int main(void)
{
	return tap_run(cases, ARRAY_SIZE(cases));
}
