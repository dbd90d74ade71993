// SPDX-License-Identifier: GPL-2.0-only
/*
 * Fuzz target: vmmctl's half of the guest services, with a ranchu-services that sends
 * anything, reads or does not, ends and comes again, and with users who ask for anything.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "host/guest.h"
#include "machine/machine.h"
#include "machine/text.h"
#include "fuzz.h"

static struct {
	struct vmm_loop *loop;
	int tick_fd;
	struct vmm_guest *guest;
	struct vmm_text text;
	int link;
	unsigned int booted;
} fuzz;

static int device_services(void *arg)
{
	return open("/dev/null", O_RDONLY | O_CLOEXEC);
}

static const struct vmm_guest_device device = { .services = device_services };

static void on_booted(void *arg)
{
	fuzz.booted++;
	MUST(fuzz.booted == 1);
}

static void on_clipboard(void *arg)
{
}

static const struct vmm_guest_ops ops = { .booted = on_booted, .clipboard = on_clipboard };

static int tick(void *arg)
{
	vmm_event_clear(fuzz.tick_fd);
	return 1;
}

static void serve(void)
{
	unsigned int i;

	for (i = 0; i < 2; i++) {
		vmm_event_signal(fuzz.tick_fd);
		MUST(!vmm_loop_add(fuzz.loop, fuzz.tick_fd, tick, NULL));
		MUST(vmm_loop_run(fuzz.loop) == 1);
		vmm_loop_del(fuzz.loop, fuzz.tick_fd);
	}
}

static void come(void)
{
	int pair[2];
	int fd;

	MUST(!socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair));
	fd = vmm_guest_connect(fuzz.guest, pair[1]);
	if (fd < 0) {
		MUST(fd == -EALREADY);
		close(pair[0]);
		close(pair[1]);
		return;
	}
	MUST(fcntl(fd, F_GETFD) >= 0);
	if (fuzz.link >= 0)
		close(fuzz.link);
	fuzz.link = pair[0];
}

static void leave(void)
{
	if (fuzz.link >= 0)
		close(fuzz.link);
	fuzz.link = -1;
}

static void send_some(struct input *in)
{
	static struct {
		u32 what;
		s32 number;
		char text[2 * VMM_GUEST_TEXT];
	} record;
	unsigned int how = take(in, 1);
	size_t len = how & 0x40 ? take(in, 2) % sizeof(record) : 8 + (how & 7);
	size_t i;

	record.what = take(in, 1) & 15;
	record.number = (s32)take(in, 1) - 4;
	for (i = 0; i < 8; i++)
		record.text[i] = take(in, 1);
	if (fuzz.link >= 0)
		send(fuzz.link, &record, len, MSG_DONTWAIT | MSG_NOSIGNAL);
}

static void ask(struct input *in)
{
	static const char *const commands[][2] = {
		{ "sensors", "status" }, { "sensors", "get" }, { "sensors", "set" },
		{ "gps", "fix" }, { "gps", "nmea" }, { "fingerprint", "touch" },
		{ "fingerprint", "remove" }, { "clipboard", "get" }, { "clipboard", "set" },
		{ "displays", "add" }, { "displays", "del" }, { "guest", "heartbeat" },
		{ "guest", "lights" },
	};
	static const char *const words[] = {
		"acceleration", "acceleration 1:2:3", "light 1", "light 1e9:", "8.5 47.4", "1 2 3",
		"$GPGGA", "7", "hello", "2 640 480 160 0", "2",
	};
	const char *const *command = commands[take(in, 1) % ARRAY_SIZE(commands)];
	unsigned int how = take(in, 1);
	char value[40] = "";
	unsigned int i;

	if (how < 0xc0)
		snprintf(value, sizeof(value), "%s", words[how % ARRAY_SIZE(words)]);
	else
		for (i = 0; i < (how & 0x1f); i++)
			value[i] = take(in, 1);
	vmm_text_clear(&fuzz.text);
	/* Whoever is refused is told why. */
	MUST(!vmm_guest_command(fuzz.guest, command[0], command[1], how == 0xff ? NULL : value,
				&fuzz.text) || fuzz.text.len);
	MUST(!fuzz.text.cut);
}

static void hear(void)
{
	struct vmm_guest_record record;
	size_t len;

	while (fuzz.link >= 0 && !vmm_guest_receive(fuzz.link, &record, &len))
		MUST(record.what >= VMM_GUEST_SENSOR && record.what <= VMM_GUEST_DISPLAY &&
		     len <= VMM_GUEST_TEXT);
}

/* What JSON has to carry is UTF-8. */
static void clipboard_check(void)
{
	size_t at, one;

	vmm_text_clear(&fuzz.text);
	MUST(!vmm_guest_command(fuzz.guest, "clipboard", "get", NULL, &fuzz.text));
	for (at = 0; at < fuzz.text.len; at += one) {
		one = vmm_text_utf8(fuzz.text.bytes + at, fuzz.text.len - at);
		MUST(one);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = { data, size };

	if (!fuzz.loop) {
		fuzz.loop = vmm_loop_create();
		fuzz.tick_fd = vmm_event_create();
	}
	fuzz.link = -1;
	fuzz.booted = 0;
	fuzz.guest = vmm_guest_open(fuzz.loop, &ops, NULL);
	MUST(fuzz.guest && !vmm_guest_attach(fuzz.guest, &device, NULL));
	while (in.left) {
		unsigned int what = take(&in, 1) & 15;

		if (what < 2)
			come();
		else if (what < 8)
			send_some(&in);
		else if (what < 13)
			ask(&in);
		else if (what == 13)
			hear();
		else if (what == 14)
			leave();
		if (what == 15) {
			vmm_guest_life(fuzz.guest);
			fuzz.booted = 0;
		}
		serve();
	}
	clipboard_check();
	leave();
	serve();
	vmm_guest_detach(fuzz.guest);
	vmm_guest_close(fuzz.guest);
	return 0;
}
