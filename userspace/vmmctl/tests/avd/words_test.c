// SPDX-License-Identifier: GPL-2.0-only
/*
 * The command line of `vmmctl run` that is made from an AVD: `vmmctl run` accepts it, and it has
 * the intended options.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/cli.h"
#include "host/vm_name.h"
#include "tests/avd/avd_lib.h"

#define PCI	"/dev/block/pci/pci0000:00/0000:00:"

static struct vmm_avd_plan plan;
static struct vmm_config cfg;

/* Plans, and parses the words as `vmmctl run` does. */
static int run(char **words)
{
	int err;

	vmm_options_free(&cfg);
	vmm_avd_plan_free(&plan);
	err = avd_plan(&plan, words);
	if (err) {
		memset(&cfg, 0, sizeof(cfg));
		return err;
	}
	return vmm_options_parse(&cfg, plan.run.count, plan.run.word);
}

static void end(void)
{
	vmm_options_free(&cfg);
	vmm_avd_plan_free(&plan);
	memset(&plan, 0, sizeof(plan));
	avd_end();
}

static bool serves(const char *word)
{
	unsigned int i;

	for (i = 0; i < plan.serve.count; i++) {
		if (!strcmp(plan.serve.word[i], word))
			return true;
	}
	return false;
}

static void an_arm64_avd_becomes_a_run(void)
{
	avd_begin(false);
	avd_sparse(SYSDIR "/vendor.img", MIB);
	tap_equal(run(WORDS("one", "-no-window", "-no-audio")), 0);
	tap_context("%s", avd_message);
	tap_check(cfg.command == VMM_CMD_RUN && cfg.board == VMM_BOARD_VIRT);
	tap_check(strstr(cfg.kernel, "/kernel-ranchu") && strstr(cfg.initrd, "/ranchu/initrd"));
	tap_check(cfg.cpus == 3 && cfg.memory == 1536 * MIB && !cfg.console);
	tap_check(cfg.screen_width == 320 && cfg.screen_height == 640);
	tap_check(!strcmp(cfg.name, "one") && !strcmp(cfg.append, plan.boot.line));
	tap_equal(cfg.disks, 5);
	tap_check(cfg.disk[0].readonly && cfg.disk[0].transport.slot == 26 && !cfg.disk[0].fstab);
	tap_check(!cfg.disk[2].readonly && cfg.disk[2].transport.slot == 28);
	tap_check(!strcmp(cfg.disk[4].fstab, "vendor") && cfg.disk[4].transport.slot == 29);
	tap_check(cfg.adb_transport == VMM_ADB_BY_PIPE && cfg.adb == VMM_ADB_ON);
	tap_check(cfg.builtins == 1 && cfg.builtin[0].kind == VMM_BUILTIN_RNG);
	tap_check(!cfg.pstore && !cfg.fstab_vendor);
	tap_check(serves("one") && serves("--property=qemu.sf.lcd_density=160"));
	tap_check(serves("--property=qemu.timezone=Etc/UTC"));
	end();
}

static void an_x86_64_avd_becomes_a_run(void)
{
	avd_begin(true);
	avd_sparse(SYSDIR "/vendor.img", MIB);
	avd_write(SYSDIR "/kernel-ranchu-64", "kernel");
	avd_write(SYSDIR "/advancedFeatures.ini", "VirtioVsockPipe=on\nVirtioSndCard=on\n");
	tap_equal(run(WORDS("one", "-show-kernel")), 0);
	tap_context("%s", avd_message);
	tap_check(cfg.board == VMM_BOARD_PC && strstr(cfg.kernel, "/kernel-ranchu-64"));
	tap_check(cfg.console && strstr(cfg.pstore, "/ranchu/pstore.bin"));
	tap_check(cfg.vsock == VMM_VSOCK_ADB && !cfg.vsock_cid && cfg.adb == VMM_ADB_ON);
	tap_check(cfg.builtins == 2 && cfg.builtin[1].kind == VMM_BUILTIN_SOUND);
	tap_check(!strcmp(cfg.fstab_system, PCI "03.0/by-name/system"));
	tap_check(!strcmp(cfg.fstab_vendor, PCI "07.0/by-name/vendor"));
	tap_check(cfg.disk[4].transport.slot == 7 && !cfg.disk[4].fstab);
	tap_equal(run(WORDS("one", "-noaudio", "-read-only")), 0);
	tap_check(cfg.builtins == 1 && !strcmp(cfg.pstore, VMM_PSTORE_MEMORY));
	tap_check(!strncmp(cfg.name, "one-", 4));
	end();
}

