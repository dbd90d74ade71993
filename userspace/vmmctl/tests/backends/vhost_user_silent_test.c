// SPDX-License-Identifier: GPL-2.0-only
/*
 * vhost-user servers that stop, or answer slowly. Only a driver that takes its rings back waits for
 * them. The main loop has another handler, a tick ten times a second, which must never stop.
 */
#include <poll.h>
#include <pthread.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>
#include <linux/virtio_config.h>
#include <linux/virtio_mmio.h>

#include "backends/vhost_user.h"
#include "tests/backends/vhost_user_lib.h"
#include "tests/tap.h"

static double seconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec + now.tv_nsec / 1e9;
}

/* Returns whether there is a connection that the hanging server has not accepted. */
static bool somebody_connects(void)
{
	struct pollfd fd = { .fd = server.listener, .events = POLLIN };

	return poll(&fd, 1, 0) > 0;
}

/*
 * Returns whether vmmctl has given the connection up, which shuts down its sending side. An answer
 * before that is in time.
 */
static bool connection_given_up(void)
{
	struct pollfd fd = { .fd = server.sock, .events = POLLRDHUP };

	return tap_equal(poll(&fd, 1, 20000), 1) && tap_check(fd.revents & POLLRDHUP);
}

/* Checks that the main loop serves other files. */
static bool loop_goes_on(void)
{
	return eventually(&m.ticks, __atomic_load_n(&m.ticks, __ATOMIC_SEQ_CST) + 5);
}

/*
 * The process stops at one of the requests of a driver's start. The write that starts the device
 * returns, and the loop runs; then the process is continued.
 */
static void stopped_at(u32 request, u32 *while_set, unsigned int sessions)
{
	double began;

	tap_context("request %u", request);
	if (tap_check(!machine_start())) {
		*while_set = request;
		began = seconds();
		driver_start(ALL);
		driver_request();
		tap_check(seconds() - began < 5);
		if (eventually(&server.stuck, 1) && loop_goes_on()) {
			tap_equal(server.sessions, sessions);
			tap_check(!needs_reset());
		}
		__atomic_store_n(while_set, 0, __ATOMIC_RELEASE);
		while (m.under_way && driver_reap())
			usleep(1000);
		driver_works(200);
		tap_check(!needs_reset());
		machine_stop(true);
	}
}

static void server_stops_while_the_driver_starts(void)
{
	static const u32 requests[] = {
		VU_SET_FEATURES, VU_SET_MEM_TABLE, VU_SET_VRING_KICK, VU_SET_VRING_ENABLE,
	};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(requests); i++) {
		server_start(0, ACK | BIT(VU_P_CONFIG));
		stopped_at(requests[i], &server.silent, 1);
		server_stop();
	}
}

static void server_stops_in_an_answer(void)
{
	server_start(0, ACK | BIT(VU_P_CONFIG));
	stopped_at(VU_SET_MEM_TABLE, &server.half, 1);
	server_stop();
	server_start(0, BIT(VU_P_CONFIG) | BIT(VU_P_INFLIGHT_SHMFD));
	stopped_at(VU_GET_INFLIGHT_FD, &server.silent, 1);
	server_stop();
}

static void server_answers_slowly(void)
{
	double began;

	server_start(0, ACK | BIT(VU_P_CONFIG));
	server.slow = VU_GET_FEATURES;
	if (tap_check(!machine_start())) {
		server.slow = VU_SET_VRING_NUM;
		server.stuck = 0;
		began = seconds();
		driver_start(ALL);
		tap_check(seconds() - began < 2);
		if (eventually(&server.stuck, 1))
			loop_goes_on();
		driver_works(100);
		server.slow = VU_GET_VRING_BASE;
		began = seconds();
		wr(VIRTIO_MMIO_STATUS, 0);
		/* The wait of the driver is over. */
		tap_check(seconds() - began >= 2.5);
		tap_equal(rd(VIRTIO_MMIO_STATUS), 0);
		server.slow = 0;
		driver_start(ALL);
		driver_works(100);
		machine_stop(true);
	}
	server_stop();
}

