// SPDX-License-Identifier: GPL-2.0-only
/*
 * The command line and sizes.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "cli/cli.h"
#include "tests/tap.h"

#define MAX_ARGS	(VMM_PIPE_SERVICES + 4)

/* One byte more than fits if a port is appended. */
#define TEN		"1234567890"
#define LONG_PATH	TEN TEN TEN TEN TEN TEN TEN TEN TEN "1234567"

static const struct {
	const char *text;
	int err;
	u64 bytes;
} sizes[] = {
	{ "0", 0, 0 },
	{ "1", 0, 1 },
	{ "4096", 0, 4096 },
	{ "1k", 0, 1024 },
	{ "1K", 0, 1024 },
	{ "256M", 0, 256ULL << 20 },
	{ "2g", 0, 2ULL << 30 },
	{ "2G", 0, 2ULL << 30 },
	{ "18446744073709551615", 0, ~0ULL },
	{ "18446744073709551616", -ERANGE, 0 },
	{ "17179869184G", -ERANGE, 0 },
	{ "", -EINVAL, 0 },
	{ "M", -EINVAL, 0 },
	{ "-1", -EINVAL, 0 },
	{ "+1", -EINVAL, 0 },
	{ " 1", -EINVAL, 0 },
	{ "1 ", -EINVAL, 0 },
	{ "1T", -EINVAL, 0 },
	{ "1MB", -EINVAL, 0 },
	{ "0x10", -EINVAL, 0 },
	{ "1.5G", -EINVAL, 0 },
};

static void sizes_are_read(void)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		u64 bytes = 0;
		int err = vmm_options_size(sizes[i].text, &bytes);

		tap_context("\"%s\"", sizes[i].text);
		tap_check(err == sizes[i].err);
		if (!err)
			tap_equal(bytes, sizes[i].bytes);
	}
}

/* The last parsed config; its strings are valid until the next one is parsed. */
static struct vmm_config last;

static int parse(struct vmm_config *cfg, const char *const *words)
{
	int err;
	char *argv[MAX_ARGS + 2] = { "vmmctl" };
	int argc = 1;

	while (*words)
		argv[argc++] = (char *)*words++;
	tap_context("%s %s %s", argv[1] ? argv[1] : "nothing", argc > 2 ? argv[2] : "",
		    argc > 3 ? argv[argc - 1] : "");
	vmm_options_free(&last);
	err = vmm_options_parse(cfg, argc, argv);
	last.texts = cfg->texts;
	return err;
}

static void defaults_are_right(void)
{
	static const char *const words[] = { "run", "--kernel", "Image", NULL };
	struct vmm_config cfg;

	tap_equal(parse(&cfg, words), 0);
	tap_equal(cfg.command, VMM_CMD_RUN);
	tap_check(!strcmp(cfg.kernel, "Image"));
	tap_check(!cfg.initrd && !*cfg.append && !cfg.stats_at && !cfg.stats_file);
	tap_equal(cfg.cpus, 1);
	tap_equal(cfg.memory, 1ULL << 30);
	tap_equal(cfg.gic, VMM_GIC_AUTO);
	tap_equal(cfg.pipe, VMM_PIPE_KERNEL);
	tap_equal(cfg.window, VMM_WINDOW_AUTO);
	tap_check(cfg.console && !cfg.stats && !cfg.no_reboot && cfg.rtc && cfg.vmgenid);
	tap_equal(cfg.pvpanic, VMM_PVPANIC_AUTO);
	tap_check(!cfg.stall_detector);
	tap_equal(cfg.vsock, VMM_VSOCK_NONE);
	tap_equal(cfg.adb_users, VMM_ADB_OWNER);
	tap_equal(cfg.adb, VMM_ADB_OFF);
	tap_check(!cfg.vsock_uds && !cfg.adb_socket && !cfg.virtio_packed);
}