static void options_win_over_the_file(void)
{
	avd_begin(false);
	tap_equal(run(WORDS("one", "-memory", "2048", "-cores", "5", "-port", "5560", "-id", "x",
			    "-net-tap", "tap7", "-unix-pipe", "/run/a", "-shell", "-prop",
			    "qemu.a=b", "-logcat-output", "/log", "-timezone", "Asia/Seoul",
			    "-skip-adb-auth", "--", "--stats", "--vmgenid=off")), 0);
	tap_context("%s", avd_message);
	tap_check(cfg.memory == 2 * GIB && cfg.cpus == 5 && cfg.adb_port == 5561);
	tap_check(!strcmp(cfg.name, "x") && cfg.console && cfg.stats && !cfg.vmgenid);
	tap_check(!strcmp(cfg.backend[VMM_BACKEND_NET][0].path, "tap7"));
	tap_check(cfg.n_services == 1 && !strcmp(cfg.services[0].path, "/run/a"));
	tap_check(cfg.services[0].name_len == 11 &&
		  !strncmp(cfg.services[0].name, "unix:/run/a", 11));
	tap_check(serves("--property=qemu.a=b") && serves("--logcat=/log") && serves("x"));
	tap_check(serves("--property=qemu.timezone=Asia/Seoul"));
	tap_check(serves("--property=qemu.adb.secure=0"));
	end();
}

static void the_file_s_hardware_is_the_guest_s(void)
{
	avd_begin(false);
	avd_write(CONTENT "/config.ini", "abi.type=arm64-v8a\nhw.keyboard=no\nhw.dPad=yes\n"
		  "hw.battery=no\nhw.screen=touch\nhw.lcd.depth=16\nhw.ramSize=1G\n"
		  "image.sysdir.1=system-images/android-34/default/abi\n");
	tap_equal(run(WORDS("one")), 0);
	tap_context("%s", avd_message);
	tap_check(!cfg.hw_keyboard && cfg.hw_dpad && !cfg.hw_trackball && !cfg.battery);
	tap_check(cfg.hw_touch == VMM_TOUCH_SINGLE && cfg.screen_depth == 16);
	tap_check(cfg.memory == GIB && cfg.cpus == 2);
	end();
}

/* The snapshot has the VM's configuration and is read first; here it is missing. */
static void a_snapshot_is_gone_on_from(void)
{
	avd_begin(false);
	tap_equal(run(WORDS("one")), 0);
	tap_check(strstr(cfg.snapshots, "/ranchu/snapshots"));
	tap_check(strstr(cfg.screenshots, "/ranchu/screenshots"));
	tap_equal(run(WORDS("one", "-no-snapstorage")), 0);
	tap_check(!cfg.snapshots && cfg.screenshots);
	vmm_avd_plan_free(&plan);
	tap_equal(avd_plan(&plan, WORDS("one", "-snapshot", "clean", "-port", "5556", "--",
					"--stats")), 0);
	tap_equal(plan.run.count, 6);
	tap_check(strstr(plan.run.word[2], "--from=") &&
		  strstr(plan.run.word[2], "one.avd/ranchu/snapshots/clean"));
	tap_check(!strcmp(plan.run.word[3], "--adb-port=5557"));
	tap_check(!strcmp(plan.run.word[4], "--name=one"));
	tap_check(!strcmp(plan.run.word[5], "--stats") && serves("one"));
	vmm_avd_plan_free(&plan);
	tap_equal(avd_plan(&plan, WORDS("one", "-snapshot", "clean", "-read-only")), 0);
	tap_check(!strcmp(plan.run.word[3], "--clone"));
	tap_check(!strncmp(plan.run.word[4], "--name=one-", 11));
	end();
}

