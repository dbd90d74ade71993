// SPDX-License-Identifier: GPL-2.0-only
/*
 * Command line and boot configuration, and the RAM disk that has the latter.
 */
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/avd/avd_lib.h"

#define ANDROID_TREE	"/sys/bus/platform/devices/ANDR0001:00/properties/android/"

static struct vmm_avd_plan plan;

static int tell(char **words)
{
	vmm_avd_plan_free(&plan);
	return avd_plan(&plan, words);
}

static void end(void)
{
	vmm_avd_plan_free(&plan);
	memset(&plan, 0, sizeof(plan));
	avd_end();
}

/* Checks for a whole word of the command line. */
static bool line_has(const char *word)
{
	size_t len = strlen(word);
	const char *at = plan.boot.line;

	tap_context("%s: %s", word, plan.boot.line);
	for (at = strstr(at, word); at; at = strstr(at + 1, word)) {
		if ((at == plan.boot.line || at[-1] == ' ') && (!at[len] || at[len] == ' '))
			return true;
	}
	return false;
}

static bool config_has(const char *line)
{
	size_t len = strlen(line);
	const char *at;

	tap_context("%s: %s", line, plan.boot.config);
	for (at = strstr(plan.boot.config, line); at; at = strstr(at + 1, line)) {
		if ((at == plan.boot.config || at[-1] == '\n') && at[len] == '\n')
			return true;
	}
	return false;
}

static void properties_of_new_images_are_in_the_configuration(void)
{
	avd_begin(false);
	tap_equal(tell(WORDS("one", "-no-boot-anim", "-selinux", "permissive", "-logcat", "*:E a:V",
			     "-append-userspace-opt", "androidboot.x=a b=c")), 0);
	tap_context("%s", avd_message);
	tap_check(plan.boot.by_config && line_has("bootconfig"));
	tap_check(config_has("androidboot.qemu=\"1\""));
	tap_check(config_has("androidboot.hardware=\"ranchu\""));
	tap_check(config_has("androidboot.boot_devices=\"a003400.virtio_mmio\""));
	tap_check(config_has("androidboot.qemu.avd_name=\"one\""));
	tap_check(config_has("androidboot.debug.sf.nobootanimation=\"1\""));
	tap_check(config_has("androidboot.selinux=\"permissive\""));
	tap_check(config_has("androidboot.logcat=\"*:E,a:V\""));
	tap_check(config_has("androidboot.x=\"a b=c\""));
	tap_check(config_has("androidboot.veritymode=\"enforcing\""));
	tap_check(!strstr(plan.boot.line, "androidboot"));
	tap_check(line_has("console=0") && line_has("loop.max_part=7") && line_has("cma=4M@0-4G"));
	end();
}

static void properties_of_old_images_are_on_the_command_line(void)
{
	avd_begin(true);
	avd_write(SYSDIR "/advancedFeatures.ini", "EncryptUserData=on\nSystemAsRoot=on\n");
	tap_equal(tell(WORDS("one", "-no-boot-anim", "-show-kernel", "-dns-server", "1,2,3")), 0);
	tap_context("%s", avd_message);
	tap_check(!plan.boot.by_config && !plan.boot.config_len && !line_has("bootconfig"));
	tap_check(line_has("qemu=1") && line_has("qemu.encrypt=1"));
	tap_check(line_has("android.bootanim=0"));
	tap_check(line_has("qemu.avd_name=one") && line_has("android.qemud=1"));
	tap_check(line_has("console=ttyS0,38400") && line_has("ndns=3"));
	tap_check(line_has("skip_initramfs") && line_has("root=/dev/vda1"));
	tap_check(line_has("androidboot.android_dt_dir=" ANDROID_TREE));
	/* No RAM disk is written. */
	tap_check(strstr(plan.initrd, "/ramdisk.img"));
	end();
}