static void all_options_are_read(void)
{
	static const char *const words[] = {
		"run", "--kernel=I", "--initrd=R", "--append=a b", "--cpus=8", "--memory=2G",
		"--gic=3", "--pipe=user", "--window=off", "--stats=F", "--stats-at=P",
		"--no-reboot", "--rtc=off", "--vmgenid=off", "--pvpanic=on", "--vsock=3",
		"--adb-users=all", "--stall-detector=on", NULL
	};
	struct vmm_config cfg;

	tap_equal(parse(&cfg, words), 0);
	tap_check(cfg.stall_detector);
	tap_check(!cfg.rtc && !cfg.vmgenid && cfg.pvpanic == VMM_PVPANIC_ON);
	tap_equal(cfg.adb_users, VMM_ADB_ALL);
	tap_check(!strcmp(cfg.initrd, "R") && !strcmp(cfg.append, "a b"));
	tap_equal(cfg.cpus, 8);
	tap_equal(cfg.memory, 2ULL << 30);
	tap_equal(cfg.gic, VMM_GIC_V3);
	tap_equal(cfg.pipe, VMM_PIPE_USER);
	tap_equal(cfg.window, VMM_WINDOW_OFF);
	tap_check(cfg.stats && !strcmp(cfg.stats_file, "F") && !strcmp(cfg.stats_at, "P"));
	tap_check(cfg.no_reboot);
}

static void disks_are_read(void)
{
	char plain[] = "/dev/sdx";
	char full[] = "D,readonly,direct,block=4096,queues=8,served=user,fstab=vendor";
	const char *const words[] = {
		"run", "--kernel=I", "--disk", plain, "--disk", full, NULL
	};
	struct vmm_config cfg;

	tap_check(!parse(&cfg, words));
	tap_equal(cfg.disks, 2);
	tap_check(!strcmp(cfg.disk[0].path, "/dev/sdx") && !strcmp(cfg.disk[1].path, "D"));
	tap_check(!cfg.disk[0].readonly && !cfg.disk[0].direct && !cfg.disk[0].user);
	tap_equal(cfg.disk[0].block_size, 512);
	tap_equal(cfg.disk[0].queues, 1);
	tap_check(cfg.disk[1].readonly && cfg.disk[1].direct && cfg.disk[1].user);
	tap_check(!cfg.disk[0].fstab && !strcmp(cfg.disk[1].fstab, "vendor"));
	tap_equal(cfg.disk[1].block_size, 4096);
	tap_equal(cfg.disk[1].queues, 8);
}

/* The parser modifies its input. */
static void small_devices_are_read(void)
{
	char rng[] = "rng", one[] = "console=/a", two[] = "console=/b=c", wrong[] = "disk";
	const char *const words[] = {
		"run", "--kernel=I", "--virtio", one, "--virtio", rng, "--virtio", two, NULL
	};
	const char *const bad[] = { "run", "--kernel=I", "--virtio", wrong, NULL };
	struct vmm_config cfg;

	tap_check(!parse(&cfg, words));
	tap_equal(vmm_builtin_count(&cfg, VMM_BUILTIN_CONSOLE), 2);
	tap_equal(vmm_builtin_count(&cfg, VMM_BUILTIN_BALLOON), 0);
	tap_check(!vmm_builtin_find(&cfg, VMM_BUILTIN_RNG, 0)->path);
	tap_check(!strcmp(vmm_builtin_find(&cfg, VMM_BUILTIN_CONSOLE, 0)->path, "/a"));
	tap_check(!strcmp(vmm_builtin_find(&cfg, VMM_BUILTIN_CONSOLE, 1)->path, "/b=c"));
	tap_check(!vmm_builtin_find(&cfg, VMM_BUILTIN_CONSOLE, 2));
	tap_check(parse(&cfg, bad) == -EINVAL);
}

static void sound_has_its_ends(void)
{
	const char *const words[] = {
		"run", "--kernel=I", "--device=sound,play=/p,record=/r", "--device", "sound",
		"--device=sound,socket=/s", "--sound=wav=/a=b", NULL
	};
	const char *const other[] = {
		"run", "--kernel=I", "--sound", "socket=/c", "--sound=record=/r", "--sound=wav=/w",
		"--sound=record=/s", NULL
	};
	const struct vmm_builtin *card;
	struct vmm_config cfg;

	tap_check(!parse(&cfg, words));
	tap_equal(vmm_builtin_count(&cfg, VMM_BUILTIN_SOUND), 3);
	card = vmm_builtin_find(&cfg, VMM_BUILTIN_SOUND, 0);
	tap_check(!strcmp(card->play, "/p") && !strcmp(card->record, "/r") && !card->path);
	card = vmm_builtin_find(&cfg, VMM_BUILTIN_SOUND, 1);
	tap_check(!card->play && !card->record && !card->path);
	card = vmm_builtin_find(&cfg, VMM_BUILTIN_SOUND, 2);
	tap_check(!card->play && !strcmp(card->path, "/s"));
	tap_check(!strcmp(cfg.sound, "/a=b") && !cfg.sound_record && !cfg.sound_socket);
	tap_check(!parse(&cfg, other));
	tap_check(!strcmp(cfg.sound, "/w") && !strcmp(cfg.sound_record, "/s") &&
		  !strcmp(cfg.sound_socket, "/c"));
}

