// SPDX-License-Identifier: GPL-2.0-only
/*
 * The emulator's .ini files. An AVD is not trusted: the parser accepts any bytes, and the size
 * of a file is limited. Unknown keys are kept.
 *
 * Source: platform_external_qemu android/avd/keys.h, info.c (077d158733ef, 008923eb): keys;
 * the last value of a duplicate key counts.
 */
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include "avd/ini.h"
#include "host/log.h"

/* Strips blanks at the beginning and the end. */
static char *strip(char *from)
{
	char *end;

	while (isspace((unsigned char)*from))
		from++;
	end = from + strlen(from);
	while (end > from && isspace((unsigned char)end[-1]))
		*--end = '\0';
	return from;
}

/* Splits a line; false for comments, and for lines without "=" or with an empty key. */
static bool line_split(char *text, struct vmm_ini_line *line)
{
	char *equals = strchr(text, '=');

	if (!equals)
		return false;
	*equals = '\0';
	line->key = strip(text);
	line->value = strip(equals + 1);
	return *line->key && !strchr("#;", *line->key);
}

/**
 * vmm_ini_parse - read the text of a file
 * @ini: filled
 * @name: name of the file in messages
 * @bytes: the text, any bytes
 * @len: how many
 *
 * Lines with a NUL are ignored.
 *
 * Return: 0; -E2BIG or -ENOMEM after a message: @ini is all zero then
 */
int vmm_ini_parse(struct vmm_ini *ini, const char *name, const void *bytes, size_t len)
{
	char *next, *end;

	*ini = (struct vmm_ini){ 0 };
	if (len > VMM_INI_BYTES)
		return vmm_error(-E2BIG, "%s has %zu bytes; %llu are allowed", name, len,
				 VMM_INI_BYTES);
	ini->text = malloc(len + 1);
	ini->line = calloc(VMM_INI_LINES, sizeof(*ini->line));
	if (!ini->text || !ini->line) {
		vmm_ini_free(ini);
		return vmm_error(-ENOMEM, "%s", name);
	}
	memcpy(ini->text, bytes, len);
	ini->text[len] = '\0';
	for (next = ini->text; next < ini->text + len; next = end + 1) {
		end = memchr(next, '\n', ini->text + len - next);
		if (!end)
			end = ini->text + len;
		*end = '\0';
		if (strlen(next) != (size_t)(end - next))
			continue;
		if (ini->count == VMM_INI_LINES) {
			vmm_ini_free(ini);
			return vmm_error(-E2BIG, "%s has more than %d lines", name, VMM_INI_LINES);
		}
		if (line_split(next, &ini->line[ini->count]))
			ini->count++;
	}
	return 0;
}

/**
 * vmm_ini_free - free a file
 * @ini: was filled, or is all zero; is all zero afterwards
 */
void vmm_ini_free(struct vmm_ini *ini)
{
	free(ini->text);
	free(ini->line);
	*ini = (struct vmm_ini){ 0 };
}

/* Reads up to @size bytes of a file. */
static ssize_t read_all(int fd, char *to, size_t size)
{
	size_t done = 0;
	ssize_t n = 1;

	while (done < size && n) {
		n = read(fd, to + done, size - done);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		done += n;
	}
	return done;
}

/**
 * vmm_avd_read - read a small file
 * @path: its name
 * @text: filled: its bytes with a NUL at the end, to be freed
 * @len: filled: how many
 *
 * Return: 0; -ENOENT without a message if there is none; -errno after a message
 */
int vmm_avd_read(const char *path, char **text, size_t *len)
{
	/* Non-blocking, for device files and pipes without a writer. */
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	struct stat st;
	ssize_t n;

	*text = NULL;
	if (fd < 0)
		return errno == ENOENT ? -ENOENT : vmm_error(errno, "cannot open %s", path);
	if (fstat(fd, &st) || !S_ISREG(st.st_mode)) {
		close(fd);
		return vmm_error(-EINVAL, "%s is not a regular file", path);
	}
	*text = malloc(VMM_INI_BYTES + 2);
	n = *text ? read_all(fd, *text, VMM_INI_BYTES + 1) : -ENOMEM;
	close(fd);
	if (n > (ssize_t)VMM_INI_BYTES)
		n = -EFBIG;
	if (n < 0) {
		free(*text);
		*text = NULL;
		return vmm_error(-n, "cannot read %s", path);
	}
	(*text)[n] = '\0';
	*len = n;
	return 0;
}

/**
 * vmm_ini_load - read a file
 * @ini: filled
 * @path: its name
 *
 * Return: 0; -ENOENT without a message if there is none; -errno after a message: @ini is
 * all zero then
 */
int vmm_ini_load(struct vmm_ini *ini, const char *path)
{
	size_t len = 0;
	char *text;
	int err;

	*ini = (struct vmm_ini){ 0 };
	err = vmm_avd_read(path, &text, &len);
	if (!err)
		err = vmm_ini_parse(ini, path, text, len);
	free(text);
	return err;
}

/**
 * vmm_ini_get - look up a key
 * @ini: the file
 * @key: exactly
 *
 * Return: its value, "" included; NULL if the file does not have it
 */
const char *vmm_ini_get(const struct vmm_ini *ini, const char *key)
{
	unsigned int i;

	for (i = ini->count; i; i--) {
		if (!strcmp(ini->line[i - 1].key, key))
			return ini->line[i - 1].value;
	}
	return NULL;
}

/**
 * vmm_ini_yes - look up a switch
 * @ini: the file
 * @key: exactly
 * @otherwise: its value if the file does not have it
 *
 * Return: whether it is on
 */
bool vmm_ini_yes(const struct vmm_ini *ini, const char *key, bool otherwise)
{
	static const char *const yes[] = { "yes", "on", "true", "1" };
	const char *value = vmm_ini_get(ini, key);
	unsigned int i;

	if (!value || !*value)
		return otherwise;
	for (i = 0; i < ARRAY_SIZE(yes); i++) {
		if (!strcasecmp(value, yes[i]))
			return true;
	}
	return false;
}

/**
 * vmm_avd_size - parse a size in the emulator's format
 * @text: digits, optionally followed by K, M, G or T, and B, as in 512MB
 * @unit: unit of a number without a suffix, in bytes
 * @bytes: filled
 *
 * Return: 0, or -EINVAL without a message; a size is below 1 PiB
 */
int vmm_avd_size(const char *text, u64 unit, u64 *bytes)
{
	static const char letters[] = "kmgt";
	const char *letter;
	u64 n = 0;

	if (!isdigit((unsigned char)*text))
		return -EINVAL;
	for (; isdigit((unsigned char)*text); text++) {
		n = n * 10 + (*text - '0');
		if (n > 1ULL << 50)
			return -EINVAL;
	}
	letter = *text ? strchr(letters, tolower((unsigned char)*text)) : NULL;
	if (letter) {
		unit = KIB << 10 * (letter - letters);
		text++;
	}
	if (*text && strcasecmp(text, "b"))
		return -EINVAL;
	if (n > (1ULL << 50) / unit)
		return -EINVAL;
	*bytes = n * unit;
	return 0;
}