/* The process was restarted, and accepts the connection, but does not answer at first. */
static void server_is_silent_when_connected_again(void)
{
	server_start(0, ACK | BIT(VU_P_CONFIG));
	if (tap_check(!machine_start())) {
		driver_start(ALL);
		driver_works(100);
		server_stop();
		server_start(0, ACK | BIT(VU_P_CONFIG));
		server.base = (uintptr_t)&m.vm.mem;
		server.silent = VU_GET_FEATURES;
		driver_request();
		if (eventually(&server.stuck, 1))
			loop_goes_on();
		/* The connection is given up, and made again. */
		tap_check(!needs_reset());
		__atomic_store_n(&server.silent, 0, __ATOMIC_RELEASE);
		while (m.under_way && driver_reap())
			usleep(1000);
		driver_works(100);
		machine_stop(true);
	}
	server_stop();
}

/* An incomplete request of the process delays nothing. */
static void half_a_request_of_the_server(void)
{
	server_start(0, ACK | BIT(VU_P_CONFIG) | BIT(VU_P_BACKEND_REQ));
	if (tap_check(!machine_start())) {
		driver_start(ALL);
		driver_works(1);
		tap_equal(send(server.request_fd, "half", 4, MSG_NOSIGNAL), 4);
		loop_goes_on();
		driver_works(100);
		machine_stop(true);
	}
	server_stop();
}

static void *write_status_0(void *arg)
{
	wr(VIRTIO_MMIO_STATUS, 0);
	__atomic_store_n((bool *)arg, true, __ATOMIC_RELEASE);
	return NULL;
}

/*
 * A driver that stops the device waits for the process, for a limited time. Then the device is
 * broken, and it works again once the process has hung up.
 */
static void server_keeps_the_rings(void)
{
	bool returned = false;
	pthread_t vcpu;

	server_start(0, ACK | BIT(VU_P_CONFIG));
	if (tap_check(!machine_start())) {
		driver_start(ALL);
		driver_works(100);
		server.silent = VU_GET_VRING_BASE;
		pthread_create(&vcpu, NULL, write_status_0, &returned);
		if (eventually(&server.stuck, 1))
			loop_goes_on();
		tap_check(!__atomic_load_n(&returned, __ATOMIC_ACQUIRE));
		pthread_join(vcpu, NULL);
		tap_equal(rd(VIRTIO_MMIO_STATUS), VIRTIO_CONFIG_S_NEEDS_RESET);
		driver_start(ALL);
		tap_check(needs_reset());
		connection_given_up();
		tap_equal(server.sessions, 1);
		tap_check(!somebody_connects());
		/* The process sees the end of the connection, and hangs up. */
		__atomic_store_n(&server.silent, 0, __ATOMIC_RELEASE);
		if (eventually(&server.sessions, 2)) {
			driver_start(ALL);
			driver_works(100);
			tap_check(!needs_reset());
		}
		machine_stop(true);
	}
	server_stop();
}

/* The end of the VM ends the wait of a vCPU. */
static void vm_ends_while_the_server_keeps_the_rings(void)
{
	bool returned = false;
	pthread_t vcpu;
	double began;

	server_start(0, ACK | BIT(VU_P_CONFIG));
	if (tap_check(!machine_start())) {
		m.vm.end_fd = vmm_event_create();
		driver_start(ALL);
		driver_works(100);
		server.silent = VU_GET_VRING_BASE;
		pthread_create(&vcpu, NULL, write_status_0, &returned);
		eventually(&server.stuck, 1);
		began = seconds();
		vmm_vm_end(&m.vm, VMM_END_SIGNAL);
		pthread_join(vcpu, NULL);
		close(m.vm.end_fd);
		machine_stop(true);
		tap_check(seconds() - began < 5);
	}
	server_stop();
}

/* A process that was given up with rings is not replaced until it hangs up. */
static void one_server_at_a_time(void)
{
	server_start(0, ACK | BIT(VU_P_CONFIG));
	if (tap_check(!machine_start())) {
		server.silent = VU_SET_VRING_ENABLE;
		driver_start(ALL);
		driver_request();
		eventually(&server.stuck, 1);
		connection_given_up();
		/* Longer than a reconnect takes. */
		sleep(1);
		tap_equal(server.sessions, 1);
		tap_check(!somebody_connects());
		tap_check(!needs_reset());
		__atomic_store_n(&server.silent, 0, __ATOMIC_RELEASE);
		eventually(&server.sessions, 2);
		while (m.under_way && driver_reap())
			usleep(1000);
		driver_works(100);
		machine_stop(true);
	}
	server_stop();
}

