/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Common functions of the tests of ranchu-vnc: a fake VM, which has a screen and records requests
 * to its devices; ranchu-vnc itself; and viewers.
 */
#ifndef VNC_LIB_H
#define VNC_LIB_H

#include <sys/types.h>
#include <rfb/rfb.h>
#include <rfb/rfbclient.h>

#include "types.h"

#define W	40
#define H	24

/**
 * struct shared - memory that is shared by the VM's process and the test
 * @frame: pixels of the guest, 32 bits each
 * @turns: rotation of the screen
 * @asked: requests to devices, a line each
 * @len: bytes of @asked
 * @frames: number of requests for the screen
 * @busy: requests to devices are refused now
 * @starting: number of further requests for the screen that are refused
 * @clipboard: the guest's clipboard
 * @copied: the guest has changed @clipboard, and this was not reported yet
 */
struct shared {
	u8 frame[4 * W * H];
	unsigned int turns;
	char asked[4096];
	unsigned int len;
	unsigned int frames;
	bool busy;
	unsigned int starting;
	char clipboard[64];
	bool copied;
};

extern struct shared *vm;
extern char socket_path[128];
extern char password_file[64];
extern char *by_socket[];

/* ---- time ---- */

unsigned int now_ms(void);
void pause_ms(unsigned int ms);

/* ---- the VM and ranchu-vnc ---- */

void vm_prepare(void);
void vm_start(void);
void vnc_start(char *const argv[]);
bool vnc_wait(void);
bool everything_open_with(char *const argv[], u32 rgb);
bool everything_open(char *const argv[]);
unsigned int everything_open_at_port(void);
void everything_close(void);
void vnc_signal(int signal);
int vnc_status(void);
bool server_kill(void);
void vm_close(void);
bool were_asked(const char *want);

/* ---- viewers ---- */

rfbClient *viewer_open(const char *host, int port);
rfbClient *viewer_with(const char *word, int port);
void viewer_close(rfbClient *viewer);
u32 shown(rfbClient *viewer, unsigned int x, unsigned int y);
bool shows(rfbClient *viewer, unsigned int x, unsigned int y, u32 rgb);
void pixel_set(unsigned int x, unsigned int y, u32 rgb);
bool port_answers(const char *address, unsigned int port);
int port_dial(unsigned int port);

#endif /* VNC_LIB_H */
