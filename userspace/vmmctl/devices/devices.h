/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * devices/ owns the device models, one file for each device.
 */
#ifndef DEVICES_H
#define DEVICES_H

#include "devices/uart.h"
#include "machine/machine.h"
#include "virtio/virtio.h"

/* ---- models on the board ---- */

extern const struct vmm_device_ops vmm_pl011_ops;
extern const struct vmm_device_ops vmm_pl031_ops;
extern const struct vmm_device_ops vmm_pl061_ops;
extern const struct vmm_device_ops vmm_gicv2m_ops;
extern const struct vmm_device_ops vmm_pipe_ops;
extern const struct vmm_device_ops vmm_pstore_ops;
extern const struct vmm_device_ops vmm_vmgenid_ops;
extern const struct vmm_device_ops vmm_goldfish_fb_ops;
extern const struct vmm_device_ops vmm_goldfish_battery_ops;
extern const struct vmm_device_ops vmm_goldfish_audio_ops;
extern const struct vmm_device_ops vmm_goldfish_events_ops;
extern const struct vmm_device_ops vmm_goldfish_sync_ops;
extern const struct vmm_device_ops vmm_goldfish_rtc_ops;
extern const struct vmm_device_ops vmm_goldfish_rotary_ops;
extern const struct vmm_device_ops vmm_uart16550_ops;
extern const struct vmm_device_ops vmm_cmos_ops;
extern const struct vmm_device_ops vmm_acpi_pm_ops;
extern const struct vmm_device_ops vmm_pc_reset_ops;
extern const struct vmm_device_ops vmm_i8042_ops;
extern const struct vmm_device_ops vmm_pvpanic_ops;
extern const struct vmm_device_ops vmm_stall_detector_ops;

/* ---- goldfish_pipe.c ---- */

int vmm_pipe_open_node(void);

/* ---- pl011.c ---- */

#define VMM_PL011_FIFO	16	/* bytes, revision 1 of the PrimeCell */

/**
 * struct vmm_pl011 - the register model of a PL011
 * @irq: called with the level of the line when it changes
 * @put: called with a byte that the guest sent
 * @room: called when bytes can be received again
 * @arg: first argument of the three
 * @lock: protects all that follows; held when the three are called
 * @fifo: what was received, a ring
 * @head: oldest byte in @fifo
 * @count: bytes in @fifo
 * @ilpr: low-power counter, stored only
 * @ibrd: baud rate, stored only
 * @fbrd: its fraction, stored only
 * @lcrh: line control; only the FIFO enable bit has an effect
 * @cr: control, stored only
 * @ifls: FIFO levels that raise interrupts
 * @imsc: interrupts that are enabled
 * @dmacr: DMA control, stored only
 * @tx_raw: the transmit interrupt, before the mask
 * @level: the level that @irq was called with last
 * @paused: nothing is received
 * @counts: counters, read without the lock
 */
struct vmm_pl011 {
	void (*irq)(void *arg, bool level);
	void (*put)(void *arg, u8 byte);
	void (*room)(void *arg);
	void *arg;
	pthread_mutex_t lock;
	u8 fifo[VMM_PL011_FIFO];
	unsigned int head;
	unsigned int count;
	u32 ilpr;
	u32 ibrd;
	u32 fbrd;
	u32 lcrh;
	u32 cr;
	u32 ifls;
	u32 imsc;
	u32 dmacr;
	u32 tx_raw;
	bool level;
	bool paused;
	struct vmm_uart_counts counts;
};

void vmm_pl011_init(struct vmm_pl011 *uart);
void vmm_pl011_reset(struct vmm_pl011 *uart);
u32 vmm_pl011_read(struct vmm_pl011 *uart, u32 offset);
void vmm_pl011_write(struct vmm_pl011 *uart, u32 offset, u32 value);
size_t vmm_pl011_take(void *arg, const u8 *bytes, size_t len);

/* ---- pl031.c ---- */