/* Requests the end of the VM half a second after the first tick. */
static int asker_fd;

static int ask_for_the_end(void *arg)
{
	u64 times;

	(void)arg;
	if (read(asker_fd, &times, sizeof(times)) != sizeof(times))
		return 0;
	m.vm.end_fd = vmm_event_create();
	vmm_vm_end(&m.vm, VMM_END_ASKED);
	return 0;
}

static void asker_start(vmm_loop_fn fn)
{
	static const struct itimerspec soon = { .it_value.tv_nsec = 500000000 };

	asker_fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC);
	timerfd_settime(asker_fd, 0, &soon, NULL);
	vmm_loop_add(machine_outer, asker_fd, fn, NULL);
}

/* The main loop runs during the start as well, and a request to end the VM is handled. */
static void server_is_silent_at_the_start(void)
{
	double began = seconds();

	machine_outer = vmm_loop_create();
	server_start(0, ACK | BIT(VU_P_CONFIG));
	server.silent = VU_GET_FEATURES;
	asker_start(ask_for_the_end);
	tap_check(machine_start());
	tap_check(seconds() - began < 3);
	tap_check(__atomic_load_n(&m.ticks, __ATOMIC_SEQ_CST) >= 3);
	tap_equal(vmm_vm_ended(&m.vm), VMM_END_ASKED);
	close(m.vm.end_fd);
	machine_stop(false);
	vmm_loop_del(machine_outer, asker_fd);
	close(asker_fd);
	vmm_loop_destroy(machine_outer);
	machine_outer = NULL;
	__atomic_store_n(&server.silent, 0, __ATOMIC_RELEASE);
	server_stop();
}

static unsigned int devices_served;
static unsigned int devices_early;
static pthread_t starter;

static int serve_device(void *arg)
{
	(void)arg;
	vmm_loop_del(m.vm.loop, asker_fd);
	devices_early += pthread_equal(pthread_self(), starter);
	__atomic_fetch_add(&devices_served, 1, __ATOMIC_SEQ_CST);
	return 0;
}

/* Handles an event of a device's file. */
static int device_is_ready(void *arg)
{
	(void)arg;
	vmm_loop_del(machine_outer, asker_fd);
	vmm_loop_add(m.vm.loop, asker_fd, serve_device, NULL);
	return 0;
}

/* Devices are not served until all of them are there. */
static void server_is_slow_at_the_start(void)
{
	machine_outer = vmm_loop_create();
	asker_start(device_is_ready);
	server_start(0, ACK | BIT(VU_P_CONFIG));
	server.slow = VU_GET_FEATURES;
	starter = pthread_self();
	if (tap_check(!machine_start())) {
		tap_check(__atomic_load_n(&m.ticks, __ATOMIC_SEQ_CST) >= 10);
		eventually(&devices_served, 1);
		tap_equal(devices_early, 0);
		server.slow = 0;
		driver_start(ALL);
		driver_works(100);
		machine_stop(true);
	}
	close(asker_fd);
	vmm_loop_destroy(machine_outer);
	machine_outer = NULL;
	server_stop();
}

static const struct tap_case cases[] = {
	{ "a server that is silent at the start", server_is_silent_at_the_start },
	{ "a server that is slow at the start", server_is_slow_at_the_start },
	{ "a server that stops while the driver starts", server_stops_while_the_driver_starts },
	{ "a server that stops in an answer", server_stops_in_an_answer },
	{ "a server that answers after three seconds", server_answers_slowly },
	{ "a server that is silent when connected again", server_is_silent_when_connected_again },
	{ "half a request of the server's own", half_a_request_of_the_server },
	{ "a server that keeps the rings", server_keeps_the_rings },
	{ "the VM ends while a server keeps the rings", vm_ends_while_the_server_keeps_the_rings },
	{ "one server has the rings at a time", one_server_at_a_time },
};

int main(void)
{
	return tap_run(cases, ARRAY_SIZE(cases));
}
