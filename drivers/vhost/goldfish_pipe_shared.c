// SPDX-License-Identifier: GPL-2.0-only
/*
 * A pipe whose other end is a pair of rings in memory that a process shares:
 * bytes go between guest pages and the rings, in the vCPU's thread, and the
 * process finds them there with no system call. The indices, and why no wake is
 * lost, are goldfish_pipe_ring.c's.
 *
 * The memory is ours and not the process's, a memfd say: it cannot be made
 * smaller, nor be taken away page by page, so that no access of ours can fault
 * or has to be checked; nothing is pinned; and what it costs is charged to the
 * process that asked for it. It goes with the later of pipe and file.
 */
#include <linux/anon_inodes.h>
#include <linux/eventfd.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/vmalloc.h>

#include "goldfish_pipe_remote.h"
#include "goldfish_pipe_ring.h"

/**
 * struct pipe_shared_part - memory that can be mapped
 * @offset: in the file
 * @bytes: whole pages
 * @memory: vmalloc()'s
 */
struct pipe_shared_part {
	u64 offset;
	size_t bytes;
	void *memory;
};

enum shared_part { PART_CONTROL, PART_TO_HOST, PART_TO_GUEST, SHARED_PARTS };

/**
 * struct pipe_shared - a pair of rings
 * @refs: the pipe and the file
 * @lock: protects @pipe
 * @pipe: whose other end this is; NULL before and after that
 * @wake: wakes the process
 * @parts: by enum shared_part
 * @to_host: what the guest writes; this and @to_guest are pipe.lock's
 * @to_guest: what the guest reads
 */
struct pipe_shared {
	struct kref refs;
	spinlock_t lock;	/* see above */
	struct pipe *pipe;
	struct eventfd_ctx *wake;
	struct pipe_shared_part parts[SHARED_PARTS];
	struct pipe_ring to_host;
	struct pipe_ring to_guest;
};

static void shared_free(struct pipe_shared *shared)
{
	unsigned int i;

	for (i = 0; i < SHARED_PARTS; i++)
		vfree(shared->parts[i].memory);
	eventfd_ctx_put(shared->wake);
	kfree(shared);
}

static void shared_free_refs(struct kref *refs)
{
	shared_free(container_of(refs, struct pipe_shared, refs));
}

static ssize_t shared_result(int err)
{
	/* The end of the stream is an error, as a socket's is. */
	return err ? -EIO : -EAGAIN;
}

/* Moves what can be, between the guest's buffers and a ring. */
static ssize_t shared_move(struct pipe_shared *shared, struct pipe_ring *ring,
			   enum shared_part part, struct iov_iter *iter)
{
	u8 *memory = shared->parts[part].memory;
	u32 most, done = 0;
	int err;

	err = pipe_ring_look(ring, &most);
	if (!most)
		return shared_result(err);
	most = min_t(size_t, most, iov_iter_count(iter));
	while (done < most) {
		u32 span = most - done, n;
		u8 *at = memory + pipe_ring_at(ring, done, &span);

		/*
		 * Where the bytes lie in our own memory is not the user's to say:
		 * looking that memory up, as a copy's check does, is dear.
		 */
		n = ring->produces ? _copy_from_iter(at, span, iter) :
				     _copy_to_iter(at, span, iter);
		done += n;
		if (n < span)
			break;
	}
	if (!done)
		return -EFAULT;
	if (pipe_ring_move(ring, done))
		ranchu_eventfd_signal(shared->wake);
	return done;
}

static ssize_t shared_write(struct pipe_remote *remote, struct iov_iter *from)
{
	struct pipe_shared *shared = remote->end.shared;

	return shared_move(shared, &shared->to_host, PART_TO_HOST, from);
}

static ssize_t shared_read(struct pipe_remote *remote, struct iov_iter *to)
{
	struct pipe_shared *shared = remote->end.shared;

	return shared_move(shared, &shared->to_guest, PART_TO_GUEST, to);
}