static const struct {
	char *words[4];
	const char *says;
} mistakes[] = {
	{ { "-memory", "lots" }, "\"lots\" is no size of RAM" },
	{ { "-cores", "0" }, "\"0\" is no number of CPUs" },
	{ { "-accel", "off" }, "-accel off is refused" },
	{ { "-accel", "maybe" }, "-accel is on, off or auto" },
	{ { "-gpu", "host" }, "-gpu host is refused" },
	{ { "-port", "5553" }, "\"5553\" is no port" },
	{ { "-port", "5684" }, "\"5684\" is no port" },
	{ { "-port", "x" }, "\"x\" is no port" },
	{ { "-ports", "5554" }, "is not CONSOLE,ADB" },
	{ { "-ports", "5554,5557" }, "adb's port is the next one" },
	{ { "-ports", "5554,5554" }, "adb's port is the next one" },
	{ { "-port", "5554", "-ports", "5554,5555" }, "cannot both be given" },
	{ { "-prop", "ro.a=b" }, "is not qemu.KEY=VALUE" },
	{ { "-prop", "qemu.a" }, "is not qemu.KEY=VALUE" },
	{ { "-id", "a/b" }, "cannot be a VM's name" },
	{ { "-snapshot", "../x" }, "is no name of one" },
	{ { "-snapshot", "x", "-wipe-data" }, "-snapshot and -wipe-data cannot both" },
};

static void mistakes_are_named(void)
{
	unsigned int i;

	avd_begin(false);
	for (i = 0; i < ARRAY_SIZE(mistakes); i++) {
		char **words = (char **)mistakes[i].words;

		tap_equal(run(WORDS("one", words[0], words[1], words[2], words[3])), -EINVAL);
		tap_context("%s: %s", words[1], avd_message);
		tap_check(strstr(avd_message, mistakes[i].says));
	}
	avd_folder("a,b");
	tap_equal(run(WORDS("one", "-datadir", (char *)avd_name("a,b"))), -EINVAL);
	tap_check(strstr(avd_message, "has a comma"));
	end();
}

static void ports_are_a_pair(void)
{
	avd_begin(false);
	tap_equal(run(WORDS("one", "-port", "5555")), 0);
	tap_check(cfg.adb_port == 5555 && strstr(avd_message, "even port: 5554"));
	tap_equal(run(WORDS("one", "-ports", "5682,5683")), 0);
	tap_check(cfg.adb_port == 5683 && !*avd_message);
	tap_equal(run(WORDS("one")), 0);
	tap_equal(cfg.adb_port, 0);
	end();
}

static void a_kernel_of_old_is_refused(void)
{
	avd_begin(false);
	avd_remove(SYSDIR "/kernel-ranchu");
	tap_equal(run(WORDS("one")), -ENOENT);
	tap_check(strstr(avd_message, "has no kernel-ranchu"));
	avd_write(SYSDIR "/kernel-qemu", "kernel");
	tap_equal(run(WORDS("one")), -EINVAL);
	tap_check(strstr(avd_message, "has kernel-qemu"));
	avd_write("K", "");
	avd_write("R", "");
	tap_equal(run(WORDS("one", "-kernel", (char *)avd_name("K"), "-ramdisk",
			    (char *)avd_name("R"))), 0);
	tap_check(!strcmp(cfg.kernel, avd_name("K")) && !strcmp(plan.ramdisk, avd_name("R")));
	tap_check(!mkfifo(avd_name("pipe"), 0600));
	tap_equal(run(WORDS("one", "-kernel", (char *)avd_name("pipe"))), -ENOENT);
	tap_check(strstr(avd_message, "-kernel: ") && strstr(avd_message, "is not a file"));
	tap_equal(run(WORDS("one", "-kernel", (char *)avd_name("K"), "-ramdisk",
			    (char *)avd_name("pipe"))), -ENOENT);
	tap_check(strstr(avd_message, "-ramdisk: "));
	end();
}

