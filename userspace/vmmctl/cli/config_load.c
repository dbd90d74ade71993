// SPDX-License-Identifier: GPL-2.0-only
/*
 * Reads the configuration file, which may be a pipe, into memory.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "cli/option.h"
#include "host/log.h"

/* Reads up to @size bytes. Returns how many, or -errno after a message. */
static ssize_t read_some(int fd, const char *path, char *text, size_t size)
{
	size_t done = 0;

	while (done < size) {
		ssize_t n = read(fd, text + done, size - done);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return vmm_error(errno, "cannot read %s", path);
		if (!n)
			break;
		done += n;
	}
	return done;
}

/**
 * vmm_config_file_load - read options from a file
 * @reader: source that gets the options
 * @path: of the file
 *
 * Return: 0, or -errno
 */
int vmm_config_file_load(struct vmm_reader *reader, const char *path)
{
	char *text = malloc(VMM_CONFIG_FILE_MAX + 1);
	ssize_t len;
	int err;
	int fd;

	if (!text)
		return vmm_error(ENOMEM, "cannot read %s", path);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0) {
		err = vmm_error(errno, "cannot open %s", path);
		goto out_text;
	}
	len = read_some(fd, path, text, VMM_CONFIG_FILE_MAX + 1);
	if (len < 0)
		err = len;
	else if ((size_t)len > VMM_CONFIG_FILE_MAX)
		err = vmm_error(-EFBIG, "%s has more than %llu bytes, a configuration file's limit",
				path, VMM_CONFIG_FILE_MAX);
	else
		err = vmm_config_file_parse(reader, path, text, len);
	close(fd);
out_text:
	free(text);
	return err;
}
