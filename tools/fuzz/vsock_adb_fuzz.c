// SPDX-License-Identifier: GPL-2.0-only
/*
 * Fuzz target: the vsock relay, all but its ioctls, between a guest that sends
 * anything and host programs whose sockets do anything that sockets may. Rings
 * and sockets are stand-ins.
 *
 * Checked: no socket touched that somebody else holds, no file received, nothing
 * beyond the guest's credit, no packet too long, bytes in order both ways, none lost
 * that was sent before a close, nothing kept beyond what the guest was promised, no
 * endless loop, nothing waiting for a wake-up that does not come, everything freed.
 */
#include <linux/errno.h>
#include <net/sock.h>

#include "fuzz.h"
#include "ranchu_private.h"
#include "vsock_adb.h"

#define CID 3
#define PORTS 4
#define ENDS 32
#define BUFFERS 48
#define BUFFER_SIZE (70 * 1024)
#define PERIOD 4093
#define TCP_FIN_WAIT2 5
#define TCP_LAST_ACK 9
#define ALL_OF_IT (1 << 24)

/* A socket, with the program at its other end. */
struct end {
	struct socket socket;
	struct sock sk;
	struct file file;
	wait_queue_head_t wqh;
	struct adb_stream *stream;
	bool open;
	bool eof;		/* the program has said all it had to say */
	bool broken;		/* what it is sent goes nowhere */
	bool corked;		/* it waits for more before it sends */
	u32 written;		/* by the program */
	u32 read;		/* of that, by the relay */
	u32 delivered;		/* of that, to the guest */
	u32 sent;		/* by the guest */
	u32 arrived;		/* of that, here */
	size_t room;		/* for more to arrive */
	size_t late;		/* comes of both while the relay looks at it */
	u32 no_further;		/* of what is written: a file comes with the next byte */
};

LIST_HEAD(shim_timers);
static struct vsock_adb adb;
static struct end ends[ENDS];
static unsigned int n_ends;
static bool requested[ADB_RINGS], kicks[ADB_RINGS], rung;
static bool no_memory, ending;
static u8 tx_memory[sizeof(struct virtio_vsock_hdr) + ADB_MAX_PAYLOAD + 16];
static u8 rx_memory[BUFFERS][BUFFER_SIZE];
static u8 scratch[ADB_STREAM_BUDGET];
static size_t buffers[BUFFERS];
static unsigned int buffer_first, n_buffers, n_taken;

/* The guest: the packet that it sends, and what it has said of its room. */
struct credit {
	u32 alloc;
	u32 fwd;
};

static struct credit credit[PORTS][PORTS];

static struct {
	struct adb_packet packet;
	size_t len;
	bool pending;
	struct adb_stream *stream;
	u32 rx_cnt;
	/* Before it was taken. */
	struct credit credit;
	struct end *end;
	u32 sent;
} tx;

/* The bytes of a direction of a socket, named by @whose, from @offset on. */
static const u8 *pattern(const void *whose, u32 offset)
{
	static u8 bytes[PERIOD + sizeof(scratch)];
	u32 i;

	for (i = 0; !bytes[sizeof(bytes) - 1] && i < sizeof(bytes); i++)
		bytes[i] = i % PERIOD * 2654435761u >> 24 | 1;
	return bytes + (offset + (uintptr_t)whose / 8) % PERIOD;
}

/* ---- what the kernel does ---- */

/* One thread. */
void shim_barrier(enum shim_barrier kind)
{
}

void *shim_kmalloc(size_t size)
{
	return no_memory ? NULL : malloc(size);
}

bool shim_access_ok(const void *uaddr, size_t len)
{
	return true;
}

bool shim_load_bytes(void *dst, const void *uaddr, size_t len)
{
	memcpy(dst, uaddr, len);
	return true;
}

bool shim_store_bytes(void *uaddr, const void *src, size_t len)
{
	memcpy(uaddr, src, len);
	return true;
}

static struct end *end_of(struct socket *sock)
{
	return container_of(sock, struct end, socket);
}

