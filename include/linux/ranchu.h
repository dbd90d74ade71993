/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What ranchu.ko offers the device modules: guest memory, a worker, the
 * synchronous doorbell and the interrupt line.
 *
 * Three execution contexts appear below, by these names:
 *
 *	vCPU	process context in a thread of the owner, on its way back to the
 *		guest or to user mode; may sleep, current->mm is the owner's mm
 *	worker	process context in the device's worker; may sleep, same mm
 *	any	may be atomic, any task, interrupts possibly off
 *
 * The owner is the process that did VHOST_SET_OWNER, named by its mm.
 */
#ifndef _LINUX_RANCHU_H
#define _LINUX_RANCHU_H

#include <linux/list.h>
#include <linux/mutex.h>
#include <linux/srcu.h>
#include <linux/types.h>
#include <linux/uio.h>
#include <linux/workqueue.h>

struct eventfd_ctx;
struct mm_struct;
struct module;
struct page;
struct pid;
struct ranchu_doorbell;
struct ranchu_irq;
struct ranchu_mem_table;
struct task_struct;
struct vhost_task;

/* ---- guest memory: mem.c, mem_table.c, mem_log.c ---- */

/**
 * struct ranchu_mem - guest physical memory, as VHOST_SET_MEM_TABLE describes it
 * @srcu: readers of @table
 * @lock: serialises ranchu_mem_replace()
 * @table: the regions now; NULL until the first ranchu_mem_replace()
 *
 * Every guest address is hostile; these functions are the only place that
 * turns one into anything else.
 */
struct ranchu_mem {
	struct srcu_struct srcu;
	struct mutex lock;	/* writers of @table */
	struct ranchu_mem_table __rcu *table;
};

int ranchu_mem_init(struct ranchu_mem *mem);
void ranchu_mem_destroy(struct ranchu_mem *mem);
struct ranchu_mem_table *ranchu_mem_fetch(const void __user *argp);
void ranchu_mem_table_free(struct ranchu_mem_table *table);
void ranchu_mem_replace(struct ranchu_mem *mem, struct ranchu_mem_table *table);
int ranchu_mem_set(struct ranchu_mem *mem, const void __user *argp);
bool ranchu_mem_is_set(const struct ranchu_mem *mem);
void ranchu_mem_clear(struct ranchu_mem *mem);
int ranchu_mem_read(struct ranchu_mem *mem, u64 gpa, void *dst, size_t len);
int ranchu_mem_write(struct ranchu_mem *mem, u64 gpa, const void *src, size_t len);
void __user *ranchu_mem_user(struct ranchu_mem *mem, u64 gpa, u64 len);
int ranchu_mem_iov(struct ranchu_mem *mem, u64 gpa, u64 len,
		   struct iovec *iov, unsigned int max);

int ranchu_mem_log(u8 __user *log, u64 gpa, u64 len);
int ranchu_mem_log_user(struct ranchu_mem *mem, u8 __user *log,
			const void __user *uaddr, u64 len);
u64 ranchu_mem_log_size(struct ranchu_mem *mem);

/**
 * ranchu_mem_enter() - begin to use guest memory
 * @mem: the memory
 *
 * ranchu_mem_set() returns after every reader that might still use the old
 * regions has left. Nests.
 *
 * Context: vCPU or worker. May sleep until ranchu_mem_leave().
 * Return: what ranchu_mem_leave() needs.
 */
static inline int ranchu_mem_enter(struct ranchu_mem *mem)
{
	return srcu_read_lock(&mem->srcu);
}

/**
 * ranchu_mem_leave() - stop using guest memory
 * @mem: the memory
 * @idx: what ranchu_mem_enter() returned
 */
static inline void ranchu_mem_leave(struct ranchu_mem *mem, int idx)
{
	srcu_read_unlock(&mem->srcu, idx);
}

/* ---- kept memory: pin.c ---- */

/* A range that is kept may lie across the border of two pages. */
#define RANCHU_PIN_PAGES 2

/**
 * struct ranchu_pin - a few bytes of the owner's memory that are written from anywhere
 * @pages: they are kept in memory, where they are
 * @offset: of the first byte, in the first page
 * @len: how many bytes; 0 if none are kept
 */
struct ranchu_pin {
	struct page *pages[RANCHU_PIN_PAGES];
	unsigned int offset;
	unsigned int len;
};

