// SPDX-License-Identifier: GPL-2.0-only
/*
 * Turns an AVD and the emulator's options into a command line of `vmmctl run`.
 */
#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "avd/avd.h"
#include "host/log.h"
#include "host/vm_name.h"

#define PORT_FIRST	5554
#define PORT_LAST	5682
#define CPUS		2
#define RAM		(2 * GIB)
#define SERVICES	"ranchu-services"
#define QUIT_MAX	86400	/* seconds; as of vmmctl run */

/**
 * vmm_avd_word - add a word
 * @words: the words; @lost is set if it does not fit
 * @fmt: the word
 */
void vmm_avd_word(struct vmm_avd_words *words, const char *fmt, ...)
{
	va_list args;
	char *word;
	int n;

	va_start(args, fmt);
	n = vasprintf(&word, fmt, args);
	va_end(args);
	if (n < 0 || words->count == VMM_AVD_WORDS) {
		words->lost = true;
		if (n >= 0)
			free(word);
		return;
	}
	words->word[words->count++] = word;
}

static void words_free(struct vmm_avd_words *words)
{
	while (words->count)
		free(words->word[--words->count]);
	memset(words, 0, sizeof(*words));
}

/**
 * vmm_avd_plan_free - free a plan's members
 * @plan: any
 */
void vmm_avd_plan_free(struct vmm_avd_plan *plan)
{
	words_free(&plan->run);
	words_free(&plan->serve);
	vmm_avd_free(&plan->avd);
}

/* ---- the plan, for which no file is opened ---- */

static int find_given(char path[PATH_MAX], const char *given, const char *option)
{
	if (vmm_avd_path(path, "", given) || !vmm_avd_is_file(path))
		return vmm_error(-ENOENT, "avd: -%s: %.200s is not a file", option, given);
	return 0;
}

static int find_kernel(struct vmm_avd_plan *plan)
{
	const char *given = vmm_avd_value(&plan->options, VMM_AVD_KERNEL);
	const struct vmm_avd *avd = &plan->avd;

	if (given)
		return find_given(plan->kernel, given, "kernel");
	if (avd->x86 && vmm_avd_file(avd, "kernel-ranchu-64", plan->kernel))
		return 0;
	if (vmm_avd_file(avd, "kernel-ranchu", plan->kernel))
		return 0;
	if (vmm_avd_file(avd, "kernel-qemu", plan->kernel))
		return vmm_error(-EINVAL,
				 "avd: %s has kernel-qemu, for a board of old, and no kernel-ranchu",
				 avd->name);
	return vmm_error(-ENOENT,
			 "avd: %s has no kernel-ranchu: is its system image installed, and ANDROID_SDK_ROOT set?",
			 avd->name);
}

static int find_ramdisk(struct vmm_avd_plan *plan)
{
	const char *given = vmm_avd_value(&plan->options, VMM_AVD_RAMDISK);

	if (given)
		return find_given(plan->ramdisk, given, "ramdisk");
	if (!vmm_avd_file(&plan->avd, "ramdisk.img", plan->ramdisk) && plan->boot.by_config)
		return vmm_error(-ENOENT, "avd: %s has no ramdisk.img", plan->avd.name);
	return 0;
}

/* Finds ranchu-services beside vmmctl, or in PATH. */
static bool find_services(char path[PATH_MAX])
{
	const char *from = getenv("PATH");
	ssize_t n = readlink("/proc/self/exe", path, PATH_MAX - 32);
	char folder[PATH_MAX];
	char *slash;

	if (n > 0) {
		path[n] = '\0';
		slash = strrchr(path, '/');
		if (slash)
			snprintf(slash + 1, 32, SERVICES);
		if (slash && !access(path, X_OK))
			return true;
	}
	while (from && *from) {
		size_t len = strcspn(from, ":");

		if (len && len < sizeof(folder)) {
			memcpy(folder, from, len);
			folder[len] = '\0';
			if (!vmm_avd_path(path, folder, SERVICES) && !access(path, X_OK))
				return true;
		}
		from += len;
		from += *from == ':';
	}
	snprintf(path, PATH_MAX, SERVICES);
	return false;
}