/* Whoever else holds it may keep its lock. */
void shim_lock_sock(struct sock *sk)
{
	MUST(container_of(sk, struct end, sk)->file.count == 1);
}

static void wake(struct end *end, __poll_t events)
{
	if (end->wqh.entry)
		end->wqh.entry->fn(end->wqh.entry, 0, 0, (void *)(uintptr_t)events);
}

struct socket *sockfd_lookup(int fd, int *err)
{
	struct end *end;

	*err = -EBADF;
	if (n_ends == ENDS)
		return NULL;
	end = &ends[n_ends++];
	end->open = true;
	end->room = 1000;
	end->sk.sk_family = fd & 1 ? AF_UNIX : AF_INET;
	end->sk.sk_protocol = IPPROTO_TCP;
	end->sk.sk_state = TCP_ESTABLISHED;
	end->socket.sk = &end->sk;
	end->socket.type = SOCK_STREAM;
	end->socket.file = &end->file;
	end->file.sock = &end->socket;
	end->file.count = fd & 4 ? 2 : 1;
	return &end->socket;
}

void sockfd_put(struct socket *sock)
{
	MUST(0);
}

__poll_t vfs_poll(struct file *file, poll_table *poll)
{
	if (poll->fn)
		poll->fn(file, &end_of(file->sock)->wqh, poll);
	return 0;
}

/* Whether what the guest has sent before it closed is to arrive, come what may. */
static bool is_owed(const struct end *end)
{
	return end->stream->conn.peer_shut == ADB_SHUT_BOTH && !end->stream->error &&
	       !end->broken && !ending;
}

void fput(struct file *file)
{
	struct end *end = end_of(file->sock);

	MUST(end->open && !end->wqh.entry);
	end->open = false;
	if (!is_owed(end))
		return;
	MUST(end->arrived == end->sent);
	/* The last of those who hold it ends the connection, over which nothing went. */
	if (file_count(file) > 1) {
		MUST(!end->sent);
		return;
	}
	/* TCP would reset the connection. */
	MUST(end->sk.sk_family == AF_UNIX ||
	     (end->sk.sk_state != TCP_FIN_WAIT1 && end->read == end->written));
}

int kernel_sock_shutdown(struct socket *sock, int how)
{
	struct end *end = end_of(sock);

	MUST(end->open);
	MUST(end->file.count == 1 || end->sk.sk_family == AF_UNIX);
	if (how != SHUT_RD && end->sk.sk_state == TCP_ESTABLISHED)
		end->sk.sk_state = TCP_FIN_WAIT1;
	if (how != SHUT_RD && end->sk.sk_state == TCP_CLOSE_WAIT)
		end->sk.sk_state = TCP_LAST_ACK;
	return 0;
}

static void program_writes(struct end *end, size_t len)
{
	if (end->eof || end->broken || !len)
		return;
	end->written += len;
	end->sk.sk_receive_queue = end->written - end->read;
	wake(end, EPOLLIN);
}

/*
 * Just after the relay has looked, and before it can know. What comes just before
 * the socket is closed for good, nobody can.
 */
static void program_races(struct end *end)
{
	size_t len = end->late;

	if (!len || end->stream->conn.peer_shut == ADB_SHUT_BOTH)
		return;
	end->late = 0;
	end->room += len;
	wake(end, EPOLLOUT);
	program_writes(end, len);
}

/* Bytes with a file, which nobody is to read. */
static void program_sends_a_file(struct end *end, size_t len)
{
	if (end->sk.sk_family != AF_UNIX || end->eof || end->broken || !len)
		return;
	if (!atomic_read(&end->sk.scm_stat.nr_fds))
		end->no_further = end->written;
	atomic_inc(&end->sk.scm_stat.nr_fds);
	program_writes(end, len);
}

void shim_tcp_push(struct sock *sk)
{
	shim_lock_sock(sk);
	container_of(sk, struct end, sk)->corked = false;
}

