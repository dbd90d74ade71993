// SPDX-License-Identifier: GPL-2.0-only
/*
 * The kernel's command line, and properties for init. Images with the feature AndroidbootProps read
 * properties from the boot configuration, a text that is appended to the RAM disk; older ones
 * from the command line, under other names.
 *
 * Sources: platform_external_qemu main-kernel-parameters.cpp (791783c6e74c),
 * userspace-boot-properties.cpp, bootconfig.cpp (522b65ebe698); Linux
 * Documentation/admin-guide/bootconfig.rst, include/linux/bootconfig.h (6.12).
 */
#include <ctype.h>
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "avd/avd.h"
#include "host/file.h"
#include "host/log.h"

#define BOOTCONFIG_MAGIC	"#BOOTCONFIG\n"
#define SERIAL			"EMULATORRANCHU"
#define SCREEN_ON		"2147483647"	/* milliseconds: always on */
#define ANDROID_TREE		"/sys/bus/platform/devices/ANDR0001:00/properties/android/"
#define VALUE_MAX		1024
#define KEY_BYTES		256	/* bytes of a key with its NUL; Linux' XBC_KEYLEN_MAX */
#define KEY_WORDS		16	/* in a key, with dots between; XBC_DEPTH_MAX */
#define HEAP			256	/* megabytes, if config.ini does not say */

/**
 * struct telling - state of building command line and properties
 * @boot: filled
 * @avd: the AVD
 * @disks: its disks
 * @options: the emulator's options
 * @err: 0, or the first -errno, after a message
 */
struct telling {
	struct vmm_avd_boot *boot;
	const struct vmm_avd *avd;
	const struct vmm_avd_disk *disks;
	const struct vmm_avd_options *options;
	int err;
};

static bool feature(const struct telling *t, const char *name)
{
	return vmm_avd_feature(t->avd, t->options, name);
}

static const char *value_of(const struct telling *t, enum vmm_avd_id id)
{
	return vmm_avd_value(t->options, id);
}

/* Returns the number of a key of config.ini, or @otherwise. */
static unsigned int number(const struct telling *t, const char *key, unsigned int otherwise)
{
	const char *value = vmm_ini_get(&t->avd->config, key);
	u64 n;

	if (!value || vmm_avd_size(value, 1, &n) || !n || n > 65535)
		return otherwise;
	return n;
}

/* Returns a program's heap in megabytes: config.ini has 256, 256M or 256MB. */
static unsigned int heap(const struct telling *t)
{
	const char *value = vmm_ini_get(&t->avd->config, "vm.heapSize");
	u64 bytes;

	if (!value || vmm_avd_size(value, MIB, &bytes) || bytes < MIB || bytes > 65535 * MIB)
		return HEAP;
	return bytes / MIB;
}

/* Appends words to the command line. */
static void __attribute__((format(printf, 2, 3))) tell(struct telling *t, const char *fmt, ...)
{
	struct vmm_avd_boot *boot = t->boot;
	size_t left = sizeof(boot->line) - boot->line_len;
	va_list args;
	int n;

	if (t->err)
		return;
	if (boot->line_len && left > 1) {
		boot->line[boot->line_len++] = ' ';
		left--;
	}
	va_start(args, fmt);
	n = vsnprintf(boot->line + boot->line_len, left, fmt, args);
	va_end(args);
	if (n < 0 || (size_t)n >= left)
		t->err = vmm_error(-E2BIG, "avd: the kernel's command line is longer than %d bytes",
				   VMM_AVD_COMMAND_LINE - 1);
	else
		boot->line_len += n;
}

/* Checks a key: the kernel refuses the whole configuration for an invalid one. */
static bool key_fits(const char *key)
{
	unsigned int words = 1;
	const char *at;

	for (at = key; *at; at++) {
		bool dot = *at == '.';

		if (!dot && !isalnum((unsigned char)*at) && *at != '_' && *at != '-')
			return false;
		if (dot && (at == key || at[-1] == '.'))
			return false;
		words += dot;
	}
	return at != key && at[-1] != '.' && at - key < KEY_BYTES && words <= KEY_WORDS;
}

