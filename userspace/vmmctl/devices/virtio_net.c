// SPDX-License-Identifier: GPL-2.0-only
/*
 * virtio-net on a tap interface of the host, served by Linux' own /dev/vhost-net. It has one
 * pair of queues for packets, and a control queue (net_control.c) for one command.
 *
 * The link is up while the host's interface is up; a change is shown as a change of the
 * configuration.
 *
 * While the VM is paused, the queues have no tap: vhost-net accesses no guest memory, and
 * packets wait in the tap's own queue, or are dropped there.
 *
 * After a start from a snapshot, the device requests the guest to announce itself: switches of the
 * host's network may have learned another way to its MAC address.
 *
 * Source: VIRTIO 1.2, 5.1; include/uapi/linux/if_tun.h
 */
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>
#include <net/if.h>
#include <linux/if_tun.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/vhost.h>
#include <linux/virtio_ids.h>
#include <linux/virtio_net.h>

#include "backends/backends.h"
#include "devices/devices.h"
#include "host/host.h"

#define NET_QUEUE_MAX	256
#define NET_MTU_MIN	68	/* of virtio and of IPv4 */
#define NET_MTU_MAX	65535	/* of a field of 16 bits */
#define TUN_NODE	"/dev/net/tun"

/* The first two are for packets; vhost-net serves them. */
enum net_queue { NET_RX, NET_TX, NET_PACKETS, NET_CONTROL = NET_PACKETS, NET_QUEUES };

#define BIT(feature)	(1ULL << (feature))

/* Offloads of the tap, by features that the driver has accepted. */
static const struct {
	unsigned int feature;
	unsigned int tun;
} offloads[] = {
	{ VIRTIO_NET_F_GUEST_CSUM, TUN_F_CSUM },
	{ VIRTIO_NET_F_GUEST_TSO4, TUN_F_TSO4 },
	{ VIRTIO_NET_F_GUEST_TSO6, TUN_F_TSO6 },
	{ VIRTIO_NET_F_GUEST_ECN, TUN_F_TSO_ECN },
	{ VIRTIO_NET_F_GUEST_UFO, TUN_F_UFO },
};

/* Features that the tap implements; vhost-net implements merged buffers. */
#define NET_TAP_FEATURES \
	(BIT(VIRTIO_NET_F_CSUM) | BIT(VIRTIO_NET_F_GUEST_CSUM) | \
	 BIT(VIRTIO_NET_F_GUEST_TSO4) | BIT(VIRTIO_NET_F_GUEST_TSO6) | \
	 BIT(VIRTIO_NET_F_GUEST_ECN) | BIT(VIRTIO_NET_F_GUEST_UFO) | \
	 BIT(VIRTIO_NET_F_HOST_TSO4) | BIT(VIRTIO_NET_F_HOST_TSO6) | \
	 BIT(VIRTIO_NET_F_HOST_ECN) | BIT(VIRTIO_NET_F_HOST_UFO))

/* Features that vmmctl implements. */
#define NET_OWN_FEATURES \
	(BIT(VIRTIO_NET_F_MAC) | BIT(VIRTIO_NET_F_STATUS) | BIT(VIRTIO_NET_F_CTRL_VQ) | \
	 BIT(VIRTIO_NET_F_GUEST_ANNOUNCE))

/**
 * struct net - the state of the device
 * @vhost: the kernel's device
 * @control: the control queue
 * @asked: the device on the command line
 * @tap_fd: the tap interface
 * @link_fd: netlink socket for changes of interfaces and for queries of the tap
 * @detached: vhost-net has no tap, so that the queues' next indexes do not change
 * @mac: the guest's address
 * @mtu: MTU of the tap interface when vmmctl started, 0 if virtio cannot express it
 * @up: the state of the link that the guest reads; accessed with __atomic, as the rest
 * @announce: the guest is to announce itself as soon as the link is up
 * @link_changes: counts changes of the link
 * @announced: counts how often the guest has announced itself
 * @counts: counters of the tap interface
 */