int sock_sendmsg(struct socket *sock, struct msghdr *msg)
{
	struct end *end = end_of(sock);
	size_t len;

	shim_lock_sock(&end->sk);
	MUST(end->open && end->sk.sk_state != TCP_FIN_WAIT1);
	if (end->sk.sk_err) {
		end->broken = true;
		return -end->sk.sk_err;
	}
	MUST(!end->broken);
	if (!end->room) {
		program_races(end);
		return -EAGAIN;
	}
	len = shim_iter_copy(scratch, min(end->room, sizeof(scratch)), &msg->msg_iter,
			     false);
	MUST(!memcmp(scratch, pattern(&end->room, end->arrived), len));
	end->corked = msg->msg_flags & MSG_MORE;
	end->arrived += len;
	end->room -= len;
	MUST(end->arrived <= end->sent);
	return len;
}

int sock_recvmsg(struct socket *sock, struct msghdr *msg, int flags)
{
	struct end *end = end_of(sock);
	int err = end->sk.sk_err;
	size_t len;

	shim_lock_sock(&end->sk);
	/* Just after the relay has looked. */
	if (end->late & 1 && end->sk.sk_family == AF_UNIX) {
		program_sends_a_file(end, end->late);
		end->late = 0;
	}
	len = min_t(size_t, end->written - end->read, iov_iter_count(&msg->msg_iter));
	MUST(end->open && iov_iter_count(&msg->msg_iter));
	if (!len) {
		if (!err && !end->eof && !end->broken)
			program_races(end);
		end->sk.sk_err = 0;
		return err ? -err : end->eof || end->broken ? 0 : -EAGAIN;
	}
	len = min(len, sizeof(scratch));
	end->read += shim_iter_copy((void *)pattern(end, end->read), len,
				    &msg->msg_iter, true);
	end->sk.sk_receive_queue = end->written - end->read;
	MUST(!atomic_read(&end->sk.scm_stat.nr_fds) || end->read <= end->no_further);
	return len;
}

/* ---- sockets that are closed elsewhere ---- */

struct ranchu_close {
	struct file *file;
};

struct ranchu_close *ranchu_close_alloc(struct ranchu_closer *closer, struct file *file,
					gfp_t gfp)
{
	struct ranchu_close *close = malloc(sizeof(*close));

	close->file = file;
	return close;
}

void ranchu_close_free(struct ranchu_close *close)
{
	free(close);
}

void ranchu_close_apart(struct ranchu_close *close)
{
	MUST(!atomic_read(&close->file->sock->sk->scm_stat.nr_fds));
	fput(close->file);
	free(close);
}

void ranchu_close_in_thread(struct ranchu_close *close)
{
	MUST(atomic_read(&close->file->sock->sk->scm_stat.nr_fds));
	fput(close->file);
	free(close);
}

void ranchu_close_too(struct ranchu_close *close)
{
	MUST(0);
}

/* ---- the guest's end of the rings ---- */

void ranchu_vring_request(struct ranchu_vring *vring)
{
	requested[vring - adb.vrings] = true;
}

void ranchu_vring_serve(struct ranchu_vring *vring, bool in_vcpu)
{
	vring->in_vcpu = in_vcpu;
	if (vring == &adb.vrings[ADB_RX])
		vsock_adb_rx_kicked(vring);
	else
		vsock_adb_tx_kicked(vring);
	MUST(!n_taken);
}

static enum adb_ring ring_of(struct ranchu_vq *vq)
{
	return container_of(vq, struct ranchu_vring, vq) - adb.vrings;
}

bool ranchu_vq_enable_kicks(struct ranchu_vq *vq)
{
	kicks[ring_of(vq)] = true;
	return ring_of(vq) == ADB_TX ? tx.pending : n_buffers;
}

void ranchu_vq_disable_kicks(struct ranchu_vq *vq)
{
	kicks[ring_of(vq)] = false;
}

/* The credit that the guest has given, from all that it says. */
static void hear_credit(const struct adb_packet *packet)
{
	u32 *fwd = &credit[packet->src_port][packet->dst_port].fwd;
	u32 got = tx.stream->conn.tx_cnt;

	credit[packet->src_port][packet->dst_port].alloc = packet->buf_alloc;
	if (got - packet->fwd_cnt <= got - *fwd)
		*fwd = packet->fwd_cnt;
}