/* Checks a value: no quotes, no blanks on the command line, printable in a configuration. */
static bool value_fits(const char *value, bool by_config)
{
	for (; *value; value++) {
		if ((unsigned char)*value < ' ' || *value == '"' || *value == 0x7f)
			return false;
		if (by_config ? (unsigned char)*value > '~' : *value == ' ')
			return false;
	}
	return true;
}

/* Removes a key, because the kernel refuses the whole text for a duplicate key. */
static void config_remove(struct vmm_avd_boot *boot, const char *key)
{
	size_t len = strlen(key);
	char *line = boot->config;
	char *next;

	for (; *line; line = next) {
		next = line + strcspn(line, "\n") + 1;
		if (strncmp(line, key, len) || line[len] != '=')
			continue;
		memmove(line, next, strlen(next) + 1);
		boot->config_len -= next - line;
		return;
	}
}

static void config_add(struct telling *t, const char *key, const char *value)
{
	struct vmm_avd_boot *boot = t->boot;
	size_t left;
	int n;

	config_remove(boot, key);
	/* Room for a NUL and three bytes of padding. */
	left = sizeof(boot->config) - 4 - boot->config_len;
	n = snprintf(boot->config + boot->config_len, left, "%s=\"%s\"\n", key, value);

	if (n < 0 || (size_t)n >= left)
		t->err = vmm_error(-E2BIG, "avd: there is no room for the property %.80s", key);
	else
		boot->config_len += n;
}

static void property_set(struct telling *t, const char *key, const char *value)
{
	if (t->err)
		return;
	if (!key_fits(key) || !value_fits(value, t->boot->by_config))
		t->err = vmm_error(-EINVAL, "avd: %.80s cannot be \"%.80s\"", key, value);
	else if (t->boot->by_config)
		config_add(t, key, value);
	else
		tell(t, "%s=%s", key, value);
}

/* Adds a property whose name depends on the image; NULL if it does not have it. */
static void __attribute__((format(printf, 4, 5))) property(struct telling *t, const char *older,
							   const char *newer, const char *fmt, ...)
{
	const char *key = t->boot->by_config ? newer : older;
	char value[VALUE_MAX];
	va_list args;
	int n;

	if (!key || t->err)
		return;
	va_start(args, fmt);
	n = vsnprintf(value, sizeof(value), fmt, args);
	va_end(args);
	if (n < 0 || (size_t)n >= sizeof(value))
		t->err = vmm_error(-E2BIG, "avd: the value of %s is too long", key);
	else
		property_set(t, key, value);
}

/* Adds the public key of this host's adb: one line of text. */
static void tell_adb_key(struct telling *t)
{
	const char *home = getenv("HOME");
	char path[PATH_MAX];
	char *text;
	size_t len;

	if (t->err || !t->boot->by_config || !home ||
	    vmm_avd_path(path, home, ".android/adbkey.pub") || !vmm_avd_is_file(path) ||
	    vmm_avd_read(path, &text, &len))
		return;
	text[strcspn(text, "\r\n")] = '\0';
	/* Leaves out the key's comment if it has special characters. */
	if (!value_fits(text, true))
		text[strcspn(text, " ")] = '\0';
	if (*text && value_fits(text, true))
		property_set(t, "androidboot.qemu.adb.pubkey", text);
	else
		vmm_note("avd: %s is no public key of adb", path);
	free(text);
}

/* Reads an optional file of the image; keeps an earlier error. */
static char *text_of(struct telling *t, const char *file)
{
	char path[PATH_MAX];
	char *text = NULL;
	size_t len;
	int err;

	if (t->err || !vmm_avd_file(t->avd, file, path))
		return NULL;
	err = vmm_avd_read(path, &text, &len);
	if (err == -ENOENT)
		vmm_error(err, "avd: %s is gone", path);
	t->err = err;
	return text;
}

