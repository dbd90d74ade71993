// SPDX-License-Identifier: GPL-2.0-only
/*
 * The socket of a program that serves the goldfish address space: packets to it, its requests, and
 * how long a vCPU waits for it. The test is the main thread, and its loop also runs the program; a
 * vCPU is a thread.
 */
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "host/address_socket.h"
#include "host/address_wire.h"
#include "host/log.h"
#include "host/unix.h"
#include "machine/machine.h"
#include "tests/tap.h"

#define AREA	(1 * GIB)
#define WAIT_MS	100	/* limit of a vCPU's wait */
#define SLOW_MS	(WAIT_MS + 2000)	/* the same on an emulated, busy host */
#define OFTEN	40	/* pings, which would take longer if each waited */

/* Requests to the area. */
static struct {
	struct vmm_address_map map;
	u64 unmapped;
	u64 inode;
	unsigned int calls;
	int err;
} area;

static int area_map(void *arg, const struct vmm_address_map *map)
{
	struct stat st;

	tap_check(arg == &area);
	area.map = *map;
	area.inode = fstat(map->fd, &st) ? 0 : st.st_ino;
	area.calls++;
	return area.err;
}

static int area_unmap(void *arg, u64 offset)
{
	tap_check(arg == &area);
	area.unmapped = offset;
	area.calls++;
	return area.err;
}

/* How the program behaves. */
enum behaviour { ANSWERS, ANSWERS_WRONGLY, MAPS_AND_ANSWERS, IS_SILENT, ENDS, READS_NOTHING };

static struct vmm_loop *loop;
static struct vmm_address_socket *serving;
static char path[64];

static struct {
	int sock;
	enum behaviour behaviour;
	struct vmm_address_packet seen[8192];
	unsigned int count;
} program;

static struct {
	pthread_t thread;
	void (*fn)(void);
	int done_fd;
	bool answered;
	u8 page[40];
	u64 ms;
} vcpu;

static u64 now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000ULL + now.tv_nsec / 1000000;
}

static void program_says(const struct vmm_address_packet *packet)
{
	tap_equal(send(program.sock, packet, sizeof(*packet), MSG_NOSIGNAL | MSG_DONTWAIT),
		  sizeof(*packet));
}

static void program_maps(u64 number, int fd)
{
	const struct vmm_address_packet packet = {
		.word = htole32(VMM_ADDRESS_MAP), .number = htole64(number),
		.offset = htole64(0x10000), .size = htole64(0x2000),
		.file_offset = htole64(0x4000),
	};

	tap_equal(vmm_unix_send_files(program.sock, &packet, sizeof(packet), &fd, fd >= 0, 0), 0);
}

static void program_answers(u64 number)
{
	struct vmm_address_packet packet = {
		.word = htole32(VMM_ADDRESS_ANSWER), .number = htole64(number),
	};

	memset(packet.page, 'a', sizeof(packet.page));
	program_says(&packet);
}

static void program_ends(void)
{
	if (program.sock < 0)
		return;
	if (program.behaviour != READS_NOTHING)
		vmm_loop_del(loop, program.sock);
	close(program.sock);
	program.sock = -1;
}

static void program_behaves(u64 number)
{
	int fd;

	switch (program.behaviour) {
	case ANSWERS_WRONGLY:
		program_answers(number - 1);
		program_answers(number + 1);
		program_answers(0);
		break;
	case MAPS_AND_ANSWERS:
		fd = memfd_create("test", MFD_CLOEXEC);
		program_maps(number, fd);
		close(fd);
		program_answers(number);
		break;
	case ANSWERS:
		program_answers(number);
		break;
	case ENDS:
		program_ends();
		break;
	default:
		break;
	}
}

/* Reads a packet; returns true if there may be more. */
static bool program_read(void)
{
	struct vmm_address_packet packet;
	ssize_t n = recv(program.sock, &packet, sizeof(packet), MSG_DONTWAIT);

	if (n < 0 && errno == EAGAIN)
		return false;
	if (n <= 0) {
		program_ends();
		return false;
	}
	tap_equal(n, sizeof(packet));
	if (program.count < ARRAY_SIZE(program.seen))
		program.seen[program.count++] = packet;
	if (le32toh(packet.word) == VMM_ADDRESS_PING_OF)
		program_behaves(le64toh(packet.number));
	return program.sock >= 0;
}