static int tx_next(struct ranchu_chain *chain)
{
	struct adb_packet *packet = &tx.packet;
	struct virtio_vsock_hdr *hdr = (void *)tx_memory;
	struct adb_ports ports = { packet->src_port, packet->dst_port };
	struct end *end = NULL;

	if (!tx.pending)
		return 0;
	tx.pending = false;
	adb_packet_encode(hdr, packet);
	tx.stream = vsock_adb_stream_find(&adb, ports);
	if (tx.stream) {
		tx.rx_cnt = tx.stream->conn.rx_cnt;
		end = tx.stream->sock.socket ? end_of(tx.stream->sock.socket) : NULL;
	}
	tx.credit = credit[ports.guest][ports.host];
	tx.end = end;
	tx.sent = end ? end->sent : 0;
	if (end)
		memcpy(tx_memory + sizeof(*hdr), pattern(&end->room, end->sent), packet->len);
	if (packet->src_cid == CID && packet->len <= tx.len && packet->type == 1) {
		if (tx.stream && tx.stream->conn.state != ADB_DEAD) {
			hear_credit(packet);
			/* It counts only if it is taken. */
			if (end && packet->op == VIRTIO_VSOCK_OP_RW)
				end->sent += packet->len;
		} else if (!tx.stream) {
			credit[ports.guest][ports.host].alloc = packet->buf_alloc;
			credit[ports.guest][ports.host].fwd = 0;
		}
	}
	chain->iov[0] = (struct iovec){ tx_memory, 20 };
	chain->iov[1] = (struct iovec){ tx_memory + 20, sizeof(*hdr) - 20 + tx.len };
	chain->n_out = 2;
	chain->n_in = 0;
	chain->out_len = sizeof(*hdr) + tx.len;
	return 1;
}

static int rx_next(struct ranchu_chain *chain)
{
	unsigned int slot = (buffer_first + n_taken) % BUFFERS;
	size_t len = buffers[slot];

	if (n_taken == n_buffers)
		return 0;
	n_taken++;
	chain->id = slot;
	chain->n_out = 0;
	chain->n_in = 3;
	chain->in_len = len;
	chain->iov[0] = (struct iovec){ rx_memory[slot], len / 3 };
	chain->iov[1] = (struct iovec){ rx_memory[slot] + len / 3, 0 };
	chain->iov[2] = (struct iovec){ rx_memory[slot] + len / 3, len - len / 3 };
	return 1;
}

int ranchu_vq_next(struct ranchu_vq *vq, struct ranchu_chain *chain)
{
	return ring_of(vq) == ADB_TX ? tx_next(chain) : rx_next(chain);
}

void ranchu_vq_put_back(struct ranchu_vq *vq, const struct ranchu_chain *chain)
{
	if (ring_of(vq) == ADB_TX) {
		tx.pending = true;
		credit[tx.packet.src_port][tx.packet.dst_port] = tx.credit;
		if (tx.end)
			tx.end->sent = tx.sent;
		return;
	}
	n_taken--;
	MUST(chain->id == (buffer_first + n_taken) % BUFFERS);
}

static void got_data(struct adb_stream *stream, const struct adb_packet *packet,
		     const u8 *data)
{
	struct end *end = end_of(stream->sock.socket);
	u32 fwd = credit[packet->dst_port][packet->src_port].fwd;

	MUST(packet->len && packet->len <= ADB_MAX_PAYLOAD);
	MUST(!memcmp(data, pattern(end, end->delivered), packet->len));
	end->delivered += packet->len;
	MUST(end->delivered <= end->read);
	MUST(end->delivered - fwd <= credit[packet->dst_port][packet->src_port].alloc);
}

