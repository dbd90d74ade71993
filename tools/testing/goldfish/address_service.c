// SPDX-License-Identifier: GPL-2.0-only
/*
 * A program that serves the goldfish address space of a VM, for tests: it connects to the
 * socket of --device address-space, maps memory where the guest's pings request it, and
 * adds up the guest's data in it (address_driver.h). It ends with vmmctl.
 *
 *	address_service SOCKET
 */
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "address_driver.h"
#include "host/address_wire.h"

#define PIECES	17	/* one more than vmmctl allows */

static int sock;

/* Memory that is mapped in the guest. */
static struct {
	__u64 offset;
	__u64 size;
	__u32 *word;
} piece[PIECES];

/* Numbers of messages, for the test. */
static unsigned int opened, closed, freed, anew;

static int fail(const char *what)
{
	fprintf(stderr, "address_service: %s: %s\n", what, strerror(errno));
	return -1;
}

static int say(const struct vmm_address_packet *packet, int fd)
{
	union {
		struct cmsghdr head;
		char bytes[CMSG_SPACE(sizeof(int))];
	} control = { .head = {
		.cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS,
		.cmsg_len = CMSG_LEN(sizeof(int)),
	} };
	struct iovec iov = { (void *)packet, sizeof(*packet) };
	struct msghdr message = { .msg_iov = &iov, .msg_iovlen = 1 };

	if (fd >= 0) {
		memcpy(CMSG_DATA(&control.head), &fd, sizeof(fd));
		message.msg_control = &control;
		message.msg_controllen = sizeof(control);
	}
	return sendmsg(sock, &message, MSG_NOSIGNAL) == sizeof(*packet) ? 0 : fail("send");
}

/* Makes a memfd with the words that the guest checks; it cannot shrink. */
static int make(unsigned int i, __u64 offset, __u64 size)
{
	int fd = memfd_create("address", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	void *word = MAP_FAILED;
	__u64 n;

	if (fd >= 0 && !ftruncate(fd, size) && !fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK))
		word = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (word == MAP_FAILED) {
		fail("memory");
		close(fd);
		return -1;
	}
	piece[i].offset = offset;
	piece[i].size = size;
	piece[i].word = word;
	for (n = 0; n < size / sizeof(__u32); n++)
		piece[i].word[n] = ADDRESS_WORD(n);
	return fd;
}

static void drop(unsigned int i)
{
	munmap(piece[i].word, piece[i].size);
	piece[i].size = 0;
}

/* Drops the mappings in a range of the area. */
static void forget(__u64 offset, __u64 size)
{
	unsigned int i;

	for (i = 0; i < PIECES; i++) {
		if (piece[i].size && piece[i].offset - offset < size)
			drop(i);
	}
}

/* While a ping waits for its answer, vmmctl's next packet answers the request. */
static int done(__u64 number)
{
	struct vmm_address_packet packet;

	if (recv(sock, &packet, sizeof(packet), 0) != sizeof(packet) ||
	    le32toh(packet.word) != VMM_ADDRESS_DONE || le64toh(packet.number) != number)
		return -EIO;
	return -(int)le32toh(packet.handle);
}

static int map(__u64 number, __u64 offset, __u64 size)
{
	struct vmm_address_packet packet = {
		.word = htole32(VMM_ADDRESS_MAP), .number = htole64(number),
		.offset = htole64(offset), .size = htole64(size),
	};
	unsigned int i = 0;
	int err, fd;

	while (i < PIECES && piece[i].size)
		i++;
	fd = i < PIECES ? make(i, offset, size) : -1;
	if (fd < 0)
		return -EIO;
	err = say(&packet, fd) ? -EIO : done(le64toh(packet.number));
	close(fd);
	if (err)
		drop(i);
	return err;
}

static __u64 sum(__u64 offset)
{
	unsigned int i = 0;
	__u32 total = 0;
	__u64 n;

	while (i < PIECES && (!piece[i].size || piece[i].offset != offset))
		i++;
	if (i == PIECES)
		return ~0ULL;
	for (n = 0; n < piece[i].size / sizeof(__u32); n++)
		total += ((volatile __u32 *)piece[i].word)[n];
	return total;
}

static int answer(const struct vmm_address_packet *packet)
{
	struct vmm_address_packet reply = {
		.word = htole32(VMM_ADDRESS_ANSWER), .number = packet->number,
	};
	struct address_ping ping;
	__u64 offset;

	memcpy(&ping, packet->page, sizeof(ping));
	offset = ping.offset - le64toh(packet->offset);
	if (ping.metadata == ADDRESS_ASK_NOTHING)
		return 0;
	if (ping.metadata == ADDRESS_ASK_MAP)
		ping.metadata = -map(le64toh(packet->number), offset, ping.size);
	else if (ping.metadata == ADDRESS_ASK_SUM)
		ping.metadata = sum(offset);
	memcpy(reply.page, &ping, sizeof(ping));
	return say(&reply, -1);
}

static int take(const struct vmm_address_packet *packet)
{
	switch (le32toh(packet->word)) {
	case VMM_ADDRESS_HELLO:
		printf("address_service: version %llu, %llu bytes\n",
		       (unsigned long long)le64toh(packet->number),
		       (unsigned long long)le64toh(packet->size));
		fflush(stdout);
		return 0;
	case VMM_ADDRESS_OPENED:
		opened++;
		return 0;
	case VMM_ADDRESS_CLOSED:
		closed++;
		return 0;
	case VMM_ADDRESS_FREED:
		freed++;
		forget(le64toh(packet->offset), le64toh(packet->size));
		return 0;
	case VMM_ADDRESS_ANEW:
		anew++;
		forget(0, ~0ULL);
		return 0;
	case VMM_ADDRESS_PING_OF:
		return answer(packet);
	}
	return fail("a word that there is not");
}

int main(int argc, char **argv)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	struct vmm_address_packet packet;

	if (argc != 2)
		return 2;
	sock = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	snprintf(address.sun_path, sizeof(address.sun_path), "%s", argv[1]);
	if (sock < 0 || connect(sock, (struct sockaddr *)&address, sizeof(address))) {
		fail(argv[1]);
		return 1;
	}
	while (recv(sock, &packet, sizeof(packet), 0) == sizeof(packet) && !take(&packet))
		;
	printf("address_service: opened %u, closed %u, freed %u, anew %u\n", opened, closed, freed,
	       anew);
	return 0;
}