static int program_reads(void *arg)
{
	(void)arg;
	while (program_read())
		;
	return 0;
}

static int tick(void *arg)
{
	int fd = *(int *)arg;

	vmm_event_clear(fd);
	return 1;
}

/* Runs the main thread until it is idle for a while. */
static void main_thread(void)
{
	static int fd = -1;
	unsigned int i;

	if (fd < 0)
		fd = vmm_event_create();
	for (i = 0; i < 20; i++) {
		vmm_event_signal(fd);
		tap_check(!vmm_loop_add(loop, fd, tick, &fd));
		tap_equal(vmm_loop_run(loop), 1);
		vmm_loop_del(loop, fd);
		usleep(500);
	}
}

static void program_comes(enum behaviour behaviour)
{
	program.behaviour = behaviour;
	program.count = 0;
	program.sock = vmm_unix_dial_packets(path);
	tap_check(program.sock >= 0);
	if (behaviour != READS_NOTHING)
		tap_check(!vmm_loop_add(loop, program.sock, program_reads, NULL));
	main_thread();
}

static void *vcpu_thread(void *arg)
{
	u64 begin = now_ms();

	(void)arg;
	vcpu.fn();
	vcpu.ms = now_ms() - begin;
	vmm_event_signal(vcpu.done_fd);
	return NULL;
}

/* Runs @fn as a vCPU, and the main thread's loop meanwhile. */
static void with_vcpu(void (*fn)(void))
{
	vcpu.fn = fn;
	tap_check(!vmm_loop_add(loop, vcpu.done_fd, tick, &vcpu.done_fd));
	tap_check(!pthread_create(&vcpu.thread, NULL, vcpu_thread, NULL));
	tap_equal(vmm_loop_run(loop), 1);
	pthread_join(vcpu.thread, NULL);
	vmm_loop_del(loop, vcpu.done_fd);
	main_thread();
}

static void vcpu_pings(void)
{
	memset(vcpu.page, 'q', sizeof(vcpu.page));
	vcpu.answered = vmm_address_socket_ping(serving, 7, 0x800000000ULL, vcpu.page);
}

static void socket_new(void)
{
	const struct vmm_address_area here = {
		.map = area_map, .unmap = area_unmap, .arg = &area, .size = AREA, .handles = 4096,
	};

	memset(&area, 0, sizeof(area));
	program.sock = -1;
	snprintf(path, sizeof(path), "/tmp/vmmctl-address-%d", getpid());
	loop = vmm_loop_create();
	vcpu.done_fd = vmm_event_create();
	tap_equal(vmm_address_socket_open(path, loop, &here, &serving), 0);
}

static void socket_end(void)
{
	program_ends();
	vmm_address_socket_close(serving);
	tap_check(access(path, F_OK));
	close(vcpu.done_fd);
	vmm_loop_destroy(loop);
}

/* Checks the packets that the program got, without the first @from. */
static bool was_told(unsigned int from, const enum vmm_address_word *words, unsigned int count)
{
	unsigned int i;

	if (program.count != from + count)
		return false;
	for (i = 0; i < count; i++) {
		if (le32toh(program.seen[from + i].word) != words[i])
			return false;
	}
	return true;
}

#define TOLD(from, ...) \
	was_told(from, (const enum vmm_address_word[]){ __VA_ARGS__ }, \
		 sizeof((enum vmm_address_word[]){ __VA_ARGS__ }) / sizeof(enum vmm_address_word))

static void a_ping_is_answered(void)
{
	unsigned int i;

	socket_new();
	program_comes(ANSWERS);
	tap_check(TOLD(0, VMM_ADDRESS_HELLO));
	tap_equal(le64toh(program.seen[0].number), VMM_ADDRESS_VERSION);
	tap_equal(le64toh(program.seen[0].size), AREA);
	tap_equal(le64toh(program.seen[0].offset), sysconf(_SC_PAGESIZE));
	with_vcpu(vcpu_pings);
	tap_check(vcpu.answered);
	for (i = 0; i < sizeof(vcpu.page); i++)
		tap_equal(vcpu.page[i], 'a');
	/* A handle is reported once, before its first ping. */
	with_vcpu(vcpu_pings);
	tap_check(vcpu.answered);
	tap_check(TOLD(1, VMM_ADDRESS_OPENED, VMM_ADDRESS_PING_OF, VMM_ADDRESS_PING_OF));
	tap_equal(le32toh(program.seen[1].handle), 7);
	tap_equal(le32toh(program.seen[2].handle), 7);
	tap_equal(program.seen[2].page[39], 'q');
	tap_equal(le64toh(program.seen[2].offset), 0x800000000ULL);
	tap_check(program.seen[2].number != program.seen[3].number);
	tap_equal(vmm_address_socket_unanswered(serving), 0);
	socket_end();
}