static void got_packet(const u8 *data, u32 written)
{
	struct adb_packet packet;
	struct adb_ports ports;
	struct adb_stream *stream;

	adb_packet_decode(&packet, (const void *)data);
	MUST(written == sizeof(struct virtio_vsock_hdr) + packet.len);
	MUST(packet.src_cid == ADB_HOST_CID && packet.dst_cid == CID);
	MUST(packet.op > VIRTIO_VSOCK_OP_INVALID &&
	     packet.op <= VIRTIO_VSOCK_OP_CREDIT_REQUEST);
	MUST(packet.op == VIRTIO_VSOCK_OP_RW || !packet.len);
	ports.guest = packet.dst_port;
	ports.host = packet.src_port;
	stream = vsock_adb_stream_find(&adb, ports);
	if (packet.op == VIRTIO_VSOCK_OP_RST)
		return;
	MUST(stream && stream->conn.state != ADB_DEAD);
	if (packet.op == VIRTIO_VSOCK_OP_RW)
		got_data(stream, &packet, data + sizeof(struct virtio_vsock_hdr));
	if (packet.op == VIRTIO_VSOCK_OP_SHUTDOWN && packet.flags & ADB_SHUT_SEND) {
		struct end *end = end_of(stream->sock.socket);

		MUST((end->eof || end->broken) && end->delivered == end->written);
	}
}

int ranchu_vq_push(struct ranchu_vq *vq, const struct ranchu_chain *chain, u32 written)
{
	if (ring_of(vq) == ADB_TX) {
		MUST(!written);
		return 0;
	}
	/* Buffers are taken one by one and used in this order. */
	MUST(n_taken && chain->id == buffer_first && written <= buffers[buffer_first]);
	if (written)
		got_packet(rx_memory[buffer_first], written);
	buffer_first = (buffer_first + 1) % BUFFERS;
	n_taken--;
	n_buffers--;
	return 0;
}

static void check_stream(struct adb_stream *stream)
{
	struct adb_chunk *chunk, *next;
	u32 sum = 0, n = 0;

	list_for_each_entry_safe(chunk, next, &stream->chunks, node) {
		MUST(chunk->start < chunk->end && chunk->end <= ADB_CHUNK_SIZE);
		sum += chunk->end - chunk->start;
		n++;
	}
	MUST(sum == stream->queued && sum <= stream->conn.buf_alloc);
	MUST(n <= sum / ADB_CHUNK_SIZE + 2);
	/* The user is told of every end. */
	MUST(stream->closed == (stream->conn.state == ADB_DEAD));
	if (stream->sock.socket)
		MUST(end_of(stream->sock.socket)->open &&
		     !end_of(stream->sock.socket)->corked);
}

static void check_streams(void)
{
	struct adb_stream *stream;
	struct hlist_node *next;
	unsigned int i;

	hash_for_each_safe(adb.streams, i, next, stream, hash)
		check_stream(stream);
	hlist_for_each_entry_safe(stream, next, &adb.lingering, hash)
		check_stream(stream);
}

/* The vCPU that has kicked, if one has, and the worker, until nothing is to be done. */
static void work(void)
{
	unsigned int turns, i;

	if (rung)
		ranchu_vring_serve(&adb.vrings[ADB_TX], true);
	rung = false;
	for (turns = 0; requested[ADB_RX] || requested[ADB_TX]; turns++) {
		MUST(turns < 1000);
		for (i = ADB_RX; i <= ADB_TX; i++) {
			if (!requested[i])
				continue;
			requested[i] = false;
			ranchu_vring_serve(&adb.vrings[i], false);
		}
	}
}

/* ---- what happens ---- */

static struct adb_ports take_ports(struct input *in)
{
	u8 both = take(in, 1);

	return (struct adb_ports){ both % PORTS, both / PORTS % PORTS };
}

static void give_socket(struct adb_stream *stream, int fd)
{
	struct ranchu_sock sock = {};

	if (ranchu_sock_get(&sock, adb.closer, fd))
		return;
	vsock_adb_sock_give(stream, &sock);
	end_of(stream->sock.socket)->stream = stream;
	adb_conn_attach(&stream->conn);
}