/**
 * struct vmm_pl031 - the register model of a PL031
 * @irq: called with the level of the line when it changes
 * @now: returns the second of the host's clock
 * @alarm: called with the second from which on vmm_pl031_due() must be called, 0 for never
 * @arg: first argument of the three
 * @lock: protects all that follows; held when the three are called
 * @offset: the guest's time minus the host's, seconds; wraps
 * @match: the guest's time of the alarm
 * @load: the time that the guest has set
 * @imsc: interrupts that are enabled
 * @ris: the alarm's interrupt, before the mask
 * @due: host time of the alarm in seconds, 0 for no alarm
 * @level: the level that @irq was called with last
 * @paused: no alarm is raised
 */
struct vmm_pl031 {
	void (*irq)(void *arg, bool level);
	s64 (*now)(void *arg);
	void (*alarm)(void *arg, s64 at);
	void *arg;
	pthread_mutex_t lock;
	u32 offset;
	u32 match;
	u32 load;
	u32 imsc;
	u32 ris;
	s64 due;
	bool level;
	bool paused;
};

void vmm_pl031_init(struct vmm_pl031 *rtc);
void vmm_pl031_reset(struct vmm_pl031 *rtc);
u32 vmm_pl031_read(struct vmm_pl031 *rtc, u32 offset);
void vmm_pl031_write(struct vmm_pl031 *rtc, u32 offset, u32 value);
void vmm_pl031_due(struct vmm_pl031 *rtc);
void vmm_pl031_pause(struct vmm_pl031 *rtc, bool paused);

/* ---- pl061.c ---- */

/* Registers that keep the written value, by the manual's names. */
enum {
	VMM_PL061_DIR,
	VMM_PL061_IS,
	VMM_PL061_IBE,
	VMM_PL061_IEV,
	VMM_PL061_IE,
	VMM_PL061_AFSEL,
	VMM_PL061_REGS
};

/**
 * struct vmm_pl061 - the register model of a PL061; in all members, a bit is a line
 * @irq: called with the level of the interrupt when it changes
 * @arg: first argument of it
 * @lock: protects all that follows; held when @irq is called
 * @reg: registers that keep the written value
 * @out: levels of lines that are outputs
 * @in: levels of lines that are inputs
 * @edges: edges that occurred and that the guest has not cleared
 * @level: the level that @irq was called with last
 */
struct vmm_pl061 {
	void (*irq)(void *arg, bool level);
	void *arg;
	pthread_mutex_t lock;
	u8 reg[VMM_PL061_REGS];
	u8 out;
	u8 in;
	u8 edges;
	bool level;
};

void vmm_pl061_init(struct vmm_pl061 *gpio);
void vmm_pl061_reset(struct vmm_pl061 *gpio);
u32 vmm_pl061_read(struct vmm_pl061 *gpio, u32 offset);
void vmm_pl061_write(struct vmm_pl061 *gpio, u32 offset, u32 value);
bool vmm_pl061_set(struct vmm_pl061 *gpio, unsigned int line, bool level);

/* ---- stall_detector.c ---- */

/**
 * struct vmm_stall_cpu - the counter of a vCPU
 * @running: it runs down
 * @hz: ticks a second
 * @load: ticks that it was loaded with last
 * @left: what is left of them, 1000000000 for a tick
 */
struct vmm_stall_cpu {
	bool running;
	u32 hz;
	u32 load;
	u64 left;
};

/**
 * struct vmm_stall - the register model of a detector of stuck vCPUs
 * @now: tells the nanosecond of a clock of the host's that nobody sets
 * @wake: told at which nanosecond of it vmm_stall_look() is to be called, 0 for never
 * @arg: first argument of the two
 * @lock: protects all that follows but @cpus; held when the two are called
 * @cpus: how many vCPUs the guest has
 * @cpu: their counters
 * @last: until when time was counted
 * @at: what @wake was told last, 0 once that is over
 * @paused: no time counts
 * @reloads: how often a counter was loaded, read without the lock
 */
struct vmm_stall {
	s64 (*now)(void *arg);
	void (*wake)(void *arg, s64 at);
	void *arg;
	pthread_mutex_t lock;
	unsigned int cpus;
	struct vmm_stall_cpu cpu[VMM_MAX_CPUS];
	s64 last;
	s64 at;
	bool paused;
	u64 reloads;
};