int ranchu_pin_get(struct ranchu_pin *pin, const void __user *uaddr, size_t len);
void ranchu_pin_put(struct ranchu_pin *pin);
void ranchu_pin_write(const struct ranchu_pin *pin, size_t at, const void *src, size_t len);
void ranchu_pin_read(const struct ranchu_pin *pin, size_t at, void *dst, size_t len);
void ranchu_pin_put32(const struct ranchu_pin *pin, size_t at, u32 value);

/* ---- worker: worker.c, worker_flush.c ---- */

/**
 * struct ranchu_work - something for the worker to do
 * @node: on the worker's list; empty when not queued
 * @fn: called once for each time it was queued. @in_owner: in the worker, or in another
 *	thread of the owner's. Otherwise the worker has left it when it ended, and the caller
 *	may be anybody: the owner's memory is not there
 */
struct ranchu_work {
	struct list_head node;
	void (*fn)(struct ranchu_work *work, bool in_owner);
};

/**
 * struct ranchu_worker - a thread that shares the owner's mm
 * @lock: protects @works and @dead
 * @works: queued, first in first out
 * @dead: no work is taken any more: never started, stopped, or owner killed
 * @task: the thread; NULL when not started
 * @mm: the owner's, pinned as a struct only, for comparison; NULL when not started
 * @killed: called in the thread, its last act, when the owner was killed before
 *	ranchu_worker_stop(); no work is or will be called. May be NULL.
 */
struct ranchu_worker {
	spinlock_t lock;	/* @works and @dead */
	struct list_head works;
	bool dead;
	struct vhost_task *task;
	struct mm_struct *mm;
	void (*killed)(struct ranchu_worker *worker);
};

void ranchu_worker_init(struct ranchu_worker *worker);
int ranchu_worker_start(struct ranchu_worker *worker, const char *name);
void ranchu_worker_stop(struct ranchu_worker *worker);
int ranchu_worker_flush(struct ranchu_worker *worker);
void ranchu_work_init(struct ranchu_work *work,
		      void (*fn)(struct ranchu_work *work, bool in_owner));
int ranchu_work_queue(struct ranchu_worker *worker, struct ranchu_work *work);

/* ---- what may wait for strangers: waiter.c ---- */

/**
 * struct ranchu_waiter - something that a thread of the kernel's does
 * @work: starts the thread
 * @fn: what is done
 */
struct ranchu_waiter {
	struct delayed_work work;
	void (*fn)(struct ranchu_waiter *waiter);
};

/* ---- end of a device: release.c ---- */

/**
 * struct ranchu_release - the end of a device, in what its file is of
 * @waiter: ours
 * @owner: the device's module
 * @fn: ends the device and frees it
 */
struct ranchu_release {
	struct ranchu_waiter waiter;
	struct module *owner;
	void (*fn)(struct ranchu_release *release);
};

void ranchu_release(struct ranchu_release *release, struct pid *process,
		    struct module *owner,
		    void (*fn)(struct ranchu_release *release));

/* ---- synchronous doorbell: doorbell.c ---- */

/**
 * enum ranchu_ring - how a ring of a doorbell is served
 * @RANCHU_RING_VCPU: in the ringing thread, before it goes on
 * @RANCHU_RING_FOREIGN: by the worker, some time later: the ring came from
 *	another process, a kernel thread or an interrupt, or all rings are for
 *	the worker
 * @RANCHU_RING_LOST: not at all: the owner is dying. Told from any context,
 *	possibly after the worker has stopped; only count it.
 */
enum ranchu_ring {
	RANCHU_RING_VCPU,
	RANCHU_RING_FOREIGN,
	RANCHU_RING_LOST,
};

/**
 * enum ranchu_serve - who serves the owner's rings of a doorbell
 * @RANCHU_SERVE_VCPU: the ringing thread, before it goes on
 * @RANCHU_SERVE_WORKER: the worker: all rings are foreign
 */
enum ranchu_serve {
	RANCHU_SERVE_VCPU,
	RANCHU_SERVE_WORKER,
};

typedef void (*ranchu_ring_fn)(void *data, enum ranchu_ring how);