/**
 * vmm_avd_plan - plan a run
 * @plan: all zero but for its options; vmm_avd_plan_free() must be called in any case
 *
 * Return: 0, or -errno after a message
 */
int vmm_avd_plan(struct vmm_avd_plan *plan)
{
	char services[PATH_MAX];
	int err = vmm_avd_find(&plan->avd, &plan->options);

	if (!err)
		err = vmm_avd_folder_path(&plan->options, &plan->avd, plan->folder);
	if (!err)
		err = vmm_avd_disks(plan->disk, &plan->avd, &plan->options);
	if (!err)
		err = vmm_avd_boot(&plan->boot, &plan->avd, plan->disk, &plan->options);
	if (!err)
		err = find_kernel(plan);
	if (!err)
		err = find_ramdisk(plan);
	if (!err && plan->boot.by_config)
		err = vmm_avd_path(plan->initrd, plan->folder, "initrd");
	else if (!err)
		err = vmm_avd_path(plan->initrd, "", plan->ramdisk);
	if (err == -ENAMETOOLONG)
		err = vmm_error(err, "avd: %s", plan->avd.name);
	plan->services = find_services(services);
	vmm_avd_word(&plan->serve, "%s", services);
	return err;
}

/* ---- the words ---- */

/* Option and value are one word, so that the value cannot be taken for an option. */
#define WORD(plan, ...)		vmm_avd_word(&(plan)->run, __VA_ARGS__)

static const char *config(const struct vmm_avd_plan *plan, const char *key)
{
	const char *value = vmm_ini_get(&plan->avd.config, key);

	return value ? value : "";
}

static int add_memory(struct vmm_avd_plan *plan)
{
	const char *given = vmm_avd_value(&plan->options, VMM_AVD_MEMORY);
	const char *text = given ? given : config(plan, "hw.ramSize");
	u64 bytes = RAM;

	if (*text && vmm_avd_size(text, MIB, &bytes))
		return vmm_error(-EINVAL, "avd: \"%.40s\" is no size of RAM", text);
	WORD(plan, "--memory=%lluM", bytes / MIB);
	return 0;
}

static int add_cpus(struct vmm_avd_plan *plan)
{
	const char *given = vmm_avd_value(&plan->options, VMM_AVD_CORES);
	const char *text = given ? given : config(plan, "hw.cpu.ncore");
	u64 n = CPUS;

	if (*text && (vmm_avd_size(text, 1, &n) || !n))
		return vmm_error(-EINVAL, "avd: \"%.40s\" is no number of CPUs", text);
	WORD(plan, "--cpus=%llu", n);
	return 0;
}

static int add_accel(struct vmm_avd_plan *plan)
{
	const char *mode = vmm_avd_value(&plan->options, VMM_AVD_ACCEL);

	if (!mode || !strcmp(mode, "on") || !strcmp(mode, "auto"))
		return 0;
	if (!strcmp(mode, "off"))
		return vmm_error(-EINVAL,
				 "avd: -accel off is refused: vmmctl has KVM and nothing else");
	return vmm_error(-EINVAL, "avd: -accel is on, off or auto, not \"%.40s\"", mode);
}

/* The guest renders in software, unless the user gives a renderer after "--". */
static int add_gpu(struct vmm_avd_plan *plan)
{
	static const char *const known[] = {
		"auto", "off", "guest", "software", "swiftshader", "swiftshader_indirect",
	};
	const char *mode = vmm_avd_value(&plan->options, VMM_AVD_GPU);
	unsigned int i;

	for (i = 0; mode && i < ARRAY_SIZE(known); i++) {
		if (!strcmp(mode, known[i]))
			break;
	}
	if (mode && i == ARRAY_SIZE(known))
		return vmm_error(-EINVAL,
				 "avd: -gpu %.40s is refused: the guest renders in software, or by -- --vhost-user gpu,socket=PATH",
				 mode);
	return 0;
}

