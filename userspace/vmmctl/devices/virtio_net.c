// SPDX-License-Identifier: GPL-2.0-only
/*
 * virtio-net on a tap interface of the host, served by Linux' own /dev/vhost-net. It has one
 * pair of queues and no control queue: filters, VLANs and the MAC address are set on the host.
 *
 * The link is up while the host's interface is up; a change is shown as a change of the
 * configuration.
 *
 * While the VM is paused, the queues have no tap: vhost-net accesses no guest memory, and
 * packets wait in the tap's own queue, or are dropped there.
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

enum net_queue { NET_RX, NET_TX, NET_QUEUES };

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

/**
 * struct net - the state of the device
 * @vhost: the kernel's device
 * @asked: the device on the command line
 * @tap_fd: the tap interface
 * @link_fd: netlink socket for changes of interfaces and for queries of the tap
 * @up: the state of the link that the guest reads
 * @link_changes: counts changes of the link; accessed with __atomic
 * @mtu: MTU of the tap interface when vmmctl started, 0 if virtio cannot express it
 * @counts: counters of the tap interface
 */
struct net {
	struct vmm_vhost vhost;
	const struct vmm_backend *asked;
	int tap_fd;
	int link_fd;
	bool up;
	u64 link_changes;
	unsigned int mtu;
	struct vmm_tap_counts counts;
};

/**
 * vmm_net_config - show the configuration of a network device
 * @v: the device
 * @mac: its address; all zero: it is made from the slot's number
 * @up: the link is up
 * @mtu: bytes of the largest packet, 0 if unknown
 *
 * Context: as vmm_virtio_config().
 */
void vmm_net_config(struct vmm_virtio *v, const u8 *mac, bool up, unsigned int mtu)
{
	/* A locally administered prefix, that of the reference, then the slot. */
	struct virtio_net_config config = { .mac = { 0x02, 0x15, 0xb2, 0, 0, v->slot } };
	static const u8 none[sizeof(config.mac)];

	if (memcmp(mac, none, sizeof(none)))
		memcpy(config.mac, mac, sizeof(config.mac));
	config.status = htole16(up ? VIRTIO_NET_S_LINK_UP : 0);
	config.mtu = htole16(mtu);
	vmm_virtio_config(v, &config, mtu ? offsetof(struct virtio_net_config, speed) :
			  offsetof(struct virtio_net_config, max_virtqueue_pairs));
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

	return tx ? tx : rx;
}

static int net_attach(struct net *net)
{
	int err = net_backend(net, NET_RX, net->tap_fd);

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
	err = vmm_vhost_start(&net->vhost, NET_QUEUES);
	if (err)
		return err;
	err = net_attach(net);
	if (!err)
		return 0;
	vmm_vhost_stop(&net->vhost);
	return net_blame_tap(net, err);
}

static void net_stop(struct vmm_virtio *v)
{
	struct net *net = v->state;

	net_detach(net);
	vmm_vhost_stop(&net->vhost);
}

/* The rings stay, without a backend. */
static void net_pause(struct vmm_virtio *v)
{
	struct net *net = v->state;
	int err = v->running ? net_detach(net) : 0;

	if (err)
		vmm_vhost_blame(&net->vhost, -err, "%s does not pause", net->vhost.node);
}

/* Without a tap, vhost-net drops notifications, so they are repeated here. */
static void net_resume(struct vmm_virtio *v)
{
	struct net *net = v->state;
	unsigned int i;
	int err;

	if (!v->running)
		return;
	err = net_attach(net);
	if (err) {
		net_blame_tap(net, err);
		vmm_virtio_fail(v);
		return;
	}
	for (i = 0; i < NET_QUEUES; i++)
		vmm_event_signal(v->queue[i].kick_fd);
}

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
	if (up != net->up) {
		vmm_count(&net->link_changes, 1);
		vmm_net_config(net->vhost.v, net->asked->mac, up, net->mtu);
	}
	net->up = up;
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
	err = vmm_vhost_open(&net->vhost, v, VMM_NET_NODE, "vhost_net");
	if (err)
		return err;
	err = vmm_vhost_offer(&net->vhost, BIT(VIRTIO_NET_F_MRG_RXBUF));
	if (err)
		return err;
	v->offered |= NET_TAP_FEATURES | BIT(VIRTIO_NET_F_MAC) | BIT(VIRTIO_NET_F_STATUS);
	err = net_open_link(net);
	if (err)
		return err;
	if (net->mtu)
		v->offered |= BIT(VIRTIO_NET_F_MTU);
	vmm_net_config(v, net->asked->mac, net->up, net->mtu);
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
	.stats = net_stats,
};