/* What is not so yet, we will be told of. */
static u32 shared_poll(struct pipe_remote *remote)
{
	struct pipe_shared *shared = remote->end.shared;
	int in = pipe_ring_wait(&shared->to_guest);
	int out = pipe_ring_wait(&shared->to_host);

	return (in ? GOLDFISH_PIPE_POLL_IN : 0) |
	       (out ? GOLDFISH_PIPE_POLL_OUT : 0) |
	       (in < 0 && out < 0 ? GOLDFISH_PIPE_POLL_HUP : 0);
}

static u32 shared_start(struct pipe_remote *remote)
{
	struct pipe_shared *shared = remote->end.shared;

	kref_get(&shared->refs);
	spin_lock(&shared->lock);
	shared->pipe = remote->pipe;
	spin_unlock(&shared->lock);
	/* Nobody has the file yet: there is room, and nothing to read. */
	return GOLDFISH_PIPE_POLL_OUT;
}

/* The pipe moves no more. */
static void shared_end(struct pipe_shared *shared)
{
	pipe_ring_close(&shared->to_host);
	pipe_ring_close(&shared->to_guest);
	ranchu_eventfd_signal(shared->wake);
}

static void shared_hang_up(struct pipe_remote *remote)
{
	shared_end(remote->end.shared);
}

static void shared_put(struct pipe_remote *remote)
{
	struct pipe_shared *shared = remote->end.shared;

	spin_lock(&shared->lock);
	shared->pipe = NULL;
	spin_unlock(&shared->lock);
	shared_end(shared);
	kref_put(&shared->refs, shared_free_refs);
}

static const struct pipe_backend pipe_shared = {
	.write = shared_write,
	.read = shared_read,
	.poll = shared_poll,
	.start = shared_start,
	.hang_up = shared_hang_up,
	.put = shared_put,
};

/*
 * Whoever waits in the guest goes and looks: the rings' indices are not ours to
 * look at here.
 */
static int shared_kick(struct pipe_shared *shared)
{
	int err = -EPIPE;

	spin_lock(&shared->lock);
	if (shared->pipe) {
		pipe_ready(shared->pipe, GOLDFISH_PIPE_POLL_IN | GOLDFISH_PIPE_POLL_OUT);
		err = 0;
	}
	spin_unlock(&shared->lock);
	return err;
}

static long shared_ioctl(struct file *file, unsigned int number, unsigned long arg)
{
	if (number != VHOST_GOLDFISH_PIPE_RING_KICK)
		return -ENOIOCTLCMD;
	return shared_kick(file->private_data);
}

static int shared_map(struct vm_area_struct *vma, void *memory)
{
	unsigned long at;
	int err;

	vm_flags_set(vma, VM_DONTEXPAND | VM_DONTDUMP);
	for (at = vma->vm_start; at < vma->vm_end; at += PAGE_SIZE) {
		err = vm_insert_page(vma, at, vmalloc_to_page(memory));
		if (err)
			return err;
		memory += PAGE_SIZE;
	}
	return 0;
}

static int shared_mmap(struct file *file, struct vm_area_struct *vma)
{
	struct pipe_shared *shared = file->private_data;
	u64 offset = (u64)vma->vm_pgoff << PAGE_SHIFT;
	u64 bytes = vma->vm_end - vma->vm_start;
	unsigned int i;

	if (!(vma->vm_flags & VM_SHARED))
		return -EINVAL;
	for (i = 0; i < SHARED_PARTS; i++) {
		const struct pipe_shared_part *part = &shared->parts[i];

		if (offset >= part->offset && bytes <= part->bytes &&
		    offset - part->offset <= part->bytes - bytes)
			return shared_map(vma, part->memory + (offset - part->offset));
	}
	return -EINVAL;
}

/* Nobody maps it any more, so that nobody else writes to the process's ends. */
static int shared_release(struct inode *inode, struct file *file)
{
	struct pipe_shared *shared = file->private_data;
	struct vhost_goldfish_pipe_ring_control *control =
		shared->parts[PART_CONTROL].memory;

	/* Behind the process's last positions, for pipe_ring_look(). */
	smp_store_release(&control->to_host.consumer.closed, 1);
	/* The same. */
	smp_store_release(&control->to_guest.producer.closed, 1);
	shared_kick(shared);
	kref_put(&shared->refs, shared_free_refs);
	return 0;
}

