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
struct pid;
struct ranchu_doorbell;
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

/* ---- worker: worker.c ---- */

/**
 * struct ranchu_work - something for the worker to do
 * @node: on the worker's list; empty when not queued
 * @fn: called in the worker, once for each time it was queued
 */
struct ranchu_work {
	struct list_head node;
	void (*fn)(struct ranchu_work *work);
};

/**
 * struct ranchu_worker - a thread that shares the owner's mm
 * @lock: protects @works and @dead
 * @works: queued, first in first out
 * @dead: no work is taken any more: never started, stopped, or owner killed
 * @task: the thread; NULL when not started
 * @killed: called in the thread, its last act, when the owner was killed before
 *	ranchu_worker_stop(); no work is or will be called. May be NULL.
 */
struct ranchu_worker {
	spinlock_t lock;	/* @works and @dead */
	struct list_head works;
	bool dead;
	struct vhost_task *task;
	void (*killed)(struct ranchu_worker *worker);
};

void ranchu_worker_init(struct ranchu_worker *worker);
int ranchu_worker_start(struct ranchu_worker *worker, const char *name);
void ranchu_worker_stop(struct ranchu_worker *worker);
void ranchu_work_init(struct ranchu_work *work,
		      void (*fn)(struct ranchu_work *work));
int ranchu_work_queue(struct ranchu_worker *worker, struct ranchu_work *work);

/* ---- end of a device: release.c ---- */

/**
 * struct ranchu_release - the end of a device, in what its file is of
 * @work: ours
 * @owner: the device's module
 * @fn: ends the device and frees it
 */
struct ranchu_release {
	struct work_struct work;
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

bool ranchu_doorbell_supported(void);
int ranchu_doorbell_test(void);
struct ranchu_doorbell *
ranchu_doorbell_create(struct mm_struct *mm, struct ranchu_worker *worker,
		       enum ranchu_serve serve, ranchu_ring_fn fn, void *data);
int ranchu_doorbell_ring_in(struct ranchu_doorbell *doorbell,
			    struct task_struct *task);
struct ranchu_doorbell *
ranchu_doorbell_attach(int fd, struct mm_struct *mm,
		       struct ranchu_worker *worker, enum ranchu_serve serve,
		       ranchu_ring_fn fn, void *data);
void ranchu_doorbell_detach(struct ranchu_doorbell *doorbell);
void ranchu_eventfd_signal(struct eventfd_ctx *ctx);

/* ---- interrupt line: line.c ---- */

/**
 * enum ranchu_line_state - what the guest has been told
 * @RANCHU_LINE_IDLE: nothing is outstanding. Entered by the end of interrupt
 *	with nothing new to announce. publish() may be called.
 * @RANCHU_LINE_RAISED: a batch is the guest's to read. Entered when publish()
 *	had something; left by the end of interrupt only, so a batch is never
 *	overwritten while the guest reads it.
 * @RANCHU_LINE_PROMISED: the line is up, and &ranchu_line.vcpu is to put the
 *	batch there before it enters the guest. Left by the end of interrupt, or
 *	for one of the next two.
 * @RANCHU_LINE_RAISED_FOR_VCPU: the line was up before the batch was there, but
 *	&ranchu_line.vcpu has put it there before it entered the guest. If it is
 *	that vCPU which ends the interrupt, the guest has seen the batch. If it is
 *	another one, the line is raised again.
 * @RANCHU_LINE_RAISED_LATE: the line was up before the batch was there, and
 *	somebody else has put it there: nobody knows whether the guest has seen it.
 *	At the end of interrupt the line is raised again.
 */
enum ranchu_line_state {
	RANCHU_LINE_IDLE,
	RANCHU_LINE_RAISED,
	RANCHU_LINE_PROMISED,
	RANCHU_LINE_RAISED_FOR_VCPU,
	RANCHU_LINE_RAISED_LATE,
};

/**
 * struct ranchu_line - a level-triggered interrupt line
 * @lock: serialises @publish, and all changes of @state but promises
 * @raise_lock: protects the changes of @state, @call, @resample, @promise and
 *	@vcpu
 * @state: see enum ranchu_line_state
 * @call: raises the line; NULL for none
 * @resample: rings when the guest ends the interrupt; NULL if the VMM lowers
 *	the line itself and tells by ranchu_line_acked()
 * @promise: rings in @vcpu when the line was raised before there is a batch
 * @vcpu: the thread in which the guest last ended an interrupt, or NULL
 * @work: ranchu_line_request()'s
 * @worker: runs @work and foreign rings of @resample
 * @publish: put the next batch where the guest will look and say whether there
 *	is one. @ended: the interrupt ended, so whatever the guest may still see
 *	of the last batch must go. Called with @lock held, vCPU or worker.
 * @resampled: tell that the guest ended an interrupt (for counting)
 */
struct ranchu_line {
	struct mutex lock;	/* see @lock above */
	spinlock_t raise_lock;	/* see above */
	enum ranchu_line_state state;
	struct eventfd_ctx *call;
	struct ranchu_doorbell *resample;
	struct ranchu_doorbell *promise;
	struct task_struct *vcpu;
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
void ranchu_line_update(struct ranchu_line *line, bool told);
void ranchu_line_request(struct ranchu_line *line);
void ranchu_line_reset(struct ranchu_line *line);
void ranchu_line_acked(struct ranchu_line *line, bool more);
bool ranchu_line_raised(struct ranchu_line *line);

#endif /* _LINUX_RANCHU_H */
