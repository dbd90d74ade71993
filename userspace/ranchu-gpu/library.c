// SPDX-License-Identifier: GPL-2.0-only
/*
 * Libraries that render: opening them, and handling their messages. A process opens one
 * library, which is never closed.
 */
#include <ctype.h>
#include <dlfcn.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "host/log.h"
#include "library.h"

#define LINES	20	/* of a library's messages that are shown: a guest can cause any number */
#define LINE	200	/* bytes of a line */

#ifdef GPU_STATIC
static int handle_open(const char *path)
{
	return vmm_error(EOPNOTSUPP, "%s: a static ranchu-gpu opens no libraries", path);
}

static void *symbol_of(const char *name)
{
	(void)name;
	return NULL;
}
#else
static void *handle;

static int handle_open(const char *path)
{
	handle = dlopen(path, RTLD_NOW | RTLD_LOCAL);
	return handle ? 0 : vmm_error(0, "%s", dlerror());
}

static void *symbol_of(const char *name)
{
	return dlsym(handle, name);
}
#endif

/**
 * gpu_library_open - open a library that renders
 * @path: its path, or a name that the dynamic linker searches
 * @symbols: its functions
 * @count: how many
 * @to: structure of pointers, filled
 *
 * Return: 0, or -errno after a message
 */
int gpu_library_open(const char *path, const struct gpu_symbol *symbols, unsigned int count,
		     void *to)
{
	int err = handle_open(path);
	unsigned int i;
	void *symbol;

	for (i = 0; !err && i < count; i++) {
		symbol = symbol_of(symbols[i].name);
		if (!symbol && !symbols[i].optional)
			err = vmm_error(0, "%s has no %s", path, symbols[i].name);
		memcpy((u8 *)to + symbols[i].offset, &symbol, sizeof(symbol));
	}
	return err;
}

/**
 * gpu_library_has - return whether the library that was opened has a function
 * @name: its name
 *
 * Return: whether it has
 */
bool gpu_library_has(const char *name)
{
	return symbol_of(name);
}

/**
 * gpu_library_args - describe a resource to a library
 * @id: its number
 * @args: its description
 *
 * Return: the same as the library's structure
 */
struct gpu_library_args gpu_library_args(u32 id, const struct gpu_args *args)
{
	return (struct gpu_library_args){
		.id = id, .target = args->target, .format = args->format, .bind = args->bind,
		.width = args->width, .height = args->height, .depth = args->depth,
		.layers = args->layers, .last_level = args->last_level,
		.samples = args->samples, .flags = args->flags,
	};
}

/**
 * gpu_library_says - show a message of a library, up to a limit
 * @library: its name
 * @line: the message, not trusted
 *
 * Context: any thread.
 */
void gpu_library_says(const char *library, const char *line)
{
	static unsigned int lines;
	unsigned int n = __atomic_fetch_add(&lines, 1, __ATOMIC_RELAXED);
	char text[LINE + 1];
	size_t i;

	if (n > LINES)
		return;
	for (i = 0; i < LINE && line[i] && line[i] != '\n'; i++)
		text[i] = isprint((unsigned char)line[i]) ? line[i] : '?';
	text[i] = 0;
	vmm_note("%s: %s", library, n < LINES ? text : "further messages are not shown");
}

/**
 * gpu_library_errno - convert a return value of a library to -errno
 * @value: 0, an errno, or -errno
 *
 * Return: 0, -ENOMEM, or -EINVAL for all else
 */
int gpu_library_errno(int value)
{
	if (!value)
		return 0;
	return value == ENOMEM || value == -ENOMEM ? -ENOMEM : -EINVAL;
}