struct net {
	struct vmm_vhost vhost;
	struct vmm_net_control *control;
	const struct vmm_backend *asked;
	int tap_fd;
	int link_fd;
	bool detached;
	u8 mac[6];
	unsigned int mtu;
	bool up;
	bool announce;
	u64 link_changes;
	u64 announced;
	struct vmm_tap_counts counts;
};

#define NET_CONFIG_SIZE(mtu) \
	((mtu) ? offsetof(struct virtio_net_config, speed) : \
		 offsetof(struct virtio_net_config, max_virtqueue_pairs))

static struct virtio_net_config net_config(const u8 *mac, unsigned int status, unsigned int mtu)
{
	struct virtio_net_config config = {
		.status = htole16(status), .mtu = htole16(mtu),
	};

	memcpy(config.mac, mac, sizeof(config.mac));
	return config;
}

/**
 * vmm_net_mac - choose the MAC address of a network device
 * @v: the device
 * @asked: the device on the command line
 * @mac: filled
 */
void vmm_net_mac(const struct vmm_virtio *v, const struct vmm_backend *asked, u8 mac[6])
{
	/* A locally administered prefix, that of the reference, then the slot. */
	const u8 of_slot[6] = { 0x02, 0x15, 0xb2, 0, 0, v->slot };
	static const u8 none[6];

	memcpy(mac, memcmp(asked->mac, none, sizeof(none)) ? asked->mac : of_slot, sizeof(none));
}

/**
 * vmm_net_config - show the configuration of a network device
 * @v: the device
 * @mac: its address
 * @status: VIRTIO_NET_S_*
 * @mtu: bytes of the largest packet, 0 if unknown
 *
 * Context: as vmm_virtio_config().
 */
void vmm_net_config(struct vmm_virtio *v, const u8 mac[6], unsigned int status, unsigned int mtu)
{
	struct virtio_net_config config = net_config(mac, status, mtu);

	vmm_virtio_config(v, &config, NET_CONFIG_SIZE(mtu));
}

static bool net_flag(const bool *flag)
{
	return __atomic_load_n(flag, __ATOMIC_SEQ_CST);
}

static void net_set_flag(bool *flag, bool value)
{
	__atomic_store_n(flag, value, __ATOMIC_SEQ_CST);
}

static unsigned int net_status(const struct net *net)
{
	if (!net_flag(&net->up))
		return 0;
	return VIRTIO_NET_S_LINK_UP | (net_flag(&net->announce) ? VIRTIO_NET_S_ANNOUNCE : 0);
}

/* Changes the configuration without an interrupt. */
static void net_show_locked(struct net *net)
{
	struct virtio_net_config config = net_config(net->mac, net_status(net), net->mtu);

	vmm_virtio_answer_locked(net->vhost.v, &config, NET_CONFIG_SIZE(net->mtu));
}

/* Called by the control queue, with the device's lock held. */
static void net_announced(void *arg)
{
	struct net *net = arg;

	if (net_flag(&net->announce))
		vmm_count(&net->announced, 1);
	net_set_flag(&net->announce, false);
	/* Also without a request: net_link_event() may have shown one that was answered before. */
	net_show_locked(net);
}

static int net_backend(struct net *net, unsigned int queue, int fd)
{
	struct vhost_vring_file file = { .index = queue, .fd = fd };

	return ioctl(net->vhost.fd, VHOST_NET_SET_BACKEND, &file) ? -errno : 0;
}

/* When it returns, vhost-net has completed the buffers that it had taken. */
static int net_detach(struct net *net)
{
	int tx = net_backend(net, NET_TX, -1);
	int rx = net_backend(net, NET_RX, -1);

	net->detached = !tx && !rx;
	return tx ? tx : rx;
}

