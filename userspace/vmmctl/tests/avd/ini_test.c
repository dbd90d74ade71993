// SPDX-License-Identifier: GPL-2.0-only
/*
 * The emulator's .ini files: values, and files that are refused.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "avd/ini.h"
#include "tests/tap.h"

static char message[4096];

static int parse(struct vmm_ini *ini, const void *bytes, size_t len)
{
	int err;

	tap_listen();
	err = vmm_ini_parse(ini, "F", bytes, len);
	tap_heard(message, sizeof(message));
	return err;
}

static bool is(const struct vmm_ini *ini, const char *key, const char *value)
{
	const char *have = vmm_ini_get(ini, key);

	tap_context("%s: %s", key, have ? have : "nothing");
	return have && !strcmp(have, value);
}

static void lines_are_keys_and_values(void)
{
	static const char text[] =
		"a=1\n  b.c \t=  two words \r\n# d=3\n;e=4\n\nf\n=g\nh=\ni=j=k\na=last";
	struct vmm_ini ini;

	tap_equal(parse(&ini, text, sizeof(text) - 1), 0);
	tap_check(is(&ini, "a", "last"));
	tap_check(is(&ini, "b.c", "two words"));
	tap_check(is(&ini, "h", ""));
	tap_check(is(&ini, "i", "j=k"));
	tap_equal(ini.count, 5);
	tap_check(!vmm_ini_get(&ini, "d") && !vmm_ini_get(&ini, "f") && !vmm_ini_get(&ini, ""));
	vmm_ini_free(&ini);
}

static void a_line_with_a_nul_is_left_out(void)
{
	static const char text[] = "a=1\nb=2\0c=3\nd=4\n";
	struct vmm_ini ini;

	tap_equal(parse(&ini, text, sizeof(text) - 1), 0);
	tap_check(ini.count == 2 && is(&ini, "a", "1") && is(&ini, "d", "4"));
	vmm_ini_free(&ini);
}

static void a_switch_has_several_words(void)
{
	static const char text[] = "a=yes\nb=ON\nc=true\nd=no\ne=\nf=off\n";
	struct vmm_ini ini;

	tap_equal(parse(&ini, text, sizeof(text) - 1), 0);
	tap_check(vmm_ini_yes(&ini, "a", false) && vmm_ini_yes(&ini, "b", false));
	tap_check(vmm_ini_yes(&ini, "c", false) && !vmm_ini_yes(&ini, "d", true));
	tap_check(vmm_ini_yes(&ini, "e", true) && !vmm_ini_yes(&ini, "f", true));
	tap_check(vmm_ini_yes(&ini, "none", true) && !vmm_ini_yes(&ini, "none", false));
	vmm_ini_free(&ini);
}

static void a_file_is_bounded(void)
{
	size_t size = VMM_INI_BYTES + 1;
	char *text = malloc(size);
	struct vmm_ini ini;
	size_t i;

	memset(text, 'a', size);
	tap_equal(parse(&ini, text, size), -E2BIG);
	tap_check(strstr(message, "F has 262145 bytes") && !ini.text && !ini.count);
	tap_equal(parse(&ini, text, size - 1), 0);
	vmm_ini_free(&ini);
	for (i = 0; i + 3 < size; i += 4)
		memcpy(text + i, "a=b\n", 4);
	tap_equal(parse(&ini, text, 4 * VMM_INI_LINES), 0);
	tap_equal(ini.count, VMM_INI_LINES);
	vmm_ini_free(&ini);
	tap_equal(parse(&ini, text, 4 * VMM_INI_LINES + 4), -E2BIG);
	tap_check(strstr(message, "more than 2048 lines"));
	free(text);
}

static void any_bytes_are_a_file(void)
{
	static const char letters[] = "ab=\n\r #;\0\xff";
	char text[200];
	unsigned int n;
	size_t i;

	srand(1);
	for (n = 0; n < 20000; n++) {
		size_t len = rand() % sizeof(text);
		struct vmm_ini ini;

		for (i = 0; i < len; i++)
			text[i] = letters[rand() % (sizeof(letters) - 1)];
		if (!tap_check(!vmm_ini_parse(&ini, "F", text, len)))
			return;
		for (i = 0; i < ini.count; i++) {
			if (!tap_check(*ini.line[i].key && !strchr(ini.line[i].key, '=')))
				return;
		}
		vmm_ini_free(&ini);
	}
}

static int load(struct vmm_ini *ini, const char *path)
{
	int err;

	tap_listen();
	err = vmm_ini_load(ini, path);
	tap_heard(message, sizeof(message));
	return err;
}

static void what_is_no_file_is_refused(void)
{
	char path[64];
	struct vmm_ini ini;
	int fd = memfd_create("ini", 0);

	tap_equal(load(&ini, "/none/at/all"), -ENOENT);
	tap_check(!*message);
	tap_equal(load(&ini, "/dev/null"), -EINVAL);
	tap_check(strstr(message, "/dev/null is not a regular file"));
	tap_equal(load(&ini, "/"), -EINVAL);
	tap_check(write(fd, "a=b", 3) == 3);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	tap_equal(load(&ini, path), 0);
	tap_check(is(&ini, "a", "b"));
	vmm_ini_free(&ini);
	tap_check(!ftruncate(fd, VMM_INI_BYTES + 1));
	tap_equal(load(&ini, path), -EFBIG);
	tap_check(strstr(message, "cannot read"));
	close(fd);
}

static const struct {
	const char *text;
	u64 unit;
	int err;
	u64 bytes;
} sizes[] = {
	{ "0", 1, 0, 0 },
	{ "6442450944", 1, 0, 6442450944 },
	{ "1536", MIB, 0, 1536 * MIB },
	{ "10G", 1, 0, 10 * GIB },
	{ "512m", MIB, 0, 512 * MIB },
	{ "512MB", 1, 0, 512 * MIB },
	{ "2k", MIB, 0, 2 * KIB },
	{ "1T", 1, 0, 1024 * GIB },
	{ "12b", 1, 0, 12 },
	{ "", 1, -EINVAL, 0 },
	{ "G", 1, -EINVAL, 0 },
	{ "-1", 1, -EINVAL, 0 },
	{ " 1", 1, -EINVAL, 0 },
	{ "1 G", 1, -EINVAL, 0 },
	{ "1GBB", 1, -EINVAL, 0 },
	{ "1x", 1, -EINVAL, 0 },
	{ "1125899906842625", 1, -EINVAL, 0 },
	{ "2000T", 1, -EINVAL, 0 },
	{ "18446744073709551617", 1, -EINVAL, 0 },
};

static void sizes_have_letters(void)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		u64 bytes = 0;

		tap_context("%s", sizes[i].text);
		tap_equal(vmm_avd_size(sizes[i].text, sizes[i].unit, &bytes), sizes[i].err);
		tap_equal(bytes, sizes[i].bytes);
	}
}

static const struct tap_case cases[] = {
	{ "lines are keys and values, and the last value counts", lines_are_keys_and_values },
	{ "a line with a NUL in it is left out", a_line_with_a_nul_is_left_out },
	{ "a switch is yes, on, true or 1", a_switch_has_several_words },
	{ "a file has a largest size and most lines", a_file_is_bounded },
	{ "any bytes are a file", any_bytes_are_a_file },
	{ "what is no regular file is refused", what_is_no_file_is_refused },
	{ "sizes have letters behind", sizes_have_letters },
};

int main(void)
{
	return tap_run(cases, ARRAY_SIZE(cases));
}