static void wrong_disks_are_refused(void)
{
	static const char *const wrong[] = {
		"", ",direct", "D,", "D,,direct", "D,raw", "D,block=1024", "D,block", "D,queues=0",
		"D,queues=9", "D,queues=10", "D,queues", "D,queues=", "D,served",
		"D,served=nobody", "D,fstab", "D,fstab=data",
	};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(wrong); i++) {
		char text[32];
		const char *const words[] = { "run", "--kernel=I", "--disk", text, NULL };
		struct vmm_config cfg;

		snprintf(text, sizeof(text), "%s", wrong[i]);
		tap_context("\"%s\"", wrong[i]);
		tap_check(parse(&cfg, words) == -EINVAL);
	}
}

/* The parser modifies its input, so each text is an array. */
static void devices_served_by_others_are_read(void)
{
	char tap[] = "tap=tap0,mac=02:aB:00:00:00:01,slot=31", plain[] = "tap=x";
	char blk[] = "blk,socket=/s,queues=8,slot=0,legacy", fs[] = "socket=/f,fs,tag=T";
	char vdpa[] = "dev=/dev/vhost-vdpa-0", disk[] = "D,slot=7,legacy";
	char scsi[] = "wwpn=naa.1", wide[] = "wwpn=iqn.x:y,queues=6,slot=4";
	const char *const words[] = {
		"run", "--kernel=I", "--net", tap, "--net", plain, "--vhost-user", blk,
		"--vhost-user", fs, "--vdpa", vdpa, "--disk", disk,
		"--scsi", scsi, "--scsi", wide, NULL
	};
	const struct vmm_backend *backend;
	struct vmm_config cfg;

	tap_check(!parse(&cfg, words));
	tap_equal(cfg.backends[VMM_BACKEND_NET], 2);
	backend = cfg.backend[VMM_BACKEND_NET];
	tap_check(!strcmp(backend[0].path, "tap0") && !strcmp(backend[1].path, "x"));
	tap_check(!memcmp(backend[0].mac, "\x02\xab\0\0\0\x01", 6));
	tap_check(!memcmp(backend[1].mac, "\0\0\0\0\0\0", 6));
	tap_equal(backend[0].transport.slot, 31);
	tap_check(!backend[0].transport.legacy && backend[1].transport.slot == -1);
	tap_equal(cfg.backends[VMM_BACKEND_VHOST_USER], 2);
	backend = cfg.backend[VMM_BACKEND_VHOST_USER];
	tap_check(backend[0].type == VMM_VHOST_USER_BLK && backend[1].type == VMM_VHOST_USER_FS);
	tap_check(!strcmp(backend[0].path, "/s") && !strcmp(backend[1].path, "/f"));
	tap_check(backend[0].queues == 8 && backend[0].transport.legacy &&
		  !backend[0].transport.slot);
	tap_check(!strcmp(backend[1].tag, "T") && !backend[1].queues);
	tap_equal(cfg.backends[VMM_BACKEND_VDPA], 1);
	tap_check(!strcmp(cfg.backend[VMM_BACKEND_VDPA][0].path, "/dev/vhost-vdpa-0"));
	tap_check(cfg.disk[0].transport.slot == 7 && cfg.disk[0].transport.legacy);
	tap_equal(cfg.backends[VMM_BACKEND_SCSI], 2);
	backend = cfg.backend[VMM_BACKEND_SCSI];
	tap_check(!strcmp(backend[0].path, "naa.1") && !strcmp(backend[1].path, "iqn.x:y"));
	tap_check(backend[0].queues == 1 && backend[1].queues == 6);
	tap_check(backend[0].transport.slot == -1 && backend[1].transport.slot == 4);
}