static void nobody_is_not_waited_for(void)
{
	socket_new();
	with_vcpu(vcpu_pings);
	tap_check(!vcpu.answered && vcpu.page[0] == 'q');
	vmm_address_socket_closed(serving, 7);
	vmm_address_socket_freed(serving, 0, 4096);
	vmm_address_socket_reset(serving);
	tap_equal(vmm_address_socket_unanswered(serving), 0);
	socket_end();
}

static void vcpu_pings_often(void)
{
	unsigned int i;

	for (i = 0; i < OFTEN; i++)
		vcpu_pings();
}

static void a_silent_program_is_waited_for_once(void)
{
	socket_new();
	program_comes(IS_SILENT);
	with_vcpu(vcpu_pings_often);
	tap_check(!vcpu.answered && vcpu.page[0] == 'q');
	tap_check(vcpu.ms >= WAIT_MS && vcpu.ms < SLOW_MS);
	tap_equal(vmm_address_socket_unanswered(serving), OFTEN);
	/* Each ping was sent nevertheless. After the answer to the last, vCPUs wait again. */
	tap_equal(program.count, 2 + OFTEN);
	program_answers(le64toh(program.seen[program.count - 1].number) - 1);
	main_thread();
	with_vcpu(vcpu_pings_often);
	tap_check(vcpu.ms < SLOW_MS);
	tap_equal(program.count, 2 + 2 * OFTEN);
	program_answers(le64toh(program.seen[program.count - 1].number));
	program.behaviour = ANSWERS;
	main_thread();
	with_vcpu(vcpu_pings);
	tap_check(vcpu.answered && vcpu.page[0] == 'a');
	socket_end();
}

static void only_the_answer_to_this_ping_counts(void)
{
	socket_new();
	program_comes(ANSWERS_WRONGLY);
	with_vcpu(vcpu_pings);
	tap_check(!vcpu.answered && vcpu.page[0] == 'q');
	socket_end();
}

static void a_program_that_ends_is_noticed_at_once(void)
{
	socket_new();
	program_comes(ENDS);
	with_vcpu(vcpu_pings);
	tap_check(!vcpu.answered && vcpu.page[0] == 'q');
	/* Another program may connect, and is told of the handle. */
	program_comes(ANSWERS);
	with_vcpu(vcpu_pings);
	tap_check(vcpu.answered);
	tap_check(TOLD(0, VMM_ADDRESS_HELLO, VMM_ADDRESS_OPENED, VMM_ADDRESS_PING_OF));
	socket_end();
}

/* Memory is mapped when the ping that requested it is answered. */
static void memory_is_shown_before_the_answer(void)
{
	socket_new();
	program_comes(MAPS_AND_ANSWERS);
	with_vcpu(vcpu_pings);
	tap_check(vcpu.answered);
	tap_equal(area.calls, 1);
	tap_check(area.map.offset == 0x10000 && area.map.size == 0x2000 &&
		  area.map.file_offset == 0x4000 && area.inode);
	tap_check(TOLD(3, VMM_ADDRESS_DONE));
	tap_equal(program.seen[3].number, program.seen[2].number);
	tap_equal(program.seen[3].handle, 0);
	socket_end();
}