static int net_attach(struct net *net)
{
	int err;

	net->detached = false;
	err = net_backend(net, NET_RX, net->tap_fd);
	if (!err)
		err = net_backend(net, NET_TX, net->tap_fd);
	if (err)
		net_detach(net);
	return err;
}

static int net_blame_tap(struct net *net, int err)
{
	return vmm_vhost_blame(&net->vhost, -err, "%s refuses %s", net->vhost.node,
			       net->asked->path);
}

/* Tap and vhost-net must use the same packet header. */
static int net_set_tap(struct net *net)
{
	const struct vmm_virtio *v = net->vhost.v;
	bool merged = vmm_virtio_accepted(v, VIRTIO_F_VERSION_1) ||
		      vmm_virtio_accepted(v, VIRTIO_NET_F_MRG_RXBUF);
	int header = merged ? sizeof(struct virtio_net_hdr_mrg_rxbuf) :
			      sizeof(struct virtio_net_hdr);
	unsigned int tun = 0;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(offloads); i++) {
		if (vmm_virtio_accepted(v, offloads[i].feature))
			tun |= offloads[i].tun;
	}
	if (ioctl(net->tap_fd, TUNSETVNETHDRSZ, &header) ||
	    ioctl(net->tap_fd, TUNSETOFFLOAD, tun))
		return vmm_vhost_blame(&net->vhost, errno, "%s refuses the driver's offloads",
				       net->asked->path);
	return 0;
}

static int net_start(struct vmm_virtio *v)
{
	struct net *net = v->state;
	int err;

	err = net_set_tap(net);
	if (err)
		return err;
	err = vmm_vhost_start(&net->vhost, NET_PACKETS);
	if (err)
		return err;
	err = vmm_net_control_start(net->control);
	if (err)
		goto err_stop;
	net->detached = true;
	err = v->paused ? 0 : net_attach(net);
	if (!err)
		return 0;
	net_blame_tap(net, err);
	vmm_net_control_stop(net->control);
err_stop:
	vmm_vhost_stop(&net->vhost);
	return err;
}

static void net_stop(struct vmm_virtio *v)
{
	struct net *net = v->state;

	net_detach(net);
	vmm_net_control_stop(net->control);
	vmm_vhost_stop(&net->vhost);
	net_set_flag(&net->announce, false);
	net_show_locked(net);
}

/* The rings stay, without a backend. */
static void net_pause(struct vmm_virtio *v)
{
	struct net *net = v->state;
	int err = v->running ? net_detach(net) : 0;

	vmm_net_control_pause(net->control, true);
	if (err)
		vmm_vhost_blame(&net->vhost, -err, "%s does not pause", net->vhost.node);
}

/* Without a tap, vhost-net drops notifications, so they are repeated here. */
static void net_resume(struct vmm_virtio *v)
{
	struct net *net = v->state;
	unsigned int i;
	int err;

	vmm_net_control_pause(net->control, false);
	if (!v->running)
		return;
	err = net_attach(net);
	if (err) {
		net_blame_tap(net, err);
		vmm_virtio_fail(v);
		return;
	}
	for (i = 0; i < NET_PACKETS; i++)
		vmm_event_signal(v->queue[i].kick_fd);
}

/* ---- snapshots ---- */

/* Without a tap, vhost-net has completed the buffers that it had taken, and takes no others. */
static int net_base(struct vmm_virtio *v, unsigned int queue, u32 *base)
{
	struct net *net = v->state;

	if (queue == NET_CONTROL)
		return vmm_net_control_base(net->control, base);
	if (!net->detached)
		return -EBUSY;
	return vmm_vhost_ring_base(&net->vhost, queue, base);
}