static void wrong_devices_are_refused(void)
{
	static const struct { const char *option, *text; } wrong[] = {
		{ "--net", "" },
		{ "--net", "tap=" },
		{ "--net", "tap" },
		{ "--net", "mac=02:0:0:0:0:0" },
		{ "--net", "tap=a,mac=02:00:00:00:00" },
		{ "--net", "tap=a,mac=02:00:00:00:00:00:00" },
		{ "--net", "tap=a,mac=01:00:00:00:00:00" },
		{ "--net", "tap=1234567890123456" },
		{ "--net", "tap=a,slot=32" },
		{ "--net", "tap=a,slot=-1" },
		{ "--net", "tap=a,slot" },
		{ "--net", "tap=a,slot=1x" },
		{ "--net", "tap=a,legacy=1" },
		{ "--net", "tap=a,queues=2" },
		{ "--vhost-user", "blk" },
		{ "--vhost-user", "socket=s" },
		{ "--vhost-user", "blk,socket=" },
		{ "--vhost-user", "blk,fs,socket=s,tag=t" },
		{ "--vhost-user", "fs,socket=s" },
		{ "--vhost-user", "gpu,socket=s,legacy" },
		{ "--vhost-user", "gpu,socket=s,mac=02:00:00:00:00:00" },
		{ "--vhost-user", "blk,socket=s,tag=t" },
		{ "--vhost-user", "blk=1,socket=s" },
		{ "--vhost-user", "blk,socket=s,queues=9" },
		{ "--vhost-user", "blk,socket=s,tap=t" },
		{ "--vhost-user", "rng,socket=s,mac=02:00:00:00:00:00" },
		{ "--vhost-user", "fs,socket=s,tag=" TEN TEN TEN "1234567" },
		{ "--scsi", "" },
		{ "--scsi", "naa.1" },
		{ "--scsi", "wwpn=" },
		{ "--scsi", "queues=1" },
		{ "--scsi", "wwpn=naa.1,queues=0" },
		{ "--scsi", "wwpn=naa.1,queues=7" },
		{ "--scsi", "wwpn=naa.1,lun=0" },
		{ "--vdpa", "/dev/x" },
		{ "--vdpa", "dev=" },
		{ "--disk", "D,slot=32" },
		{ "--disk", "D,legacy=no" },
	};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(wrong); i++) {
		char text[80];
		const char *const words[] = { "run", "--kernel=I", wrong[i].option, text, NULL };
		struct vmm_config cfg;

		snprintf(text, sizeof(text), "%s", wrong[i].text);
		tap_context("%s \"%s\"", wrong[i].option, wrong[i].text);
		tap_check(parse(&cfg, words) == -EINVAL);
	}
}

static void vsock_is_read(void)
{
	static const char *const adb[] = {
		"run", "--kernel=I", "--vsock=77", "--vsock-uds=U", "--adb-socket=A",
		"--virtio-packed=on", "--redir=tcp:1:0", "--redir", "tcp:65535:4294967294", NULL
	};
	static const char *const linux_own[] = {
		"run", "--kernel=I", "--vsock", "4294967294,dev=/dev/vhost-vsock", NULL
	};
	static const char *const off[] = {
		"run", "--kernel=I", "--vsock", "3,dev=/dev/vhost-vsock-adb", "--adb=off", NULL
	};
	struct vmm_config cfg;

	tap_equal(parse(&cfg, adb), 0);
	tap_equal(cfg.vsock, VMM_VSOCK_ADB);
	tap_equal(cfg.vsock_cid, 77);
	tap_equal(cfg.adb, VMM_ADB_ON);
	tap_check(!strcmp(cfg.vsock_uds, "U") && !strcmp(cfg.adb_socket, "A"));
	tap_check(cfg.virtio_packed);
	tap_equal(cfg.redirs, 2);
	tap_check(cfg.redir[0].host_port == 1 && !cfg.redir[0].guest_port);
	tap_check(cfg.redir[1].host_port == 65535 && cfg.redir[1].guest_port == 0xfffffffe);
	tap_equal(parse(&cfg, linux_own), 0);
	tap_equal(cfg.vsock, VMM_VSOCK_LINUX);
	tap_equal(cfg.vsock_cid, 0xfffffffe);
	tap_equal(cfg.adb, VMM_ADB_OFF);
	tap_equal(parse(&cfg, off), 0);
	tap_equal(cfg.vsock, VMM_VSOCK_ADB);
	tap_equal(cfg.adb, VMM_ADB_OFF);
}