static void vmm_connects(struct adb_ports ports, int fd)
{
	struct adb_stream *stream;

	if (vsock_adb_stream_find(&adb, ports))
		return;
	stream = vsock_adb_stream_alloc();
	if (!stream)
		return;
	if (vsock_adb_stream_add(&adb, stream, ports, ADB_ASKING)) {
		kfree(stream);
		return;
	}
	memset(&credit[ports.guest][ports.host], 0, sizeof(**credit));
	if (!(fd & 2))
		give_socket(stream, fd);
	vsock_adb_stream_ready(stream);
}

static void vmm_attaches(struct adb_ports ports, int fd)
{
	struct adb_stream *stream = vsock_adb_stream_find(&adb, ports);

	if (!stream || stream->conn.state == ADB_DEAD)
		return;
	if (fd & 2) {
		vsock_adb_stream_close(stream, ECONNRESET);
	} else if (!stream->sock.socket) {
		give_socket(stream, fd);
		vsock_adb_stream_ready(stream);
	}
}

static void vmm_reads_an_event(void)
{
	struct adb_stream *stream = list_first_entry_or_null(&adb.events,
							     struct adb_stream,
							     event_node);

	if (!stream)
		return;
	MUST(stream->event);
	vsock_adb_stream_told(stream);
}

/* Mostly a packet that makes sense, by the ports and counts of some stream. */
static void guest_sends(struct input *in)
{
	struct adb_ports ports = take_ports(in);
	struct adb_stream *stream = vsock_adb_stream_find(&adb, ports);
	u8 op = take(in, 1), how = take(in, 1);

	if (tx.pending)
		return;
	tx.packet = (struct adb_packet){
		.src_cid = how & 1 ? CID : CID ^ (how >> 7), .dst_cid = ADB_HOST_CID,
		.src_port = ports.guest, .dst_port = ports.host,
		.type = (how & 0x7e) == 0x7e ? 2 : 1, .op = op & 7,
		.flags = op >> 3, .buf_alloc = 1 << 20,
		.fwd_cnt = stream ? stream->conn.tx_cnt : 0,
	};
	if (tx.packet.op == VIRTIO_VSOCK_OP_RW || how & 0x40)
		tx.packet.len = take(in, 2) << (how & 2 ? 2 : 0);
	if (how & 4)
		tx.packet.buf_alloc = take(in, 2);
	if (how & 8)
		tx.packet.fwd_cnt -= take(in, 2);
	if (how & 16)
		tx.packet.fwd_cnt = take(in, 4);
	tx.len = min_t(size_t, tx.packet.len, ADB_MAX_PAYLOAD);
	if (how & 32)
		tx.len /= 2;
	/* A header that promises more than there is may say anything. */
	tx.packet.len = min_t(u32, tx.packet.len, ADB_MAX_PAYLOAD + 16);
	tx.pending = true;
	/* A foreign thread's kick is the worker's business. */
	if (kicks[ADB_TX] && ports.guest & 1)
		rung = true;
	else if (kicks[ADB_TX])
		requested[ADB_TX] = true;
}

static void guest_gives(unsigned int n, size_t size)
{
	size = min_t(size_t, size, BUFFER_SIZE);
	while (n-- && n_buffers < BUFFERS)
		buffers[(buffer_first + n_buffers++) % BUFFERS] = size;
	if (kicks[ADB_RX])
		requested[ADB_RX] = true;
}

static void program_acts(struct end *end, u8 how, size_t len)
{
	if (how & 1)
		program_writes(end, len);
	if (how & 0x40)
		end->late = len;
	if (how & 2) {
		end->room += len;
		/* There may be room before it is told. */
		if (!(how & 0x20))
			wake(end, EPOLLOUT);
	}
	if ((how & 0x0c) == 0x0c) {
		end->eof = true;
		end->sk.sk_shutdown |= RCV_SHUTDOWN;
		if (end->sk.sk_state == TCP_ESTABLISHED)
			end->sk.sk_state = TCP_CLOSE_WAIT;
		wake(end, EPOLLIN | EPOLLRDHUP);
	}
	if ((how & 0xf0) == 0xf0) {
		end->broken = true;
		end->sk.sk_err = how & 2 ? ECONNRESET : EPIPE;
		end->sk.sk_state = TCP_CLOSE;
		wake(end, EPOLLERR);
	}
	if (how & 0x10 && end->sk.sk_state == TCP_FIN_WAIT1) {
		end->sk.sk_state = TCP_FIN_WAIT2;
		wake(end, 0);
	}
}

