// SPDX-License-Identifier: GPL-2.0-only
/*
 * The table of the emulator's options.
 */
#include "avd/options.h"

#define TAKES(_name, _arg, _id, _help)					\
	{ .name = _name, .arg = _arg, .id = VMM_AVD_##_id, .help = _help }
#define IGNORES(_name, _arg, _help)					\
	{ .name = _name, .arg = _arg, .verdict = VMM_AVD_NO_EFFECT, .help = _help }
#define REFUSES(_name, _arg, _help)					\
	{ .name = _name, .arg = _arg, .verdict = VMM_AVD_REFUSED, .help = _help }

const struct vmm_avd_option vmm_avd_table[] = {
	/* The AVD, and its files. */
	TAKES("avd", "NAME", AVD, "the AVD; @NAME and NAME alone are the same"),
	TAKES("list-avds", NULL, LIST_AVDS, "print the names of all AVDs"),
	TAKES("sysdir", "DIR", SYSDIR, "directory of the system image"),
	TAKES("system", "FILE", SYSTEM, "system image"),
	TAKES("image", "FILE", SYSTEM, "the same"),
	TAKES("vendor", "FILE", VENDOR, "vendor image"),
	TAKES("kernel", "FILE", KERNEL, "kernel, on arm64 also compressed by gzip"),
	TAKES("ramdisk", "FILE", RAMDISK, "RAM disk"),
	TAKES("data", "FILE", DATA, "user data image; the guest writes to FILE itself"),
	TAKES("datadir", "DIR", DATADIR, "what the guest writes to is in DIR/ranchu-NAME"),
	TAKES("initdata", "FILE", INITDATA, "image that new user data is a copy of"),
	TAKES("cache", "FILE", CACHE, "cache image; the guest writes to FILE itself"),
	TAKES("cache-size", "MB", CACHE_SIZE, "size of a new cache image"),
	TAKES("sdcard", "FILE", SDCARD, "SD card image; the guest writes to FILE itself"),
	TAKES("encryption-key", "FILE", ENCRYPTION_KEY, "image that a new one is a copy of"),
	IGNORES("no-cache", NULL, "images find their disks by the order, which has a cache"),
	/* The machine. */
	TAKES("memory", "MB", MEMORY, "guest RAM"),
	TAKES("cores", "N", CORES, "virtual CPUs"),
	TAKES("partition-size", "MB", PARTITION_SIZE, "size of a new user data image"),
	TAKES("accel", "MODE", ACCEL, "on or auto: KVM; off is refused, there is nothing else"),
	REFUSES("no-accel", NULL, "vmmctl has KVM and nothing else"),
	TAKES("gpu", "MODE", GPU,
	      "auto, off, guest, software or swiftshader_indirect: the guest renders in software"),
	TAKES("port", "PORT", PORT, "port of the console, 5554 to 5682; adb's is the next one"),
	TAKES("ports", "CONSOLE,ADB", PORTS, "both; adb's must be the next one"),
	TAKES("id", "NAME", ID, "name of the VM, instead of the AVD's"),
	TAKES("feature", "LIST", FEATURE, "features of the image, with commas; -NAME is off"),
	REFUSES("engine", "NAME", "vmmctl is the engine"),
	IGNORES("no-window", NULL, "there is no window; ranchu-vnc NAME shows the screen"),
	IGNORES("qt-hide-window", NULL, "there is no window"),
	TAKES("no-audio", NULL, NO_AUDIO, "no sound card"),
	TAKES("noaudio", NULL, NO_AUDIO, "the same"),
	IGNORES("no-sim", NULL, "there is no modem"),
	TAKES("lowram", NULL, LOWRAM, "the boot property ro.config.low_ram=true"),
	/* Data and snapshots. */
	TAKES("wipe-data", NULL, WIPE_DATA, "begin with new user data, cache and keys"),
	TAKES("read-only", NULL, READ_ONLY, "the guest writes to copies that go at the end"),
	TAKES("writable-system", NULL, WRITABLE_SYSTEM, "the guest may write to its own copy"),
	IGNORES("no-snapshot", NULL, "no snapshot is loaded or saved unasked"),
	IGNORES("no-snapshot-load", NULL, "no snapshot is loaded unasked"),
	IGNORES("no-snapshot-save", NULL, "no snapshot is saved unasked"),
	TAKES("no-snapstorage", NULL, NO_SNAPSTORAGE, "the console cannot save the VM"),
	IGNORES("no-snapshot-update-time", NULL, "no snapshot is loaded"),
	IGNORES("force-snapshot-load", NULL, "no snapshot is loaded"),
	TAKES("snapshot", "NAME", SNAPSHOT,
	      "go on from what the console saved as NAME; with -read-only as one of many"),
	TAKES("snapshot-list", NULL, SNAPSHOT_LIST, "print the names of what the console saved"),
	/* Output of the guest. */
	TAKES("show-kernel", NULL, SHOW_KERNEL, "the kernel's console on stdio"),
	TAKES("shell", NULL, SHELL, "a shell of the guest on stdio, if the image has one"),
	TAKES("logcat", "TAGS", LOGCAT, "which messages the guest's log has"),
	TAKES("logcat-output", "FILE", LOGCAT_OUTPUT, "where the guest's log goes"),
	TAKES("verbose", NULL, VERBOSE, "print what would be run, and run it"),
	IGNORES("debug", "TAGS", "vmmctl has no debug tags"),
	IGNORES("no-metrics", NULL, "nothing is collected"),
	IGNORES("metrics-collection", NULL, "nothing is collected"),
	TAKES("quit-after-boot", "SECONDS", QUIT_AFTER_BOOT,
	      "end when the guest has booted; exit code 5 if it has not within SECONDS"),
	TAKES("report-console", "SOCKET", REPORT_CONSOLE,
	      "tcp:PORT or unix:PATH, each with [,server][,max=N]: send the console's port there"),
	/* Properties. */
	TAKES("no-boot-anim", NULL, NO_BOOT_ANIM, "no boot animation"),
	TAKES("prop", "qemu.K=V", PROP, "a property of the service boot-properties"),
	TAKES("append-userspace-opt", "K=V", USERSPACE, "a property of the boot configuration"),
	TAKES("selinux", "MODE", SELINUX, "disabled or permissive"),
	TAKES("bootchart", "SECONDS", BOOTCHART, "let init measure the boot"),
	TAKES("timezone", "AREA/CITY", TIMEZONE, "time zone, instead of UTC"),
	TAKES("dalvik-vm-checkjni", NULL, CHECKJNI, "check calls of native code"),
	IGNORES("no-jni", NULL, "calls of native code are not checked unasked"),
	IGNORES("nojni", NULL, "the same"),
	TAKES("change-language", "LANGUAGE", CHANGE_LANGUAGE, "boot property persist.sys.language"),
	TAKES("change-country", "COUNTRY", CHANGE_COUNTRY, "boot property persist.sys.country"),
	TAKES("change-locale", "LOCALE", CHANGE_LOCALE, "boot property persist.sys.locale"),
	IGNORES("phone-number", "NUMBER", "there is no modem"),
	TAKES("skip-adb-auth", NULL, SKIP_ADB_AUTH, "ask the guest to let adb in without a key"),
	IGNORES("delay-adb", NULL, "adb lists the guest when adbd answers"),
	TAKES("unix-pipe", "PATH", UNIX_PIPE, "the guest may connect to the Unix socket PATH"),
	/* The network. */
	TAKES("net-tap", "INTERFACE", NET_TAP, "a network interface at a tap of the host"),
	TAKES("dns-server", "LIST", DNS_SERVER,
	      "how many name servers there are; the network says which"),
	IGNORES("http-proxy", "PROXY", "set it in the guest by adb"),
	IGNORES("netspeed", "SPEED", "shape the tap interface by tc"),
	IGNORES("netdelay", "DELAY", "shape the tap interface by tc"),
	IGNORES("netfast", NULL, "the network has its full speed"),
	REFUSES("tcpdump", "FILE", "run tcpdump at the tap interface"),
	/* Windows, cameras and the like. */
	IGNORES("skin", "NAME", "there is no window"),
	IGNORES("skindir", "DIR", "there is no window"),
	IGNORES("no-skin", NULL, "there is no window"),
	IGNORES("noskin", NULL, "there is no window"),
	IGNORES("screen", "MODE", "config.ini says what the screen feels"),
	IGNORES("dpi-device", "DPI", "config.ini says the density"),
	IGNORES("fixed-scale", NULL, "there is no window"),
	IGNORES("camera-back", "MODE", "ranchu-services has one camera"),
	IGNORES("camera-front", "MODE", "ranchu-services has one camera"),
	IGNORES("audio", "BACKEND", "vmmctl run --sound says where sound goes"),
	IGNORES("allow-host-audio", NULL, "there is no microphone"),
	IGNORES("grpc", "PORT", "there is no gRPC"),
	IGNORES("no-location-ui", NULL, "there is no window"),
	IGNORES("detect-image-hang", NULL, "a watchdog is the host's business"),
	IGNORES("restart-when-stalled", NULL, "a watchdog is the host's business"),
	IGNORES("acpi-config", "FILE", "the ACPI tables are the board's"),
	IGNORES("virtio-console", NULL, "vmmctl run --virtio console has one"),
	TAKES("qemu", "-append TEXT", QEMU, "TEXT goes to the kernel; all others are refused"),
	{ }
};

/**
 * vmm_avd_verdict_name - name a verdict
 * @verdict: the verdict
 *
 * Return: a word or two
 */
const char *vmm_avd_verdict_name(enum vmm_avd_verdict verdict)
{
	static const char *const names[] = {
		[VMM_AVD_HONOURED] = "honoured",
		[VMM_AVD_NO_EFFECT] = "no effect",
		[VMM_AVD_REFUSED] = "refused",
	};

	return names[verdict];
}