static void the_image_s_own_words_are_kept(void)
{
	avd_begin(true);
	tap_equal(tell(WORDS("one")), 0);
	tap_check(line_has("no_timer_check"));
	avd_write(SYSDIR "/kernel_cmdline.txt", "8250.nr_uarts=1 clocksource=pit\n");
	avd_write(SYSDIR "/VerifiedBootParams.textproto",
		  "param: \"androidboot.vbmeta.size=4352\"\nother: \"x\" y \"androidboot.z=1");
	avd_write(CONTENT "/config.ini", "abi.type=x86_64\nkernel.parameters = a=b c\n"
		  "image.sysdir.1=system-images/android-34/default/abi\nhw.lcd.vsync=90\n");
	tap_equal(tell(WORDS("one", "-qemu", "-append", "last=1 word")), 0);
	tap_context("%s", avd_message);
	tap_check(line_has("8250.nr_uarts=1") && !strstr(plan.boot.line, "clocksource"));
	tap_check(!line_has("no_timer_check") && line_has("a=b") && line_has("c"));
	tap_check(config_has("androidboot.vbmeta.size=\"4352\""));
	tap_check(!strstr(plan.boot.config, "androidboot.z"));
	tap_check(config_has("androidboot.qemu.vsync=\"90\""));
	tap_check(strlen(plan.boot.line) > 11 &&
		  !strcmp(plan.boot.line + strlen(plan.boot.line) - 11, "last=1 word"));
	end();
}

/* With a repeated key a kernel refuses the whole configuration. */
static void no_key_is_there_twice(void)
{
	const char *first;

	avd_begin(false);
	tap_equal(tell(WORDS("one", "-selinux", "disabled", "-append-userspace-opt",
			     "androidboot.selinux=permissive", "-append-userspace-opt",
			     "androidboot.hardware=other")), 0);
	first = strstr(plan.boot.config, "androidboot.selinux=");
	tap_check(first && !strstr(first + 1, "androidboot.selinux="));
	tap_check(config_has("androidboot.selinux=\"permissive\""));
	tap_check(config_has("androidboot.hardware=\"other\""));
	tap_check(!config_has("androidboot.hardware=\"ranchu\""));
	tap_equal(strlen(plan.boot.config), plan.boot.config_len);
	end();
}

static void adb_s_key_is_a_property(void)
{
	avd_begin(false);
	avd_write("home/.android/adbkey.pub", "QUJD= me@here\nmore\n");
	tap_equal(tell(WORDS("one")), 0);
	tap_check(config_has("androidboot.qemu.adb.pubkey=\"QUJD= me@here\""));
	avd_write("home/.android/adbkey.pub", "QUJD= ich@b\303\274ro\n");
	tap_equal(tell(WORDS("one")), 0);
	tap_check(config_has("androidboot.qemu.adb.pubkey=\"QUJD=\"") && !*avd_message);
	avd_write("home/.android/adbkey.pub", "a\"b\n");
	tap_equal(tell(WORDS("one")), 0);
	tap_check(strstr(avd_message, "is no public key"));
	tap_check(!strstr(plan.boot.config, "pubkey"));
	end();
}

static void what_would_break_out_is_refused(void)
{
	static char long_key[256 + 3];
	static const struct {
		char *option;
		char *value;
		const char *says;
	} rows[] = {
		{ "-append-userspace-opt", "androidboot.a=\"b", "cannot be" },
		{ "-append-userspace-opt", "androidboot.a=b\nc=d", "cannot be" },
		{ "-append-userspace-opt", "android boot=1", "cannot be" },
		{ "-append-userspace-opt", "=1", "cannot be" },
		{ "-append-userspace-opt", "androidboot.a", "is not KEY=VALUE" },
		/* Linux refuses all of a configuration that has one of these. */
		{ "-append-userspace-opt", "androidboot.a=\303\251", "cannot be" },
		{ "-append-userspace-opt", "androidboot.a=\177", "cannot be" },
		{ "-append-userspace-opt", "androidboot..a=1", "cannot be" },
		{ "-append-userspace-opt", ".a=1", "cannot be" },
		{ "-append-userspace-opt", "a.=1", "cannot be" },
		{ "-append-userspace-opt", "a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a=1", "cannot be" },
		{ "-append-userspace-opt", long_key, "cannot be" },
		{ "-selinux", "off", "disabled or permissive" },
	};
	unsigned int i;

	memset(long_key, 'a', 256);
	memcpy(long_key + 256, "=1", 2);
	avd_begin(false);
	tap_equal(tell(WORDS("one", "-append-userspace-opt", long_key + 1, "-append-userspace-opt",
			     "a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.b=1")), 0);
	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		tap_equal(tell(WORDS("one", rows[i].option, rows[i].value)), -EINVAL);
		tap_context("%s: %s", rows[i].value, avd_message);
		tap_check(strstr(avd_message, rows[i].says));
	}
	/* On a command line a space would end the value. */
	tap_equal(tell(WORDS("one", "-feature", "-AndroidbootProps2", "-append-userspace-opt",
			     "androidboot.a=b c")), -EINVAL);
	end();
}