/* Each timer once; it may be started again. */
static void time_passes(void)
{
	struct timer_list *timer, *next;
	unsigned int n = 0;

	list_for_each_entry_safe(timer, next, &shim_timers, node)
		n++;
	while (n--) {
		timer = list_first_entry(&shim_timers, struct timer_list, node);
		list_del_init(&timer->node);
		timer->fn(timer);
	}
}

static void others_close(struct end *end)
{
	struct timer_list *timer;

	if (!end->open || end->file.count == 1)
		return;
	end->file.count = 1;
	timer = &end->stream->sock.timer;
	MUST(timer_pending(timer));
	list_del_init(&timer->node);
	timer->fn(timer);
}

static void something(struct input *in)
{
	u8 what = take(in, 1) % 16, how;
	unsigned int i;

	mutex_lock(&adb.lock);
	no_memory = what == 15;
	switch (what) {
	case 0:
		vmm_connects(take_ports(in), take(in, 1));
		break;
	case 1:
		vmm_attaches(take_ports(in), take(in, 1));
		break;
	case 2:
		vmm_reads_an_event();
		break;
	case 3:
		how = take(in, 1);
		guest_gives(how % 32, take(in, 1) << (how / 32 + 2));
		break;
	case 4:
	case 5:
	case 6:
		how = take(in, 1);
		program_acts(&ends[how % ENDS], take(in, 1), take(in, 2));
		break;
	case 7:
		time_passes();
		break;
	case 8:
		if (take(in, 1) == 0xff)
			for (i = 0; i < HASH_SIZE(adb.streams); i++)
				vsock_adb_streams_close(&adb, i);
		break;
	case 9:
		how = take(in, 1);
		if (how & 0x80)
			program_sends_a_file(&ends[how % ENDS], take(in, 2));
		else
			others_close(&ends[how % ENDS]);
		break;
	default:
		guest_sends(in);
	}
	mutex_unlock(&adb.lock);
	work();
	check_streams();
	no_memory = false;
}

/* Whatever can go on does; then who has closed must be through. */
static void calm_down(void)
{
	unsigned int i, turn;

	for (i = 0; i < n_ends; i++)
		others_close(&ends[i]);
	for (turn = 0; turn < 2 || n_buffers < BUFFERS; turn++) {
		MUST(turn < 1000);
		guest_gives(BUFFERS, 65536);
		for (i = 0; i < n_ends; i++)
			if (ends[i].open)
				program_acts(&ends[i], 0x12, ALL_OF_IT);
		work();
	}
	for (i = 0; i < n_ends; i++)
		MUST(!ends[i].open || !is_owed(&ends[i]));
	MUST(!tx.pending && !adb.n_orphans && n_buffers);
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	struct input in = { data, size };
	unsigned int i;

	memset(&adb, 0, sizeof(adb));
	memset(ends, 0, sizeof(ends));
	memset(&tx, 0, sizeof(tx));
	memset(credit, 0, sizeof(credit));
	memset(requested, 0, sizeof(requested));
	rung = false;
	n_ends = 0;
	n_buffers = 0;
	n_taken = 0;
	ending = false;
	adb.cid = CID;
	adb.listening = true;
	vsock_adb_streams_init(&adb);
	for (i = 0; i < ADB_RINGS; i++) {
		adb.vrings[i].dev = &adb.vhost;
		kicks[i] = true;
	}
	while (in.left)
		something(&in);
	calm_down();
	mutex_lock(&adb.lock);
	ending = true;
	vsock_adb_streams_free(&adb);
	mutex_unlock(&adb.lock);
	MUST(!adb.n_streams && !adb.stats.queued && list_empty(&adb.ready) &&
	     list_empty(&adb.starved) && list_empty(&adb.events) &&
	     list_empty(&shim_timers));
	for (i = 0; i < n_ends; i++)
		MUST(!ends[i].open);
	return 0;
}