static void adb_transport_is_read(void)
{
	static const char *const by_pipe[] = {
		"run", "--kernel=I", "--adb-transport=pipe", "--adb-socket=A", NULL
	};
	static const char *const both[] = {
		"run", "--kernel=I", "--adb-transport", "pipe", "--vsock=3", "--vsock-uds=U",
		"--adb=off", NULL
	};
	struct vmm_config cfg;

	tap_equal(parse(&cfg, by_pipe), 0);
	tap_equal(cfg.adb_transport, VMM_ADB_BY_PIPE);
	tap_equal(cfg.adb, VMM_ADB_ON);
	tap_check(!strcmp(cfg.adb_socket, "A"));
	tap_equal(parse(&cfg, both), 0);
	tap_equal(cfg.adb, VMM_ADB_OFF);
	tap_equal(cfg.vsock, VMM_VSOCK_ADB);
}

static void pipe_services_are_read(void)
{
	static const char *const words[] = {
		"run", "--kernel=I", "--pipe-service", "logcat=unix:/tmp/l",
		"--pipe-service=unix:/a=unix:/b=unix:/c", "--pipe-socket", "/d",
		"--guest-services", "--sync", "user", "--sync-socket", "/e",
		"--screen-socket", "/f", "--quit-after-boot", "300", NULL
	};
	struct vmm_config cfg;

	tap_equal(parse(&cfg, words), 0);
	tap_equal(cfg.quit_after_boot, 300);
	tap_equal(cfg.n_services, 2);
	tap_equal(cfg.services[0].name_len, 6);
	tap_check(!strncmp(cfg.services[0].name, "logcat=", 7));
	tap_check(!strcmp(cfg.services[0].path, "/tmp/l"));
	tap_equal(cfg.services[1].name_len, 7);
	tap_check(!strncmp(cfg.services[1].name, "unix:/a=", 8));
	tap_check(!strcmp(cfg.services[1].path, "/b=unix:/c"));
	tap_check(!strcmp(cfg.pipe_socket, "/d"));
	tap_check(cfg.guest_services);
	tap_equal(cfg.sync, VMM_SYNC_USER);
	tap_check(!strcmp(cfg.sync_socket, "/e"));
	tap_check(!strcmp(cfg.screen_socket, "/f"));
}

static void an_address_space_is_there_on_request(void)
{
	static const char *const alone[] = { "run", "--kernel=I", "--device=address-space", NULL };
	static const char *const served[] = {
		"run", "--kernel=I", "--device", "address-space,socket=/s", NULL
	};
	static const char *const none[] = { "run", "--kernel=I", NULL };
	static const char *const two[] = {
		"run", "--kernel=I", "--device=address-space", "--device=address-space", NULL
	};
	struct vmm_config cfg;

	tap_equal(parse(&cfg, none), 0);
	tap_check(!cfg.address_space && !cfg.address_socket);
	tap_equal(parse(&cfg, alone), 0);
	tap_check(cfg.address_space && !cfg.address_socket);
	tap_equal(parse(&cfg, served), 0);
	tap_check(cfg.address_space && !strcmp(cfg.address_socket, "/s"));
	tap_equal(parse(&cfg, two), -EINVAL);
}

static void as_many_services_as_there_may_be(void)
{
	const char *words[VMM_PIPE_SERVICES + 5] = { "run", "--kernel=I" };
	struct vmm_config cfg;
	unsigned int i;

	for (i = 0; i < VMM_PIPE_SERVICES; i++)
		words[2 + i] = "--pipe-service=a=unix:/b";
	tap_equal(parse(&cfg, words), 0);
	tap_equal(cfg.n_services, VMM_PIPE_SERVICES);
	words[2 + i] = "--pipe-service=a=unix:/b";
	tap_equal(parse(&cfg, words), -EINVAL);
}