/* Keeps the guest's MAC address, which its driver does not read again. */
static int net_load_mac(struct net *net, const u8 mac[6])
{
	static const u8 none[6];

	if (mac[0] & 1 || !memcmp(mac, none, sizeof(none)))
		return -EINVAL;
	if (memcmp(net->asked->mac, none, sizeof(none)) &&
	    memcmp(net->asked->mac, mac, sizeof(none)))
		return vmm_error(-EINVAL,
				 "snapshot: the guest's network device has the MAC address %02x:%02x:%02x:%02x:%02x:%02x, which cannot be changed (--net tap=%s)",
				 mac[0], mac[1], mac[2], mac[3], mac[4], mac[5], net->asked->path);
	memcpy(net->mac, mac, sizeof(net->mac));
	return 0;
}

/* The model has no state but the configuration, of which the link is that of the tap. */
static int net_load(struct vmm_virtio *v, struct vmm_state *state, u32 tag, const u8 *config)
{
	struct net *net = v->state;
	struct virtio_net_config saved;
	int err;

	(void)state;
	(void)tag;
	memcpy(&saved, config, sizeof(saved));
	if (le16toh(saved.mtu) != net->mtu)
		return vmm_error(-EINVAL, "snapshot: the guest's MTU is %u, and that of %s is %u",
				 le16toh(saved.mtu), net->asked->path, net->mtu);
	err = net_load_mac(net, saved.mac);
	if (err)
		return err;
	net_set_flag(&net->announce, v->status & VIRTIO_CONFIG_S_DRIVER_OK &&
		     vmm_virtio_accepted(v, VIRTIO_NET_F_GUEST_ANNOUNCE));
	net_show_locked(net);
	return 0;
}

/* ---- the link ---- */

static bool net_is_up(const struct net *net)
{
	struct ifreq ifr = {};

	snprintf(ifr.ifr_name, IFNAMSIZ, "%s", net->asked->path);
	return !ioctl(net->link_fd, SIOCGIFFLAGS, &ifr) && ifr.ifr_flags & IFF_UP &&
	       ifr.ifr_flags & IFF_RUNNING;
}

/* An interface has changed: query the tap. */
static int net_link_event(void *arg)
{
	struct net *net = arg;
	char text[4096];
	bool up;

	while (recv(net->link_fd, text, sizeof(text), MSG_DONTWAIT | MSG_TRUNC) > 0)
		;
	up = net_is_up(net);
	if (up == net->up)
		return 0;
	vmm_count(&net->link_changes, 1);
	net_set_flag(&net->up, up);
	/* If this shows a request that was just answered, the driver answers it again. */
	vmm_net_config(net->vhost.v, net->mac, net_status(net), net->mtu);
	return 0;
}

static int net_open_link(struct net *net)
{
	struct sockaddr_nl address = { .nl_family = AF_NETLINK, .nl_groups = RTMGRP_LINK };

	net->link_fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_ROUTE);
	if (net->link_fd < 0 ||
	    bind(net->link_fd, (struct sockaddr *)&address, sizeof(address)))
		return vmm_error(errno, "--net: cannot watch the state of %s", net->asked->path);
	net->up = net_is_up(net);
	return vmm_loop_add(net->vhost.v->vm->loop, net->link_fd, net_link_event, net);
}

/*
 * TUNSETIFF would create a missing interface, which would be removed at the end. So the
 * interface is looked up first, and its MTU is read.
 */
static int net_find_tap(struct net *net)
{
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct ifreq ifr = {};
	int err = 0;

	if (fd < 0)
		return vmm_error(errno, "socket");
	snprintf(ifr.ifr_name, IFNAMSIZ, "%s", net->asked->path);
	if (ioctl(fd, SIOCGIFMTU, &ifr))
		err = vmm_error(errno,
				"--net: no tap interface %s (make it: ip tuntap add %s mode tap)",
				net->asked->path, net->asked->path);
	else if (ifr.ifr_mtu >= NET_MTU_MIN && ifr.ifr_mtu <= NET_MTU_MAX)
		net->mtu = ifr.ifr_mtu;
	close(fd);
	return err;
}