static const struct file_operations shared_fops = {
	.owner = THIS_MODULE,
	.release = shared_release,
	.mmap = shared_mmap,
	.unlocked_ioctl = shared_ioctl,
	.compat_ioctl = compat_ptr_ioctl,
	.llseek = noop_llseek,
};

static bool shared_part_alloc(struct pipe_shared_part *part, u64 offset, size_t bytes)
{
	part->offset = offset;
	part->bytes = PAGE_ALIGN(bytes);
	part->memory = __vmalloc(part->bytes, GFP_KERNEL_ACCOUNT | __GFP_ZERO |
				 __GFP_NOWARN);
	return part->memory;
}

static bool shared_alloc_parts(struct pipe_shared *shared, u32 to_host_size,
			       u32 to_guest_size)
{
	struct pipe_shared_part *parts = shared->parts;

	return shared_part_alloc(&parts[PART_CONTROL],
				 VHOST_GOLDFISH_PIPE_RING_CONTROL,
				 sizeof(struct vhost_goldfish_pipe_ring_control)) &&
	       shared_part_alloc(&parts[PART_TO_HOST],
				 VHOST_GOLDFISH_PIPE_RING_TO_HOST, to_host_size) &&
	       shared_part_alloc(&parts[PART_TO_GUEST],
				 VHOST_GOLDFISH_PIPE_RING_TO_GUEST, to_guest_size);
}

static struct pipe_shared *shared_create(const struct vhost_goldfish_pipe_ring *answer)
{
	struct vhost_goldfish_pipe_ring_control *control;
	struct pipe_shared *shared;
	int err;

	shared = kzalloc(sizeof(*shared), GFP_KERNEL_ACCOUNT);
	if (!shared)
		return ERR_PTR(-ENOMEM);
	kref_init(&shared->refs);
	spin_lock_init(&shared->lock);
	shared->wake = eventfd_ctx_fdget(answer->wake_fd);
	if (IS_ERR(shared->wake)) {
		err = PTR_ERR(shared->wake);
		kfree(shared);
		return ERR_PTR(err);
	}
	if (!shared_alloc_parts(shared, answer->to_host_size, answer->to_guest_size)) {
		shared_free(shared);
		return ERR_PTR(-ENOMEM);
	}
	control = shared->parts[PART_CONTROL].memory;
	pipe_ring_init(&shared->to_host, &control->to_host, answer->to_host_size, true);
	pipe_ring_init(&shared->to_guest, &control->to_guest, answer->to_guest_size,
		       false);
	return shared;
}

static struct file *shared_file(const struct vhost_goldfish_pipe_ring *answer)
{
	struct pipe_shared *shared = shared_create(answer);
	struct file *file;

	if (IS_ERR(shared))
		return ERR_CAST(shared);
	file = anon_inode_getfile("[goldfish-pipe-ring]", &shared_fops, shared,
				  O_RDWR);
	if (IS_ERR(file))
		shared_free(shared);
	return file;
}

/**
 * pipe_shared_answer() - serve ANSWER_RING
 * @registrar: serves the pipe
 * @answer: its argument
 *
 * Context: may sleep.
 * Return: a new file of the calling process, or
 * * -EINVAL: a ring may not have so many bytes, or @wake_fd is no eventfd
 * * -EBADF: @wake_fd is not open
 * * -EMFILE: the process has as many files as it may have
 * * -ENOMEM: no memory
 * * as pipe_remote_connect()
 */
int pipe_shared_answer(struct pipe_registrar *registrar,
		       const struct vhost_goldfish_pipe_ring *answer)
{
	union pipe_end end = {};
	struct file *file;
	int fd, err;

	if (!pipe_ring_size_ok(answer->to_host_size) ||
	    !pipe_ring_size_ok(answer->to_guest_size))
		return -EINVAL;
	fd = get_unused_fd_flags(O_CLOEXEC);
	if (fd < 0)
		return fd;
	file = shared_file(answer);
	if (IS_ERR(file)) {
		err = PTR_ERR(file);
		goto err_fd;
	}
	end.shared = file->private_data;
	err = pipe_remote_connect(registrar, answer->open, &pipe_shared, &end);
	if (err)
		goto err_file;
	fd_install(fd, file);
	return fd;

err_file:
	fput(file);
err_fd:
	put_unused_fd(fd);
	return err;
}