/* Adds quoted entries such as androidboot.vbmeta.size=4352 from the image's file. */
static void tell_verified_boot(struct telling *t)
{
	char *text = text_of(t, "VerifiedBootParams.textproto");
	char *next, *end, *value;

	if (!text)
		return;
	for (next = strchr(text, '"'); next && !t->err; next = strchr(end + 1, '"')) {
		end = strchr(next + 1, '"');
		if (!end)
			break;
		*end = '\0';
		value = strchr(next, '=');
		if (strncmp(next + 1, "androidboot.", 12) || !value)
			continue;
		*value++ = '\0';
		property_set(t, next + 1, value);
	}
	free(text);
}

static void tell_console(struct telling *t)
{
	const char *port = t->avd->x86 ? "ttyS" : "ttyAMA";

	if (vmm_avd_has(t->options, VMM_AVD_SHOW_KERNEL))
		tell(t, "console=%s0,38400", port);
	else
		tell(t, "console=0");
	if (vmm_avd_has(t->options, VMM_AVD_SHELL) || vmm_avd_has(t->options, VMM_AVD_LOGCAT))
		property(t, "androidboot.console", "androidboot.console", "%s0", port);
}

/* Contiguous memory for the framebuffer. */
static void tell_cma(struct telling *t)
{
	u64 bytes = 4ULL * number(t, "hw.lcd.width", 720) * number(t, "hw.lcd.height", 1280);
	u64 pieces = 2 * ((2 * bytes + MIB - 1) / MIB);

	tell(t, "cma=%lluM@0-4G", pieces + (feature(t, "GLDMA") ? 256 : 0));
}

static void tell_dns(struct telling *t)
{
	const char *list = value_of(t, VMM_AVD_DNS_SERVER);
	unsigned int n = 1;

	for (; list && *list; list++)
		n += *list == ',';
	if (n > 1)
		tell(t, "ndns=%u", n);
}

/* Adds the image's own words, without clocksource=pit: KVM's clock needs no exits. */
static void tell_image_words(struct telling *t)
{
	static const char pit[] = "clocksource=pit";
	char *text = text_of(t, "kernel_cmdline.txt");
	char *word, *next;

	if (!text) {
		if (t->avd->x86)
			tell(t, "no_timer_check");
		return;
	}
	for (next = text; (word = strsep(&next, " \t\r\n")) && !t->err;) {
		if (*word && strcmp(word, pit))
			tell(t, "%s", word);
	}
	free(text);
}

static void tell_system_as_root(struct telling *t)
{
	if (!feature(t, "SystemAsRoot"))
		return;
	tell(t, "skip_initramfs rootwait ro init=/init root=/dev/vda1");
}

static void tell_words(struct telling *t)
{
	const char *parameters = vmm_ini_get(&t->avd->config, "kernel.parameters");

	tell_image_words(t);
	tell_console(t);
	tell_cma(t);
	tell_dns(t);
	tell_system_as_root(t);
	tell(t, "loop.max_part=7");
	if (parameters && *parameters)
		tell(t, "%s", parameters);
	if (t->boot->by_config)
		tell(t, "bootconfig");
}

static void tell_disks(struct telling *t)
{
	char device[40];

	tell_verified_boot(t);
	if (!feature(t, "DynamicPartition"))
		return;
	vmm_avd_device_name(t->avd, &t->disks[VMM_AVD_DISK_SYSTEM], device, sizeof(device));
	property(t, "androidboot.boot_devices", "androidboot.boot_devices", "%s", device);
}