static int net_open_tap(struct net *net)
{
	struct ifreq ifr = { .ifr_flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR };
	int err;

	net->tap_fd = open(TUN_NODE, O_RDWR | O_CLOEXEC | O_NONBLOCK);
	if (net->tap_fd < 0)
		return vmm_error(errno, "cannot open " TUN_NODE " (is tun loaded?)");
	err = net_find_tap(net);
	if (err)
		return err;
	snprintf(ifr.ifr_name, IFNAMSIZ, "%s", net->asked->path);
	if (ioctl(net->tap_fd, TUNSETIFF, &ifr))
		return vmm_error(errno, "--net: cannot use the tap interface %s",
				 net->asked->path);
	return 0;
}

static void net_close(struct net *net)
{
	if (net->link_fd >= 0) {
		vmm_loop_del(net->vhost.v->vm->loop, net->link_fd);
		close(net->link_fd);
	}
	if (net->vhost.ops)
		vmm_vhost_close(&net->vhost);
	vmm_net_control_close(net->control);
	if (net->tap_fd >= 0)
		close(net->tap_fd);
	vmm_tap_counts_close(&net->counts);
	free(net);
}

static int net_open(struct net *net, struct vmm_virtio *v)
{
	int err;

	err = net_open_tap(net);
	if (err)
		return err;
	net->control = vmm_net_control_open(v, net_announced, net);
	if (!net->control)
		return -ENOMEM;
	err = vmm_vhost_open(&net->vhost, v, VMM_NET_NODE, "vhost_net");
	if (err)
		return err;
	err = vmm_vhost_offer(&net->vhost, BIT(VIRTIO_NET_F_MRG_RXBUF));
	if (err)
		return err;
	v->offered |= NET_TAP_FEATURES | NET_OWN_FEATURES;
	err = net_open_link(net);
	if (err)
		return err;
	if (net->mtu)
		v->offered |= BIT(VIRTIO_NET_F_MTU);
	vmm_net_mac(v, net->asked, net->mac);
	vmm_net_config(v, net->mac, net_status(net), net->mtu);
	return 0;
}

static void net_open_counts(struct net *net)
{
	char dir[64];

	snprintf(dir, sizeof(dir), "/sys/class/net/%s", net->asked->path);
	vmm_tap_counts_open(&net->counts, dir, if_nametoindex(net->asked->path));
}

static int net_create(struct vmm_virtio *v)
{
	struct net *net = calloc(1, sizeof(*net));
	int err;

	if (!net)
		return vmm_error(ENOMEM, "network");
	net->asked = &v->vm->cfg->backend[VMM_BACKEND_NET][v->index];
	net->tap_fd = -1;
	net->link_fd = -1;
	net_open_counts(net);
	err = net_open(net, v);
	if (err)
		net_close(net);
	else
		v->state = net;
	return err;
}

static void net_destroy(struct vmm_virtio *v)
{
	net_close(v->state);
}

static void net_stats(struct vmm_virtio *v, struct vmm_report *report)
{
	const struct net *net = v->state;

	vmm_report_add(report, "link_changes", vmm_counted(&net->link_changes));
	vmm_report_add(report, "announced", vmm_counted(&net->announced));
	vmm_tap_counts_report(&net->counts, report);
}

static unsigned int net_count(const struct vmm_config *cfg)
{
	return cfg->backends[VMM_BACKEND_NET];
}

static const struct vmm_transport *net_transport(const struct vmm_config *cfg, unsigned int index)
{
	return &cfg->backend[VMM_BACKEND_NET][index].transport;
}

/** virtio-net on a tap interface. */
const struct vmm_virtio_ops vmm_net_ops = {
	.name = "net",
	.id = VIRTIO_ID_NET,
	.queues = NET_QUEUES,
	.queue_max = NET_QUEUE_MAX,
	.count = net_count,
	.transport = net_transport,
	.create = net_create,
	.destroy = net_destroy,
	.start = net_start,
	.stop = net_stop,
	.pause = net_pause,
	.resume = net_resume,
	.base = net_base,
	.load = net_load,
	.stats = net_stats,
};
