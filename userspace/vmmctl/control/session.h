/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What a run of a VM has open beside the VM: loops, signals, images, the kernel's files,
 * and what the VM's devices are connected to on the host.
 */
#ifndef SESSION_H
#define SESSION_H

#include "boot/boot.h"
#include "control/emulator_port.h"
#include "control/steering.h"
#include "host/host.h"
#include "host/image.h"

struct vmm_screen_socket;

/**
 * struct vmm_session - vmmctl while it runs a VM
 * @cfg: the command line
 * @loop: the main thread's loop
 * @devices: the loop of devices, inside @loop; files of what asks devices are in it, too
 * @host: what devices are connected to
 * @screen: a socket by which a program draws, or NULL
 * @signal_fd: signalfd of SIGUSR1 and SIGUSR2, which ask devices
 * @cont_fd: signalfd of SIGCONT
 * @read_window: the guest may read registers from memory
 * @confined: the sandbox was entered
 * @loaded: the snapshot that the command line names was loaded, or loading it was tried
 * @images: the disks' images, locked
 * @boot: what the guest starts from
 * @emulator: the port of the emulator's console
 * @steering: how the VM is controlled from outside
 * @vm: the VM
 */
struct vmm_session {
	const struct vmm_config *cfg;
	struct vmm_loop *loop;
	struct vmm_loop *devices;
	struct vmm_host host;
	struct vmm_screen_socket *screen;
	int signal_fd;
	int cont_fd;
	bool read_window;
	bool confined;
	bool loaded;
	struct vmm_images images;
	struct vmm_boot boot;
	struct vmm_emulator_port emulator;
	struct vmm_steering steering;
	struct vmm_vm vm;
};

/* A session that vmm_session_close() can close. */
#define VMM_SESSION_NONE { \
	.signal_fd = -1, .cont_fd = -1, .steering.every_fd = -1, .steering.boot_fd = -1, \
	.emulator = VMM_EMULATOR_PORT_NONE, .boot = { .kernel.fd = -1, .initrd.fd = -1 }, \
}

/* ---- session.c: what is open on the host ---- */

int vmm_session_open(struct vmm_session *s);
void vmm_session_close(struct vmm_session *s);
int vmm_session_confine(struct vmm_session *s);

/* ---- session_signals.c: signals ---- */

int vmm_session_signals(struct vmm_session *s);

#endif /* SESSION_H */