/* Reading a further file does not clear the error. */
static void a_mistake_is_not_forgotten(void)
{
	static char text[4000] = "abi.type=arm64-v8a\n"
		"image.sysdir.1=system-images/android-34/default/abi/\nkernel.parameters=";
	size_t len = strlen(text);

	avd_begin(false);
	memset(text + len, 'x', sizeof(text) - 1 - len);
	avd_write(CONTENT "/config.ini", text);
	avd_write(SYSDIR "/VerifiedBootParams.textproto",
		  "param: \"androidboot.vbmeta.size=4352\"\n");
	tap_equal(tell(WORDS("one", "-selinux", "off")), -E2BIG);
	tap_check(strstr(avd_message, "longer than 2047 bytes"));
	tap_check(!strstr(avd_message, "-selinux"));
	end();
}

static void a_heap_has_megabytes(void)
{
	static const struct {
		const char *value;
		const char *line;
	} rows[] = {
		{ "228", "\"228m\"" }, { "512M", "\"512m\"" }, { "384MB", "\"384m\"" },
		{ "1G", "\"1024m\"" }, { "", "\"256m\"" }, { "lots", "\"256m\"" },
		{ "0", "\"256m\"" }, { "100T", "\"256m\"" },
	};
	char text[256];
	unsigned int i;

	avd_begin(false);
	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		snprintf(text, sizeof(text), "abi.type=arm64-v8a\nvm.heapSize=%s\n"
			 "image.sysdir.1=system-images/android-34/default/abi/\n", rows[i].value);
		avd_write(CONTENT "/config.ini", text);
		tap_equal(tell(WORDS("one")), 0);
		snprintf(text, sizeof(text), "androidboot.dalvik.vm.heapsize=%s", rows[i].line);
		tap_check(config_has(text));
	}
	end();
}

static void the_command_line_has_an_end(void)
{
	static char text[VMM_AVD_COMMAND_LINE];

	avd_begin(false);
	memset(text, 'x', sizeof(text) - 1);
	tap_equal(tell(WORDS("one", "-qemu", "-append", text)), -E2BIG);
	tap_check(strstr(avd_message, "longer than 2047 bytes"));
	tap_equal(tell(WORDS("one")), 0);
	text[sizeof(text) - 1 - plan.boot.line_len - 1] = '\0';
	tap_equal(tell(WORDS("one", "-qemu", "-append", text)), 0);
	tap_equal(strlen(plan.boot.line), VMM_AVD_COMMAND_LINE - 1);
	end();
}

/* Reads the configuration as a kernel does, from the end of the RAM disk. Returns the text. */
static const char *trailer_read(const unsigned char *file, size_t size, size_t ramdisk)
{
	u32 len, sum, have = 0;
	size_t i;

	if (!tap_check(size > 20 && !memcmp(file + size - 12, "#BOOTCONFIG\n", 12)))
		return NULL;
	memcpy(&len, file + size - 20, 4);
	memcpy(&sum, file + size - 16, 4);
	len = le32toh(len);
	if (!tap_check(len <= VMM_AVD_BOOTCONFIG && len + 20 + ramdisk == size))
		return NULL;
	tap_equal((size - 20) % 4, 0);
	for (i = 0; i < len; i++)
		have += file[size - 20 - len + i];
	tap_equal(have, le32toh(sum));
	return (const char *)file + size - 20 - len;
}