/* Adds options of the screen from words in config.ini. */
static void add_screen(struct vmm_avd_plan *plan)
{
	static const struct {
		const char *theirs;
		const char *ours;
	} touch[] = {
		{ "touch", "single" }, { "multi-touch", "multi" }, { "no-touch", "none" },
	};
	static const char *const sides[] = { "width", "height" };
	char key[40];
	unsigned int i;
	u64 n;

	for (i = 0; i < ARRAY_SIZE(sides); i++) {
		snprintf(key, sizeof(key), "hw.lcd.%s", sides[i]);
		if (!vmm_avd_size(config(plan, key), 1, &n))
			WORD(plan, "--screen-%s=%llu", sides[i], n);
	}
	if (!strcmp(config(plan, "hw.lcd.depth"), "16"))
		WORD(plan, "--screen-depth=16");
	for (i = 0; i < ARRAY_SIZE(touch); i++) {
		if (!strcmp(config(plan, "hw.screen"), touch[i].theirs))
			WORD(plan, "--hw-touch=%s", touch[i].ours);
	}
}

static void add_switches(struct vmm_avd_plan *plan)
{
	static const struct {
		const char *key;
		const char *option;
		bool initial;
	} rows[] = {
		{ "hw.keyboard", "hw-keyboard", true }, { "hw.dPad", "hw-dpad", false },
		{ "hw.trackBall", "hw-trackball", false }, { "hw.battery", "battery", true },
	};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		bool on = vmm_ini_yes(&plan->avd.config, rows[i].key, rows[i].initial);

		if (on != rows[i].initial)
			WORD(plan, "--%s=%s", rows[i].option, on ? "on" : "off");
	}
}

static int port_read(const char *text, unsigned int *port)
{
	u64 n;

	if (vmm_avd_size(text, 1, &n) || n < PORT_FIRST || n > PORT_LAST + 1)
		return vmm_error(-EINVAL, "avd: \"%.40s\" is no port from %d to %d", text,
				 PORT_FIRST, PORT_LAST);
	*port = n;
	return 0;
}

/* adb expects a console at the port below its own. */
static int add_ports(struct vmm_avd_plan *plan)
{
	const char *port = vmm_avd_value(&plan->options, VMM_AVD_PORT);
	const char *ports = vmm_avd_value(&plan->options, VMM_AVD_PORTS);
	unsigned int console = 0, adb;
	char text[16];
	int err;

	if (port && ports)
		return vmm_error(-EINVAL, "avd: -port and -ports cannot both be given");
	if (!port && !ports)
		return 0;
	snprintf(text, sizeof(text), "%.*s", (int)strcspn(port ? port : ports, ","),
		 port ? port : ports);
	err = port_read(text, &console);
	if (err)
		return err;
	if (ports && !strchr(ports, ','))
		return vmm_error(-EINVAL, "avd: -ports: \"%.40s\" is not CONSOLE,ADB", ports);
	if (console & 1) {
		console--;
		vmm_note("avd: a console has an even port: %u", console);
	}
	adb = console + 1;
	if (ports)
		err = port_read(strchr(ports, ',') + 1, &adb);
	if (!err && adb != console + 1)
		return vmm_error(-EINVAL,
				 "avd: -ports %u,%u is refused: adb's port is the next one",
				 console, adb);
	if (!err)
		WORD(plan, "--adb-port=%u", adb);
	return err;
}

/* Adds the transport between adb and the guest's adbd. */
static void add_adb(struct vmm_avd_plan *plan)
{
	if (vmm_avd_feature(&plan->avd, &plan->options, "VirtioVsockPipe"))
		WORD(plan, "--vsock=auto");
	else
		WORD(plan, "--adb-transport=pipe");
}