static void what_was_asked_for_is_answered(void)
{
	const struct vmm_address_packet unmap = {
		.word = htole32(VMM_ADDRESS_UNMAP), .number = htole64(99),
		.offset = htole64(0x3000),
	};

	socket_new();
	program_comes(ANSWERS);
	area.err = -ENOSPC;
	program_maps(5, STDERR_FILENO);
	main_thread();
	tap_check(TOLD(1, VMM_ADDRESS_DONE));
	tap_equal(le64toh(program.seen[1].number), 5);
	tap_equal(le32toh(program.seen[1].handle), ENOSPC);
	program_maps(6, -1);
	main_thread();
	tap_equal(le32toh(program.seen[2].handle), EBADF);
	tap_equal(area.calls, 1);
	area.err = 0;
	program_says(&unmap);
	main_thread();
	tap_equal(area.unmapped, 0x3000);
	tap_equal(le64toh(program.seen[3].number), 99);
	tap_equal(program.seen[3].handle, 0);
	socket_end();
}

static void vcpu_closes_and_frees(void)
{
	vcpu_pings();
	vmm_address_socket_closed(serving, 8);
	vmm_address_socket_closed(serving, 7);
	vmm_address_socket_closed(serving, 7);
	vmm_address_socket_freed(serving, 0x7000, 0x9000);
	vcpu_pings();
}

static void ends_are_told(void)
{
	socket_new();
	program_comes(ANSWERS);
	with_vcpu(vcpu_closes_and_frees);
	tap_check(TOLD(1, VMM_ADDRESS_OPENED, VMM_ADDRESS_PING_OF, VMM_ADDRESS_CLOSED,
		       VMM_ADDRESS_FREED, VMM_ADDRESS_OPENED, VMM_ADDRESS_PING_OF));
	tap_equal(le32toh(program.seen[3].handle), 7);
	tap_check(le64toh(program.seen[4].offset) == 0x7000 &&
		  le64toh(program.seen[4].size) == 0x9000);
	vmm_address_socket_reset(serving);
	main_thread();
	tap_check(TOLD(7, VMM_ADDRESS_ANEW));
	with_vcpu(vcpu_pings);
	tap_check(TOLD(8, VMM_ADDRESS_OPENED, VMM_ADDRESS_PING_OF));
	socket_end();
}

static void vcpu_fills_the_socket(void)
{
	unsigned int i;

	for (i = 0; i < 5000; i++)
		vmm_address_socket_freed(serving, i, 1);
}

/* A program that reads nothing delays the guest once, and is then disconnected. */
static void a_program_that_does_not_read_is_disconnected(void)
{
	char text[256];
	char byte;

	socket_new();
	program_comes(READS_NOTHING);
	tap_listen();
	with_vcpu(vcpu_fills_the_socket);
	tap_heard(text, sizeof(text));
	tap_check(strstr(text, "the program reads nothing: it is disconnected"));
	tap_check(vcpu.ms >= WAIT_MS && vcpu.ms < SLOW_MS);
	while (recv(program.sock, &byte, 1, MSG_DONTWAIT) > 0)
		;
	tap_equal(recv(program.sock, &byte, 1, MSG_DONTWAIT), 0);
	program_ends();
	program_comes(ANSWERS);
	with_vcpu(vcpu_pings);
	tap_check(vcpu.answered);
	socket_end();
}

static void there_is_one_program_at_a_time(void)
{
	char text[256];
	char byte;
	int other;

	socket_new();
	program_comes(ANSWERS);
	tap_listen();
	other = vmm_unix_dial_packets(path);
	main_thread();
	tap_equal(recv(other, &byte, 1, MSG_DONTWAIT), 0);
	close(other);
	other = vmm_unix_dial_packets(path);
	main_thread();
	close(other);
	tap_heard(text, sizeof(text));
	tap_check(strstr(text, "a program serves already"));
	tap_check(!strstr(strstr(text, "a program serves") + 1, "a program serves"));
	with_vcpu(vcpu_pings);
	tap_check(vcpu.answered);
	socket_end();
}