static void the_ramdisk_ends_in_the_configuration(void)
{
	static unsigned char file[200000];
	static const char config[] = "a=\"1\"\nb.c=\"2\"\n";
	size_t size, len;

	avd_begin(false);
	for (size = 70001; size < 70009; size++) {
		int fd = memfd_create("initrd", 0);
		const char *text;
		ssize_t n;

		len = sizeof(config) - 1 - (size & 1);
		avd_sparse("ramdisk", size);
		tap_context("%zu bytes", size);
		tap_equal(vmm_avd_initrd(fd, avd_name("ramdisk"), config, len), 0);
		n = pread(fd, file, sizeof(file), 0);
		text = trailer_read(file, n, size);
		tap_check(text && !strncmp(text, config, len) && !text[len]);
		close(fd);
	}
	avd_end();
}

/* Sizes and sums that tools/bootconfig of Linux 6.12 accepts; it is built from lib/bootconfig.c. */
static void a_kernel_takes_size_and_sum(void)
{
	static const char config[] = "a=\"1\"\nb.c=\"~! 2\"\n";
	static const struct {
		const char *ramdisk;
		u32 size;
		u32 sum;
	} rows[] = {
		{ "abcd", 20, 994 }, { "abcde", 19, 951 }, { "abcdef", 18, 908 },
		{ "abcdefg", 21, 1037 },
	};
	unsigned char tail[20];
	unsigned int i;

	avd_begin(false);
	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		size_t len = strlen(rows[i].ramdisk) + rows[i].size;
		int fd = memfd_create("initrd", 0);
		u32 word[2];

		avd_write("ramdisk", rows[i].ramdisk);
		tap_context("%s", rows[i].ramdisk);
		tap_equal(vmm_avd_initrd(fd, avd_name("ramdisk"), config, sizeof(config) - 1), 0);
		tap_equal(lseek(fd, 0, SEEK_END), len + sizeof(tail));
		tap_check(pread(fd, tail, sizeof(tail), len) == sizeof(tail));
		memcpy(word, tail, sizeof(word));
		tap_equal(le32toh(word[0]), rows[i].size);
		tap_equal(le32toh(word[1]), rows[i].sum);
		tap_check(!memcmp(tail + 8, "#BOOTCONFIG\n", 12));
		close(fd);
	}
	avd_end();
}

static void a_ramdisk_that_is_not_there_is_an_error(void)
{
	int fd = memfd_create("initrd", 0);
	int err;

	avd_begin(false);
	tap_listen();
	err = vmm_avd_initrd(fd, avd_name("none"), "", 0);
	tap_heard(avd_message, sizeof(avd_message));
	tap_equal(err, -ENOENT);
	tap_check(strstr(avd_message, "cannot read"));
	tap_equal(vmm_avd_initrd(fd, avd_name(SYSDIR "/ramdisk.img"), "", 0), 0);
	tap_equal(lseek(fd, 0, SEEK_END), 7);
	tap_check(!mkfifo(avd_name("pipe"), 0600));
	tap_listen();
	tap_equal(vmm_avd_initrd(fd, avd_name("pipe"), "", 0), -EINVAL);
	tap_heard(avd_message, sizeof(avd_message));
	tap_check(strstr(avd_message, "is not a regular file"));
	close(fd);
	avd_end();
}

static const struct tap_case cases[] = {
	{ "properties of new images are in the boot configuration",
	  properties_of_new_images_are_in_the_configuration },
	{ "properties of old images are on the command line",
	  properties_of_old_images_are_on_the_command_line },
	{ "the image's own words are kept, but for the slow clock",
	  the_image_s_own_words_are_kept },
	{ "no key is there twice", no_key_is_there_twice },
	{ "adb's key is a property", adb_s_key_is_a_property },
	{ "a value that would break out is refused", what_would_break_out_is_refused },
	{ "a mistake is not forgotten", a_mistake_is_not_forgotten },
	{ "the heap's size has a suffix or none", a_heap_has_megabytes },
	{ "the command line has an end", the_command_line_has_an_end },
	{ "a RAM disk ends in the boot configuration", the_ramdisk_ends_in_the_configuration },
	{ "a kernel takes the configuration's size and sum", a_kernel_takes_size_and_sum },
	{ "a RAM disk that is not there is an error", a_ramdisk_that_is_not_there_is_an_error },
};

int main(void)
{
	return tap_run(cases, ARRAY_SIZE(cases));
}