static int add_disks(struct vmm_avd_plan *plan)
{
	bool dynamic = vmm_avd_feature(&plan->avd, &plan->options, "DynamicPartition");
	bool as_root = vmm_avd_feature(&plan->avd, &plan->options, "SystemAsRoot");
	unsigned int i;

	for (i = 0; i < VMM_AVD_DISKS; i++) {
		const struct vmm_avd_disk *disk = &plan->disk[i];
		const char *fstab = "";

		if (!disk->present)
			continue;
		if (strchr(disk->path, ','))
			return vmm_error(-EINVAL, "avd: %s has a comma in its name", disk->path);
		if (!plan->avd.x86 && i == VMM_AVD_DISK_VENDOR)
			fstab = ",fstab=vendor";
		else if (!plan->avd.x86 && i == VMM_AVD_DISK_SYSTEM && !dynamic && !as_root)
			fstab = ",fstab=system";
		WORD(plan, "--disk=%s,slot=%u%s%s", disk->path, disk->slot,
		     disk->readonly ? ",readonly" : "", fstab);
	}
	return 0;
}

/* On a PC the ACPI tables have the partitions. */
static void add_fstab(struct vmm_avd_plan *plan)
{
	const struct vmm_avd_disk *vendor = &plan->disk[VMM_AVD_DISK_VENDOR];
	bool inside = vmm_avd_feature(&plan->avd, &plan->options, "DynamicPartition") ||
		      vmm_avd_feature(&plan->avd, &plan->options, "SystemAsRoot");
	char device[40];

	if (!plan->avd.x86)
		return;
	vmm_avd_device_name(&plan->avd, &plan->disk[VMM_AVD_DISK_SYSTEM], device, sizeof(device));
	if (!inside)
		WORD(plan, "--fstab-system=/dev/block/pci/%s/by-name/system", device);
	if (!vendor->present)
		return;
	vmm_avd_device_name(&plan->avd, vendor, device, sizeof(device));
	WORD(plan, "--fstab-vendor=/dev/block/pci/%s/by-name/vendor", device);
}

static void add_pstore(struct vmm_avd_plan *plan)
{
	if (!plan->avd.x86)
		return;
	if (vmm_avd_has(&plan->options, VMM_AVD_READ_ONLY))
		WORD(plan, "--pstore=memory");
	else
		WORD(plan, "--pstore=%s/pstore.bin", plan->folder);
}

static void add_given(struct vmm_avd_plan *plan)
{
	unsigned int i;

	for (i = 0; i < plan->options.count; i++) {
		const struct vmm_avd_given *given = &plan->options.given[i];

		if (given->option->id == VMM_AVD_NET_TAP)
			WORD(plan, "--net=tap=%s", given->value);
		if (given->option->id == VMM_AVD_UNIX_PIPE)
			WORD(plan, "--pipe-service=unix:%s=unix:%s", given->value, given->value);
	}
}

/* ranchu-services passes on the guest's report that it has booted. */
static int add_quit(struct vmm_avd_plan *plan)
{
	const char *text = vmm_avd_value(&plan->options, VMM_AVD_QUIT_AFTER_BOOT);
	u64 n;

	if (!text)
		return 0;
	if (vmm_avd_size(text, 1, &n) || !n || n > QUIT_MAX)
		return vmm_error(-EINVAL, "avd: -quit-after-boot: \"%.40s\" is not 1 to %d seconds",
				 text, QUIT_MAX);
	if (vmm_avd_has(&plan->options, VMM_AVD_SNAPSHOT))
		return vmm_error(-EINVAL,
				 "avd: -quit-after-boot and -snapshot cannot both be given: that guest has booted");
	if (!plan->services)
		return vmm_error(-ENOENT,
				 "avd: -quit-after-boot needs ranchu-services, which is not installed");
	WORD(plan, "--quit-after-boot=%llu", n);
	return 0;
}