static void tell_machine(struct telling *t)
{
	if (feature(t, "AndroidbootProps2") || !t->boot->by_config)
		property(t, "qemu", "androidboot.qemu", "1");
	property(t, "androidboot.hardware", "androidboot.hardware", "ranchu");
	property(t, "androidboot.serialno", "androidboot.serialno", SERIAL);
	if (t->avd->api >= 31)
		property(t, "androidboot.veritymode", "androidboot.veritymode", "enforcing");
	if (feature(t, "EncryptUserData"))
		property(t, "qemu.encrypt", NULL, "1");
	if (feature(t, "AndroidbootProps2"))
		property(t, NULL, "androidboot.verifiedbootstate", "orange");
	if (t->avd->x86)
		property(t, "androidboot.android_dt_dir", "androidboot.android_dt_dir",
			 ANDROID_TREE);
	property(t, "android.qemud", NULL, "1");
	property(t, "qemu.avd_name", "androidboot.qemu.avd_name", "%s", t->avd->name);
}

static void tell_screen(struct telling *t)
{
	const char *gpu = value_of(t, VMM_AVD_GPU);
	const char *transport = vmm_ini_get(&t->avd->config, "hw.gltransport");

	property(t, "qemu.gles", NULL, "%s", gpu && !strcmp(gpu, "off") ? "0" : "2");
	property(t, "qemu.vsync", "androidboot.qemu.vsync", "%u", number(t, "hw.lcd.vsync", 60));
	property(t, "qemu.gltransport", "androidboot.qemu.gltransport.name", "%s",
		 transport && *transport ? transport : "pipe");
	property(t, "qemu.gltransport.drawFlushInterval",
		 "androidboot.qemu.gltransport.drawFlushInterval", "%u",
		 number(t, "hw.gltransport.drawFlushInterval", 800));
	if (feature(t, "Minigbm"))
		property(t, NULL, "androidboot.hardware.gralloc", "minigbm");
	property(t, "qemu.settings.system.screen_off_timeout",
		 "androidboot.qemu.settings.system.screen_off_timeout", SCREEN_ON);
	if (!vmm_avd_has(t->options, VMM_AVD_NO_BOOT_ANIM))
		return;
	if (t->boot->by_config)
		property_set(t, "androidboot.debug.sf.nobootanimation", "1");
	else
		property_set(t, "android.bootanim", "0");
}

static void tell_programs(struct telling *t)
{
	const char *tags = value_of(t, VMM_AVD_LOGCAT);
	char filter[VALUE_MAX];
	unsigned int i;

	property(t, "qemu.dalvik.vm.heapsize", "androidboot.dalvik.vm.heapsize", "%um", heap(t));
	if (vmm_avd_has(t->options, VMM_AVD_CHECKJNI))
		property(t, "android.checkjni", "androidboot.dalvik.vm.checkjni", "1");
	if (t->avd->api > 29)
		property(t, "qemu.camera_protocol_ver", "androidboot.qemu.camera_protocol_ver",
			 "1");
	property(t, "qemu.camera_hq_edge_processing",
		 "androidboot.qemu.camera_hq_edge_processing", "0");
	snprintf(filter, sizeof(filter), "%s", tags ? tags : "*:V");
	for (i = 0; filter[i]; i++) {
		if (filter[i] == ' ')
			filter[i] = ',';
	}
	if (tags || t->boot->by_config)
		property(t, "androidboot.logcat", "androidboot.logcat", "%s", filter);
}

static void tell_given(struct telling *t)
{
	const char *mode = value_of(t, VMM_AVD_SELINUX);
	const char *seconds = value_of(t, VMM_AVD_BOOTCHART);
	char text[VALUE_MAX];
	unsigned int i;

	if (t->err)
		return;
	if (mode && strcmp(mode, "disabled") && strcmp(mode, "permissive"))
		t->err = vmm_error(-EINVAL,
				   "avd: -selinux is disabled or permissive, not \"%.40s\"", mode);
	else if (mode)
		property(t, "androidboot.selinux", "androidboot.selinux", "%s", mode);
	if (seconds)
		property(t, "androidboot.bootchart", "androidboot.bootchart", "%s", seconds);
	for (i = 0; i < t->options->count && !t->err; i++) {
		const struct vmm_avd_given *given = &t->options->given[i];
		char *equals;

		if (given->option->id != VMM_AVD_USERSPACE)
			continue;
		if ((size_t)snprintf(text, sizeof(text), "%s", given->value) >= sizeof(text))
			text[0] = '\0';
		equals = strchr(text, '=');
		if (!equals)
			t->err = vmm_error(-EINVAL,
					   "avd: -append-userspace-opt: \"%.80s\" is not KEY=VALUE",
					   given->value);
		if (!equals)
			break;
		*equals = '\0';
		property_set(t, text, equals + 1);
	}
}