/**
 * typedef ranchu_early_fn - serve a ring where it was rung
 * @data: as ranchu_doorbell_attach_early() was given it
 *
 * Context: any, with the eventfd's lock held and, but for PREEMPT_RT, interrupts off: it
 * signals no eventfd, and waits for no lock of whoever does.
 * Return: true if there is nothing left to do; false for a call of the ranchu_ring_fn.
 */
typedef bool (*ranchu_early_fn)(void *data);

bool ranchu_doorbell_supported(void);
int ranchu_doorbell_test(void);
struct ranchu_doorbell *
ranchu_doorbell_attach(int fd, struct mm_struct *mm,
		       struct ranchu_worker *worker, enum ranchu_serve serve,
		       ranchu_ring_fn fn, void *data);
struct ranchu_doorbell *
ranchu_doorbell_attach_early(int fd, struct mm_struct *mm,
			     struct ranchu_worker *worker, ranchu_early_fn early,
			     ranchu_ring_fn fn, void *data);
void ranchu_doorbell_detach(struct ranchu_doorbell *doorbell);
void ranchu_eventfd_signal(struct eventfd_ctx *ctx);

/* ---- interrupt line: line.c ---- */

/**
 * enum ranchu_line_state - whose the batch is
 * @RANCHU_LINE_LOW: there is none
 * @RANCHU_LINE_DUE: publish() had one, and the interrupt is to be sent; by whoever has
 *	@ranchu_line.sending, or else by who has made it so
 * @RANCHU_LINE_RAISED: the guest's, until it ends the interrupt
 *
 * From the time that it is not LOW a batch is not overwritten: the guest may read it.
 */
enum ranchu_line_state {
	RANCHU_LINE_LOW,
	RANCHU_LINE_DUE,
	RANCHU_LINE_RAISED,
};

/**
 * struct ranchu_line - a level-triggered interrupt line
 * @lock: serialises @publish; protects what follows, down to @sent. A spinlock,
 *	interrupts off
 * @state: see above
 * @missed: an interrupt has ended while others had @lock; the one field that may be
 *	set without it
 * @sending: a thread sends the interrupt by @irq
 * @ended: since it began to, an interrupt has ended, or another batch was published
 * @call: raises the line; NULL for none
 * @resample: rings when the guest ends the interrupt; NULL if the VMM lowers
 *	the line itself and tells by ranchu_line_acked()
 * @irq: another way to raise it, for threads of the owner's; NULL for none
 * @sent: interrupts that @irq has sent
 * @work: ranchu_line_request()'s
 * @worker: runs @work and foreign rings of @resample
 * @publish: put the next batch where the guest will look and say whether there
 *	is one. @ended: the interrupt ended, so whatever the guest may still see
 *	of the last batch must go. Called with @lock held, in any context.
 * @resampled: tell that the guest ended an interrupt (for counting)
 */
struct ranchu_line {
	spinlock_t lock;	/* see above */
	enum ranchu_line_state state;
	bool missed;
	bool sending;
	bool ended;
	struct eventfd_ctx *call;
	struct ranchu_doorbell *resample;
	struct ranchu_irq *irq;
	u64 sent;
	struct ranchu_work work;
	struct ranchu_worker *worker;
	bool (*publish)(struct ranchu_line *line, bool ended);
	void (*resampled)(struct ranchu_line *line);
};

void ranchu_line_init(struct ranchu_line *line, struct ranchu_worker *worker,
		      bool (*publish)(struct ranchu_line *line, bool ended),
		      void (*resampled)(struct ranchu_line *line));
int ranchu_line_set(struct ranchu_line *line, struct mm_struct *mm,
		    int call_fd, int resample_fd);
void ranchu_line_clear(struct ranchu_line *line);
void ranchu_line_set_irq(struct ranchu_line *line, struct ranchu_irq *irq);
bool ranchu_line_has_irq(struct ranchu_line *line);
void ranchu_line_update(struct ranchu_line *line, bool told);
void ranchu_line_announce(struct ranchu_line *line, bool told);
void ranchu_line_update_locked(struct ranchu_line *line);
void ranchu_line_request(struct ranchu_line *line);
void ranchu_line_reset(struct ranchu_line *line);
void ranchu_line_restore(struct ranchu_line *line, bool raised);
void ranchu_line_acked(struct ranchu_line *line, bool more);
bool ranchu_line_raised(struct ranchu_line *line);

#endif /* _LINUX_RANCHU_H */