void vmm_stall_init(struct vmm_stall *stall, unsigned int cpus);
void vmm_stall_reset(struct vmm_stall *stall);
u32 vmm_stall_read(struct vmm_stall *stall, u64 offset);
void vmm_stall_write(struct vmm_stall *stall, u64 offset, u32 value);
int vmm_stall_look(struct vmm_stall *stall, u32 *seconds);
void vmm_stall_pause(struct vmm_stall *stall, bool paused);

/* ---- models behind a virtio transport ---- */

void vmm_net_mac(const struct vmm_virtio *v, const struct vmm_backend *asked, u8 mac[6]);
void vmm_net_config(struct vmm_virtio *v, const u8 mac[6], unsigned int status, unsigned int mtu);

/* net_control.c: the control queue of a network device */

struct vmm_net_control;

struct vmm_net_control *vmm_net_control_open(struct vmm_virtio *v, void (*announced)(void *arg),
					     void *arg);
void vmm_net_control_close(struct vmm_net_control *control);
int vmm_net_control_start(struct vmm_net_control *control);
void vmm_net_control_stop(struct vmm_net_control *control);
void vmm_net_control_pause(struct vmm_net_control *control, bool pause);
int vmm_net_control_base(struct vmm_net_control *control, u32 *base);

/* tap_counts.c: counters of a network interface */

#define VMM_TAP_COUNTS	6

/**
 * struct vmm_tap_counts - counters of a network interface of the host
 * @fd: sysfs file of each counter, or -1
 * @first: value of each when it was opened
 */
struct vmm_tap_counts {
	int fd[VMM_TAP_COUNTS];
	u64 first[VMM_TAP_COUNTS];
};

void vmm_tap_counts_open(struct vmm_tap_counts *tap, const char *dir, unsigned int index);
void vmm_tap_counts_close(struct vmm_tap_counts *tap);
void vmm_tap_counts_report(const struct vmm_tap_counts *tap, struct vmm_report *report);

extern const struct vmm_virtio_ops vmm_blk_ops;
extern const struct vmm_virtio_ops vmm_scsi_ops;
extern const struct vmm_virtio_ops vmm_net_ops;
extern const struct vmm_virtio_ops vmm_vdpa_ops;
extern const struct vmm_virtio_ops vmm_vhost_user_ops;

/* user_blk.c: a disk that vmmctl serves itself */
struct vmm_user_blk;
struct vhost_ranchu_blk_backend;
struct vhost_ranchu_blk_info;
struct vhost_ranchu_blk_stats;

struct vmm_user_blk *vmm_user_blk_open(struct vmm_virtio *v, u64 features,
				       const struct vmm_disk *disk,
				       const struct vhost_ranchu_blk_backend *backend);
void vmm_user_blk_close(struct vmm_user_blk *blk);
int vmm_user_blk_start(struct vmm_user_blk *blk, unsigned int rings);
void vmm_user_blk_stop(struct vmm_user_blk *blk);
int vmm_user_blk_resize(struct vmm_user_blk *blk);
void vmm_user_blk_pause(struct vmm_user_blk *blk, bool paused);
int vmm_user_blk_base(struct vmm_user_blk *blk, unsigned int queue, u32 *base);
void vmm_user_blk_info(const struct vmm_user_blk *blk, struct vhost_ranchu_blk_info *info);
void vmm_user_blk_stats(struct vmm_user_blk *blk, struct vhost_ranchu_blk_stats *stats,
			struct vmm_report *report);

extern const struct vmm_virtio_ops vmm_vsock_ops;
extern const struct vmm_virtio_ops vmm_rng_ops;
extern const struct vmm_virtio_ops vmm_balloon_ops;
extern const struct vmm_virtio_ops vmm_hvc_ops;
extern const struct vmm_virtio_ops vmm_keyboard_ops;
extern const struct vmm_virtio_ops vmm_touch_ops;
extern const struct vmm_virtio_ops vmm_sound_ops;

#endif /* DEVICES_H */