/* With -read-only several VMs may run of an AVD: each gets its own name. */
static int add_name(struct vmm_avd_plan *plan)
{
	const char *id = vmm_avd_value(&plan->options, VMM_AVD_ID);
	char name[VMM_AVD_NAME_MAX + 16];

	if (id)
		snprintf(name, sizeof(name), "%.100s", id);
	else if (vmm_avd_has(&plan->options, VMM_AVD_READ_ONLY))
		snprintf(name, sizeof(name), "%s-%d", plan->avd.name, (int)getpid());
	else
		snprintf(name, sizeof(name), "%s", plan->avd.name);
	if (!vmm_name_valid(name) && id)
		return vmm_error(-EINVAL, "avd: -id: \"%.40s\" cannot be a VM's name", id);
	if (!vmm_name_valid(name))
		snprintf(name, sizeof(name), "avd-%d", (int)getpid());
	WORD(plan, "--name=%s", name);
	vmm_avd_word(&plan->serve, "%s", name);
	return 0;
}

/* Returns whether it is a name such as "en", "US" or "zh-Hans-CN". */
static bool is_locale(const char *text)
{
	size_t i;

	for (i = 0; text[i]; i++) {
		if (!isalnum((unsigned char)text[i]) && text[i] != '-' && text[i] != '_')
			return false;
	}
	return i && i < 32;
}

static int serve_locale(struct vmm_avd_plan *plan)
{
	static const struct {
		enum vmm_avd_id id;
		const char *name;
	} rows[] = {
		{ VMM_AVD_CHANGE_LANGUAGE, "language" }, { VMM_AVD_CHANGE_COUNTRY, "country" },
		{ VMM_AVD_CHANGE_LOCALE, "locale" },
	};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		const char *value = vmm_avd_value(&plan->options, rows[i].id);

		if (!value)
			continue;
		if (!is_locale(value))
			return vmm_error(-EINVAL, "avd: -change-%s: \"%.40s\" is none",
					 rows[i].name, value);
		vmm_avd_word(&plan->serve, "--property=persist.sys.%s=%s", rows[i].name, value);
	}
	return 0;
}

/* Properties of the service boot-properties are options of ranchu-services. */
static int add_services(struct vmm_avd_plan *plan)
{
	const char *density = config(plan, "hw.lcd.density");
	const char *zone = vmm_avd_value(&plan->options, VMM_AVD_TIMEZONE);
	const char *log = vmm_avd_value(&plan->options, VMM_AVD_LOGCAT_OUTPUT);
	unsigned int i;

	if (*density)
		vmm_avd_word(&plan->serve, "--property=qemu.sf.lcd_density=%s", density);
	vmm_avd_word(&plan->serve, "--property=qemu.timezone=%s", zone ? zone : "Etc/UTC");
	if (vmm_avd_has(&plan->options, VMM_AVD_SKIP_ADB_AUTH))
		vmm_avd_word(&plan->serve, "--property=qemu.adb.secure=0");
	if (vmm_avd_has(&plan->options, VMM_AVD_LOWRAM))
		vmm_avd_word(&plan->serve, "--property=ro.config.low_ram=true");
	if (log)
		vmm_avd_word(&plan->serve, "--logcat=%s", log);
	for (i = 0; i < plan->options.count; i++) {
		const struct vmm_avd_given *given = &plan->options.given[i];

		if (given->option->id != VMM_AVD_PROP)
			continue;
		if (strncmp(given->value, "qemu.", 5) || !strchr(given->value, '='))
			return vmm_error(-EINVAL, "avd: -prop: \"%.80s\" is not qemu.KEY=VALUE",
					 given->value);
		vmm_avd_word(&plan->serve, "--property=%s", given->value);
	}
	return serve_locale(plan);
}