/* run itself reports options that are given twice after "--". */
static void words_are_bounded(void)
{
	char *words[VMM_AVD_WORDS + 3] = { "one", "--" };
	unsigned int i;

	avd_begin(false);
	for (i = 2; i < ARRAY_SIZE(words) - 1; i++)
		words[i] = "--stats";
	words[i] = NULL;
	tap_equal(run(words), -E2BIG);
	tap_check(strstr(avd_message, "at most 96 words"));
	end();
}

/* PATH has a ranchu-services, which is not run. */
static void install_services(void)
{
	avd_folder("bin");
	avd_write("bin/ranchu-services", "");
	tap_check(!chmod(avd_name("bin/ranchu-services"), 0700));
	setenv("PATH", avd_name("bin"), 1);
}

static void quit_after_boot_needs_a_boot(void)
{
	static const char *const wrong[] = { "0", "-1", "x", "86401", "" };
	char path[PATH_MAX];
	unsigned int i;

	snprintf(path, sizeof(path), "%s", getenv("PATH"));
	avd_begin(true);
	setenv("PATH", "/none", 1);
	tap_equal(run(WORDS("one", "-quit-after-boot", "300")), -ENOENT);
	tap_check(strstr(avd_message, "needs ranchu-services"));
	install_services();
	tap_equal(run(WORDS("one", "-quit-after-boot", "300")), 0);
	tap_equal(cfg.quit_after_boot, 300);
	tap_check(cfg.guest_services);
	for (i = 0; i < ARRAY_SIZE(wrong); i++)
		tap_equal(run(WORDS("one", "-quit-after-boot", (char *)wrong[i])), -EINVAL);
	tap_equal(run(WORDS("one", "-quit-after-boot", "9", "-snapshot", "x")), -EINVAL);
	tap_check(strstr(avd_message, "that guest has booted"));
	setenv("PATH", path, 1);
	end();
}

static void languages_and_low_ram_are_boot_properties(void)
{
	static const char *const wrong[] = { "", "en US", "en=1", "en\npersist.x=1" };
	unsigned int i;

	avd_begin(true);
	tap_equal(run(WORDS("one", "-change-language", "de", "-change-country", "AT",
			    "-change-locale", "de-AT", "-lowram")), 0);
	tap_check(serves("--property=persist.sys.language=de"));
	tap_check(serves("--property=persist.sys.country=AT"));
	tap_check(serves("--property=persist.sys.locale=de-AT"));
	tap_check(serves("--property=ro.config.low_ram=true"));
	tap_equal(run(WORDS("one")), 0);
	tap_check(!serves("--property=ro.config.low_ram=true"));
	for (i = 0; i < ARRAY_SIZE(wrong); i++)
		tap_equal(run(WORDS("one", "-change-locale", (char *)wrong[i])), -EINVAL);
	end();
}

static const struct tap_case cases[] = {
	{ "an arm64 AVD becomes a run", an_arm64_avd_becomes_a_run },
	{ "an x86_64 AVD becomes a run", an_x86_64_avd_becomes_a_run },
	{ "options win over config.ini", options_win_over_the_file },
	{ "the hardware of config.ini is the guest's", the_file_s_hardware_is_the_guest_s },
	{ "a snapshot is gone on from", a_snapshot_is_gone_on_from },
	{ "mistakes are named", mistakes_are_named },
	{ "ports are a pair", ports_are_a_pair },
	{ "a kernel of the old board is refused", a_kernel_of_old_is_refused },
	{ "there is an end to the words", words_are_bounded },
	{ "-quit-after-boot needs a guest that boots", quit_after_boot_needs_a_boot },
	{ "languages and little RAM are boot properties",
	  languages_and_low_ram_are_boot_properties },
};

int main(void)
{
	return tap_run(cases, ARRAY_SIZE(cases));
}
