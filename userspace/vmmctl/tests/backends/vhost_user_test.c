// SPDX-License-Identifier: GPL-2.0-only
/*
 * The vhost-user front end with a driver and a server of the test.
 * The server answers in any order and dies in the middle of its work; the driver
 * must get each of its requests answered, once.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <linux/virtio_config.h>
#include <linux/virtio_ids.h>
#include <linux/virtio_mmio.h>
#include <linux/virtio_ring.h>

#include "backends/vhost_user.h"
#include "tests/backends/vhost_user_lib.h"
#include "tests/tap.h"

static void disk_is_served(void)
{
	server_start(BIT(9), ACK | BIT(VU_P_CONFIG) | BIT(VU_P_MQ) | BIT(VU_P_RESET_DEVICE));
	if (tap_check(!machine_start())) {
		tap_equal(rd(VIRTIO_MMIO_DEVICE_ID), VIRTIO_ID_BLOCK);
		tap_equal(rd(VIRTIO_MMIO_CONFIG), CAPACITY);
		driver_start(ALL);
		driver_works(3000);
		tap_equal(server.driver_features, BIT(9) | BIT(VIRTIO_F_VERSION_1) |
			  BIT(VU_F_PROTOCOL_FEATURES));
		wr(VIRTIO_MMIO_STATUS, 0);
		tap_equal(server.resets, 1);
		driver_start(ALL);
		driver_works(100);
		machine_stop(true);
	}
	server_stop();
}

static u64 counter(const char *name)
{
	struct vmm_report report;
	unsigned int i;

	vmm_virtio_report(&m.v, &report);
	for (i = 0; i < report.count; i++) {
		if (!strcmp(report.names[i], name))
			return report.values[i];
	}
	return ~0ULL;
}

static void deaths(u64 features, u64 protocol)
{
	server_start(features, protocol | BIT(VU_P_CONFIG));
	server.mortal = true;
	server.limit = 20;
	if (tap_check(!machine_start())) {
		driver_start(ALL);
		driver_works(4000);
		tap_equal(server.deaths, 20);
		tap_equal(counter("connections"), 21);
		tap_equal(counter("timeouts"), 0);
		tap_check(!needs_reset());
		machine_stop(true);
	}
	server_stop();
}

static void server_without_a_record_dies(void)
{
	deaths(0, ACK);
	deaths(BIT(VIRTIO_RING_F_EVENT_IDX), 0);
}

static void server_with_a_record_dies(void)
{
	deaths(0, ACK | BIT(VU_P_INFLIGHT_SHMFD));
}

static void driver_comes_while_nobody_serves(void)
{
	server_start(0, ACK | BIT(VU_P_CONFIG));
	if (tap_check(!machine_start())) {
		server_stop();
		driver_start(ALL);
		driver_request();
		tap_check(!needs_reset());
		server_start(0, ACK | BIT(VU_P_CONFIG));
		server.base = (uintptr_t)&m.vm.mem;
		if (eventually(&server.sessions, 1)) {
			while (m.under_way && driver_reap())
				usleep(1000);
			driver_works(500);
		}
		machine_stop(true);
	}
	server_stop();
}

static void configuration_changes(void)
{
	struct vmm_vu_message msg = { .request = VU_BACKEND_CONFIG_CHANGE };
	unsigned int i;

	server_start(0, ACK | BIT(VU_P_CONFIG) | BIT(VU_P_BACKEND_REQ));
	if (tap_check(!machine_start())) {
		driver_start(ALL);
		driver_works(1);
		server.capacity = 2 * CAPACITY;
		vmm_vu_send(server.request_fd, &msg, NULL, 0);
		for (i = 0; i < 5000 && rd(VIRTIO_MMIO_CONFIG) != 2 * CAPACITY; i++)
			usleep(1000);
		tap_equal(rd(VIRTIO_MMIO_CONFIG), 2 * CAPACITY);
		tap_equal(rd(VIRTIO_MMIO_INTERRUPT_STATUS), 3);
		machine_stop(true);
	}
	server_stop();
}

static void server_that_refuses(void)
{
	server_start(0, ACK | BIT(VU_P_CONFIG));
	server.refuse = VU_SET_MEM_TABLE;
	if (tap_check(!machine_start())) {
		driver_start(ALL);
		needs_reset_eventually();
		server.refuse = 0;
		driver_start(ALL);
		driver_works(100);
		machine_stop(true);
	}
	server_stop();
	/* A server that lacks required features. */
	server_start(0, ACK);
	machine_stop(!tap_check(machine_start() == -EOPNOTSUPP));
	server.mute = VU_GET_FEATURES;
	machine_stop(!tap_check(machine_start() < 0));
	server_stop();
	machine_stop(!tap_check(machine_start() == -ENOENT));
}