static void add_boot(struct vmm_avd_plan *plan)
{
	bool console = vmm_avd_has(&plan->options, VMM_AVD_SHOW_KERNEL) ||
		       vmm_avd_has(&plan->options, VMM_AVD_SHELL);

	WORD(plan, "vmmctl");
	WORD(plan, "run");
	WORD(plan, "--board=%s", plan->avd.x86 ? "pc" : "virt");
	WORD(plan, "--kernel=%s", plan->kernel);
	if (*plan->initrd)
		WORD(plan, "--initrd=%s", plan->initrd);
	WORD(plan, "--append=%s", plan->boot.line);
	WORD(plan, "--console=%s", console ? "stdio" : "none");
	WORD(plan, "--virtio=rng");
	if (!vmm_avd_has(&plan->options, VMM_AVD_NO_AUDIO) &&
	    vmm_avd_feature(&plan->avd, &plan->options, "VirtioSndCard"))
		WORD(plan, "--virtio=sound");
}

/*
 * The directories for the console's snapshots and screenshots, unless the folder is removed
 * with the VM.
 */
static void add_directories(struct vmm_avd_plan *plan)
{
	if (vmm_avd_has(&plan->options, VMM_AVD_READ_ONLY))
		return;
	if (!vmm_avd_has(&plan->options, VMM_AVD_NO_SNAPSTORAGE))
		WORD(plan, "--snapshots=%s/" VMM_AVD_SNAPSHOTS, plan->folder);
	WORD(plan, "--screenshots=%s/" VMM_AVD_SCREENSHOTS, plan->folder);
}

/* Adds options for a snapshot, which has the VM's configuration. */
static int words_from(struct vmm_avd_plan *plan, const char *snapshot)
{
	int err;

	if (!vmm_avd_name_valid(snapshot))
		return vmm_error(-EINVAL, "avd: -snapshot: \"%.60s\" is no name of one", snapshot);
	if (vmm_avd_has(&plan->options, VMM_AVD_WIPE_DATA))
		return vmm_error(-EINVAL, "avd: -snapshot and -wipe-data cannot both be given");
	WORD(plan, "vmmctl");
	WORD(plan, "run");
	WORD(plan, "--from=%s/" VMM_AVD_SNAPSHOTS "/%s", plan->folder, snapshot);
	if (vmm_avd_has(&plan->options, VMM_AVD_READ_ONLY))
		WORD(plan, "--clone");
	err = add_ports(plan);
	if (!err)
		err = add_name(plan);
	return err ? err : add_quit(plan);
}

/* Adds options of a new VM from the AVD and the emulator's options. */
static int words_new(struct vmm_avd_plan *plan)
{
	static int (*const steps[])(struct vmm_avd_plan *plan) = {
		add_accel, add_gpu, add_memory, add_cpus, add_disks, add_ports, add_name,
		add_quit,
	};
	unsigned int i;
	int err = 0;

	add_boot(plan);
	for (i = 0; i < ARRAY_SIZE(steps) && !err; i++)
		err = steps[i](plan);
	if (err)
		return err;
	if (plan->services)
		WORD(plan, "--guest-services");
	add_directories(plan);
	add_fstab(plan);
	add_pstore(plan);
	add_screen(plan);
	add_switches(plan);
	add_adb(plan);
	add_given(plan);
	return 0;
}

/**
 * vmm_avd_words - create the command lines of a plan
 * @plan: planned; its images have their final paths
 *
 * Return: 0, or -errno after a message
 */
int vmm_avd_words(struct vmm_avd_plan *plan)
{
	const char *snapshot = vmm_avd_value(&plan->options, VMM_AVD_SNAPSHOT);
	unsigned int i;
	int err = snapshot ? words_from(plan, snapshot) : words_new(plan);

	if (!err)
		err = add_services(plan);
	if (err)
		return err;
	for (i = 0; i < plan->options.rest_count; i++)
		WORD(plan, "%s", plan->options.rest[i]);
	if (plan->run.lost || plan->serve.lost)
		return vmm_error(-E2BIG, "avd: there can be at most %d words of vmmctl run",
				 VMM_AVD_WORDS);
	return 0;
}