/**
 * vmm_avd_boot - build the kernel's command line and properties for init
 * @boot: filled
 * @avd: the AVD
 * @disks: its disks
 * @options: the emulator's options
 *
 * Return: 0, or -errno after a message
 */
int vmm_avd_boot(struct vmm_avd_boot *boot, const struct vmm_avd *avd,
		 const struct vmm_avd_disk disks[VMM_AVD_DISKS],
		 const struct vmm_avd_options *options)
{
	struct telling t = { .boot = boot, .avd = avd, .disks = disks, .options = options };

	*boot = (struct vmm_avd_boot){ 0 };
	boot->by_config = feature(&t, "AndroidbootProps") || feature(&t, "AndroidbootProps2");
	tell_words(&t);
	tell_machine(&t);
	tell_disks(&t);
	tell_screen(&t);
	tell_programs(&t);
	tell_given(&t);
	tell_adb_key(&t);
	if (options->append)
		tell(&t, "%s", options->append);
	return t.err;
}

/* Copies the RAM disk; @size is filled with its bytes. */
static int ramdisk_copy(int fd, const char *ramdisk, u64 *size)
{
	static char buffer[64 * KIB];
	/* Non-blocking, because opening a pipe would wait for a writer. */
	int from = open(ramdisk, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	int err = from < 0 ? -errno : 0;
	struct stat st;
	ssize_t n = 1;

	if (!err && (fstat(from, &st) || !S_ISREG(st.st_mode))) {
		close(from);
		return vmm_error(-EINVAL, "avd: %s is not a regular file", ramdisk);
	}

	for (*size = 0; !err && n; *size += n) {
		n = read(from, buffer, sizeof(buffer));
		if (n < 0)
			err = -errno;
		else
			err = vmm_file_write(fd, buffer, n);
	}
	if (from >= 0)
		close(from);
	return err ? vmm_error(err, "avd: cannot read %s", ramdisk) : 0;
}

/**
 * vmm_avd_initrd - write a RAM disk followed by a boot configuration
 * @fd: file to write
 * @ramdisk: the RAM disk
 * @config: the text; empty for none
 * @len: bytes of @config, less than VMM_AVD_BOOTCONFIG - 4
 *
 * The RAM disk is followed by the text with a NUL, "+" up to a multiple of four bytes, the
 * size and the checksum of these as little-endian words, and a magic of twelve bytes at the
 * end of the file.
 *
 * Return: 0, or -errno after a message
 */
int vmm_avd_initrd(int fd, const char *ramdisk, const char *config, size_t len)
{
	char text[VMM_AVD_BOOTCONFIG + 4] = "";
	__le32 word[2];
	u64 size = 0;
	u32 sum = 0;
	size_t i;
	int err = ramdisk_copy(fd, ramdisk, &size);

	if (err || !len)
		return err;
	memcpy(text, config, len);
	text[len++] = '\0';
	while ((size + len) % 4)
		text[len++] = '+';
	for (i = 0; i < len; i++)
		sum += (unsigned char)text[i];
	word[0] = htole32(len);
	word[1] = htole32(sum);
	err = vmm_file_write(fd, text, len);
	if (!err)
		err = vmm_file_write(fd, word, sizeof(word));
	if (!err)
		err = vmm_file_write(fd, BOOTCONFIG_MAGIC, strlen(BOOTCONFIG_MAGIC));
	return err ? vmm_error(err, "avd: cannot write the RAM disk") : 0;
}