static void other_commands_are_read(void)
{
	static const char *const dtb[] = {
		"dtb", "-o", "out", "--fstab-system", "S", "--fstab-vendor", "V", "--gic", "2", NULL
	};
	static const char *const doctor[] = {
		"doctor", "--cpus", "2", "--disk", "D", "--pstore", "P", "--huge-pages", "1G", NULL
	};
	static const char *const memory[] = { "doctor", "--pstore", "memory", NULL };
	static const char *const help[] = { "run", "--help", NULL };
	struct vmm_config cfg;

	tap_equal(parse(&cfg, dtb), 0);
	tap_equal(cfg.command, VMM_CMD_DTB);
	tap_check(!strcmp(cfg.output, "out") && !strcmp(cfg.fstab_system, "S") &&
		  !strcmp(cfg.fstab_vendor, "V"));
	tap_equal(cfg.gic, VMM_GIC_V2);
	tap_equal(parse(&cfg, doctor), 0);
	tap_check(cfg.command == VMM_CMD_DOCTOR && cfg.cpus == 2 && cfg.disks == 1);
	tap_check(!strcmp(cfg.pstore, "P") && cfg.huge_pages == VMM_HUGE_1G);
	tap_equal(parse(&cfg, memory), 0);
	tap_check(!strcmp(cfg.pstore, VMM_PSTORE_MEMORY));
	tap_equal(cfg.huge_pages, VMM_HUGE_TRANSPARENT);
	tap_equal(parse(&cfg, help), 0);
	tap_equal(cfg.command, VMM_CMD_HELP);
}