/* Invalid packets; each causes a disconnection. */
static void what_is_no_packet_ends_the_connection(void)
{
	static u8 bytes[4 * sizeof(struct vmm_address_packet)];
	static const size_t lengths[] = { 1, 79, 81, sizeof(bytes), 80, 80, 80 };
	char text[2048];
	unsigned int i;

	socket_new();
	tap_listen();
	for (i = 0; i < ARRAY_SIZE(lengths); i++) {
		memset(bytes, 0, sizeof(bytes));
		/* Right length, but unknown types, and types that only vmmctl sends. */
		bytes[0] = i == 5 ? VMM_ADDRESS_PING_OF : i == 6 ? VMM_ADDRESS_UNMAP + 1 : 0;
		program_comes(ANSWERS);
		tap_context("length %zu, word %u", lengths[i], bytes[0]);
		tap_equal(send(program.sock, bytes, lengths[i], MSG_NOSIGNAL), lengths[i]);
		main_thread();
		tap_equal(program.sock, -1);
	}
	tap_heard(text, sizeof(text));
	tap_check(strstr(text, "sends a malformed packet"));
	tap_check(strstr(text, "sends an unknown packet"));
	tap_equal(area.calls, 0);
	socket_end();
}

static unsigned int open_files(void)
{
	unsigned int count = 0;
	int fd;

	for (fd = 0; fd < 256; fd++)
		count += fcntl(fd, F_GETFD) >= 0;
	return count;
}

static void files_that_nobody_asked_for_are_closed(void)
{
	int fds[8] = { 2, 2, 2, 2, 2, 2, 2, 2 };
	struct vmm_address_packet packet = { .word = htole32(VMM_ADDRESS_ANSWER) };
	unsigned int before;

	socket_new();
	program_comes(ANSWERS);
	before = open_files();
	tap_equal(vmm_unix_send_files(program.sock, &packet, sizeof(packet), fds, 1, 0), 0);
	tap_equal(vmm_unix_send_files(program.sock, &packet, sizeof(packet), fds, 8, 0), 0);
	packet.word = htole32(VMM_ADDRESS_MAP);
	tap_equal(vmm_unix_send_files(program.sock, &packet, sizeof(packet), fds, 3, 0), 0);
	main_thread();
	tap_equal(area.calls, 1);
	tap_equal(open_files(), before);
	socket_end();
}

static u32 random_next(u32 *state)
{
	*state = *state * 1664525 + 1013904223;
	return *state >> 8;
}

/* Valid types with random fields, with files and without. */
static void any_packets_are_survived(void)
{
	static const u32 words[] = {
		VMM_ADDRESS_ANSWER, VMM_ADDRESS_MAP, VMM_ADDRESS_MAP, VMM_ADDRESS_UNMAP,
	};
	struct vmm_address_packet packet;
	unsigned int before, i, j;
	u32 seed = 1;
	int fd = STDERR_FILENO;

	socket_new();
	program_comes(ANSWERS);
	before = open_files();
	for (i = 0; i < 3000; i++) {
		for (j = 0; j < sizeof(packet); j++)
			((u8 *)&packet)[j] = random_next(&seed) % 3 ? random_next(&seed) : 0;
		packet.word = htole32(words[random_next(&seed) % ARRAY_SIZE(words)]);
		area.err = random_next(&seed) & 1 ? -EINVAL : 0;
		tap_equal(vmm_unix_send_files(program.sock, &packet, sizeof(packet), &fd,
					      random_next(&seed) & 1, 0), 0);
		if (i % 100 == 99)
			main_thread();
	}
	tap_equal(open_files(), before);
	tap_check(program.sock >= 0);
	with_vcpu(vcpu_pings);
	tap_check(vcpu.answered);
	socket_end();
}

static const struct tap_case cases[] = {
	{ "a ping is answered", a_ping_is_answered },
	{ "nobody is not waited for", nobody_is_not_waited_for },
	{ "a silent program is waited for once", a_silent_program_is_waited_for_once },
	{ "only the answer to this ping counts", only_the_answer_to_this_ping_counts },
	{ "a program that ends is noticed at once", a_program_that_ends_is_noticed_at_once },
	{ "memory is shown before the answer", memory_is_shown_before_the_answer },
	{ "what was asked for is answered", what_was_asked_for_is_answered },
	{ "ends are told", ends_are_told },
	{ "a program that does not read is disconnected",
	  a_program_that_does_not_read_is_disconnected },
	{ "there is one program at a time", there_is_one_program_at_a_time },
	{ "what is no packet ends the connection", what_is_no_packet_ends_the_connection },
	{ "any packets are survived", any_packets_are_survived },
	{ "files that nobody asked for are closed", files_that_nobody_asked_for_are_closed },
};

int main(void)
{
	return tap_run(cases, ARRAY_SIZE(cases));
}