/* After an invalid ring there is one message, and the device asks for a reset. */
static void driver_that_lies(void)
{
	server_start(0, ACK | BIT(VU_P_CONFIG));
	if (tap_check(!machine_start())) {
		driver_start(ALL);
		((struct vring_avail *)ram(AVAIL))->ring[0] = NUM;
		((struct vring_avail *)ram(AVAIL))->idx = 1;
		wr(VIRTIO_MMIO_QUEUE_NOTIFY, 0);
		needs_reset_eventually();
		tap_equal(counter("failures"), 1);
		driver_start(ALL);
		driver_works(100);
		tap_equal(counter("starts"), 2);
		machine_stop(true);
	}
	server_stop();
}

/* After invalid ring addresses the device asks for a reset, and works after it. */
static void driver_with_bad_addresses(void)
{
	static const struct { u64 desc, avail, used; } bad[] = {
		{ 8, AVAIL, USED }, { 1, AVAIL, USED }, { 0, AVAIL + 0xd, USED },
		{ 0, AVAIL + 1, USED }, { 0, AVAIL, USED + 2 }, { 0, AVAIL, USED + 1 },
		{ MEMORY, AVAIL, USED }, { 0, MEMORY - 2, USED }, { 0, AVAIL, MEMORY - 4 },
		{ MEMORY - 16, AVAIL, USED },
	};
	unsigned int i;

	server_start(0, ACK | BIT(VU_P_CONFIG));
	if (tap_check(!machine_start())) {
		for (i = 0; i < ARRAY_SIZE(bad); i++) {
			tap_context("row %u", i);
			driver_start_at(ALL, bad[i].desc, bad[i].avail, bad[i].used);
			/* An available entry; it would be answered if the ring were served. */
			wr(VIRTIO_MMIO_QUEUE_NOTIFY, 0);
			tap_check(needs_reset());
		}
		driver_start(ALL);
		driver_works(100);
		/* They are refused without a server, too. */
		server_stop();
		for (i = 0; i < ARRAY_SIZE(bad); i++) {
			tap_context("row %u, while nobody serves", i);
			driver_start_at(ALL, bad[i].desc, bad[i].avail, bad[i].used);
			tap_check(needs_reset());
		}
		server_start(0, ACK | BIT(VU_P_CONFIG));
		server.base = (uintptr_t)&m.vm.mem;
		driver_start(ALL);
		driver_works(100);
		machine_stop(true);
	}
	server_stop();
}

/*
 * Features that the driver writes when the device runs do not count, not even for a new
 * process, which is given the rings as they were checked.
 */