static const char *const refused[][MAX_ARGS] = {
	{ NULL },
	{ "walk", NULL },
	{ "run", NULL },
	{ "run", "--kernel", NULL },
	{ "run", "--kernel", "I", "--nothing", NULL },
	{ "run", "--kernel", "I", "stray", NULL },
	{ "run", "--kernel", "I", "--cpus", "0", NULL },
	{ "run", "--kernel", "I", "--cpus", "33", NULL },
	{ "run", "--kernel", "I", "--cpus", "100", NULL },
	{ "run", "--kernel", "I", "--cpus", "", NULL },
	{ "run", "--kernel", "I", "--memory", "63M", NULL },
	{ "run", "--kernel", "I", "--memory", "31G", NULL },
	{ "run", "--kernel", "I", "--memory", "1073741825", NULL },
	{ "run", "--kernel", "I", "--memory", "lots", NULL },
	{ "run", "--kernel", "I", "--gic", "4", NULL },
	{ "run", "--kernel", "I", "--gic", "2", "--cpus", "9", NULL },
	{ "run", "--kernel", "I", "--pipe", "maybe", NULL },
	{ "run", "--kernel", "I", "--pipe-service", "a", NULL },
	{ "run", "--kernel", "I", "--pipe-socket", "", NULL },
	{ "run", "--kernel", "I", "--pipe-socket", "/a", "--pipe", "none", NULL },
	{ "run", "--kernel", "I", "--sync", "maybe", NULL },
	{ "run", "--kernel", "I", "--sync-socket", "", NULL },
	{ "run", "--kernel", "I", "--sync-socket", "/a", "--sync", "none", NULL },
	{ "run", "--kernel", "I", "--pipe-service", "a=/b", NULL },
	{ "run", "--kernel", "I", "--pipe-service", "=unix:/b", NULL },
	{ "run", "--kernel", "I", "--pipe-service", "a=unix:", NULL },
	{ "run", "--kernel", "I", "--pipe-service", LONG_PATH LONG_PATH "=unix:/b", NULL },
	{ "run", "--kernel", "I", "--pipe-service", "a=unix:" LONG_PATH LONG_PATH, NULL },
	{ "run", "--kernel", "I", "--pipe", "none", "--pipe-service", "a=unix:/b", NULL },
	{ "run", "--kernel", "I", "--window", "open", NULL },
	{ "run", "--kernel", "I", "--console", "vga", NULL },
	{ "run", "--kernel", "I", "--stats-at", "P", "--console", "none", NULL },
	{ "run", "--kernel", "I", "--vsock", "", NULL },
	{ "run", "--kernel", "I", "--vsock", "x", NULL },
	{ "run", "--kernel", "I", "--vsock", "-3", NULL },
	{ "run", "--kernel", "I", "--vsock", "2", NULL },
	{ "run", "--kernel", "I", "--vsock", "4294967295", NULL },
	{ "run", "--kernel", "I", "--vsock", "99999999999999999999", NULL },
	{ "run", "--kernel", "I", "--vsock", "3,", NULL },
	{ "run", "--kernel", "I", "--vsock", "3,dev=/dev/null", NULL },
	{ "run", "--kernel", "I", "--vsock", "3dev=/dev/vhost-vsock", NULL },
	{ "run", "--kernel", "I", "--adb", "on", NULL },
	{ "run", "--kernel", "I", "--adb-transport", "usb", NULL },
	{ "run", "--kernel", "I", "--adb-transport", "pipe", "--pipe", "none", NULL },
	{ "run", "--kernel", "I", "--adb-transport", "pipe", "--vsock-uds", "S", NULL },
	{ "run", "--kernel", "I", "--adb", "maybe", "--vsock", "3", NULL },
	{ "run", "--kernel", "I", "--vsock", "3,dev=/dev/vhost-vsock", "--adb", "on", NULL },
	{ "run", "--kernel", "I", "--vsock", "3,dev=/dev/vhost-vsock", "--adb-socket", "S", NULL },
	{ "run", "--kernel", "I", "--vsock-uds", "S", NULL },
	{ "run", "--kernel", "I", "--vsock", "3", "--vsock-uds", "", NULL },
	{ "run", "--kernel", "I", "--redir", "tcp:1:2", NULL },
	{ "run", "--kernel", "I", "--vsock", "3", "--redir", "udp:1:2", NULL },
	{ "run", "--kernel", "I", "--vsock", "3", "--redir", "tcp:1", NULL },
	{ "run", "--kernel", "I", "--vsock", "3", "--redir", "tcp:0:2", NULL },
	{ "run", "--kernel", "I", "--vsock", "3", "--redir", "tcp:65536:2", NULL },
	{ "run", "--kernel", "I", "--vsock", "3", "--redir", "tcp:1:4294967295", NULL },
	{ "run", "--kernel", "I", "--vsock", "3", "--redir", "tcp:1:2:3", NULL },
	{ "run", "--kernel", "I", "--vsock", "3", "--redir", "tcp:-1:2", NULL },
	{ "run", "--kernel", "I", "--vsock", "3", "--redir", "tcp:1:2", "--redir=tcp:1:3", NULL },
	{ "run", "--kernel", "I", "--vsock", "3", "--adb-socket", LONG_PATH, NULL },
	{ "run", "--kernel", "I", "--virtio-packed", "yes", NULL },
	{ "dtb", "--vsock", "3", NULL },
	{ "run", "--kernel", "I", "-o", "F", NULL },
	{ "dtb", "--pipe", "user", NULL },
	{ "dtb", "--stats", NULL },
	{ "doctor", "-o", "F", NULL },
};

static void mistakes_are_refused(void)
{
	struct vmm_config cfg;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(refused); i++)
		tap_check(parse(&cfg, refused[i]) == -EINVAL);
}

static const struct tap_case cases[] = {
	{ "sizes are read", sizes_are_read },
	{ "defaults are right", defaults_are_right },
	{ "all options of run are read", all_options_are_read },
	{ "disks are read", disks_are_read },
	{ "wrong disks are refused", wrong_disks_are_refused },
	{ "devices served by others are read", devices_served_by_others_are_read },
	{ "wrong devices are refused", wrong_devices_are_refused },
	{ "small virtio devices are read", small_devices_are_read },
	{ "sound has its ends", sound_has_its_ends },
	{ "vsock and adb are read", vsock_is_read },
	{ "how adb gets to the guest is read", adb_transport_is_read },
	{ "services of the pipe are read", pipe_services_are_read },
	{ "an address space is there on request", an_address_space_is_there_on_request },
	{ "many services of the pipe are read", as_many_services_as_there_may_be },
	{ "dtb, doctor and help are read", other_commands_are_read },
	{ "mistakes are refused", mistakes_are_refused },
};

int main(void)
{
	int ret = tap_run(cases, ARRAY_SIZE(cases));

	vmm_options_free(&last);
	return ret;
}