static void late_features(bool legacy)
{
	machine_legacy = legacy;
	server_start(BIT(VIRTIO_RING_F_EVENT_IDX) | BIT(VIRTIO_F_RING_PACKED),
		     ACK | BIT(VU_P_CONFIG));
	if (tap_check(!machine_start())) {
		if (legacy)
			driver_start_legacy();
		else
			driver_start_at(BIT(VIRTIO_F_VERSION_1), 0, AVAIL,
					MEMORY - 4 - sizeof(struct vring_used_elem) * NUM);
		driver_works(100);
		wr(VIRTIO_MMIO_DRIVER_FEATURES_SEL, 0);
		wr(VIRTIO_MMIO_DRIVER_FEATURES, BIT(VIRTIO_RING_F_EVENT_IDX));
		wr(VIRTIO_MMIO_DRIVER_FEATURES_SEL, 1);
		wr(VIRTIO_MMIO_DRIVER_FEATURES, BIT(VIRTIO_F_RING_PACKED) >> 32);
		server_stop();
		driver_request();
		server_start(BIT(VIRTIO_RING_F_EVENT_IDX) | BIT(VIRTIO_F_RING_PACKED),
			     ACK | BIT(VU_P_CONFIG));
		server.base = (uintptr_t)&m.vm.mem;
		while (m.under_way && driver_reap() && !needs_reset())
			usleep(1000);
		driver_works(100);
		tap_check(!needs_reset());
		tap_check(!(server.driver_features & (BIT(VIRTIO_RING_F_EVENT_IDX) |
						      BIT(VIRTIO_F_RING_PACKED))));
		machine_stop(true);
	}
	server_stop();
	machine_legacy = false;
}

static void features_do_not_change_later(void)
{
	late_features(false);
	late_features(true);
}

static char said[4096];
static size_t said_len;

static void hear(void *arg, const char *line, size_t len)
{
	(void)arg;
	if (said_len + len >= sizeof(said))
		return;
	memcpy(said + said_len, line, len);
	said_len += len;
	said[said_len] = '\0';
}

static void expect_said(const char *text)
{
	tap_context("\"%s\"", text);
	if (!tap_check(strstr(said, text)))
		printf("# said: %s", said);
	said_len = 0;
	said[0] = '\0';
}

/* Each message ends with the reason. */
static void messages_name_the_reason(void)
{
	vmm_log_also(hear, NULL);
	snprintf(server_path, sizeof(server_path), "/dev/null/socket");
	machine_stop(!tap_check(machine_start() == -ENOTDIR));
	expect_said("cannot connect to /dev/null/socket: Not a directory\n");
	server_start(0, ACK | BIT(VU_P_CONFIG));
	server.mute = VU_GET_FEATURES;
	machine_stop(!tap_check(machine_start() < 0));
	expect_said("does not speak vhost-user: Broken pipe\n");
	server.mute = 0;
	if (tap_check(!machine_start())) {
		driver_start_at(ALL, MEMORY, AVAIL, USED);
		expect_said("refuses queue 0 as the guest set it up: Bad address\n");
		machine_stop(true);
	}
	server.refuse = VU_SET_FEATURES;
	if (tap_check(!machine_start())) {
		driver_start(ALL);
		needs_reset_eventually();
		expect_said("refuses the guest's queues: Input/output error\n");
		machine_stop(true);
	}
	server_stop();
	machine_stop(!tap_check(machine_start() == -ENOENT));
	expect_said(": No such file or directory\n");
	vmm_log_also(NULL, NULL);
}

static const struct tap_case cases[] = {
	{ "a disk is served, and again after a reset", disk_is_served },
	{ "a server without a record dies, and nothing is lost", server_without_a_record_dies },
	{ "a server with a record dies, and nothing is lost", server_with_a_record_dies },
	{ "a driver may come while nobody serves", driver_comes_while_nobody_serves },
	{ "a changed configuration is told", configuration_changes },
	{ "a server that refuses is heard", server_that_refuses },
	{ "a driver that lies breaks its own device", driver_that_lies },
	{ "a driver with bad addresses breaks its own device", driver_with_bad_addresses },
	{ "features do not change later, not even for a new server", features_do_not_change_later },
	{ "messages name the reason", messages_name_the_reason },
};

int main(void)
{
	return tap_run(cases, ARRAY_SIZE(cases));
}
