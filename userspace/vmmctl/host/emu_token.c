// SPDX-License-Identifier: GPL-2.0-only
/*
 * The emulator console's token. The file is opened before the sandbox is entered and read again
 * for each client, so new content applies at once; a file that replaces it applies only to
 * emulators that start later.
 *
 * Source: platform_external_qemu console_auth.cpp (3ad3b7e3c7fd): name, mode, form.
 */
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "host/emu_token.h"
#include "host/log.h"

#define TOKEN_FILE	".emulator_console_auth_token"
#define TOKEN_RANDOM	12	/* bytes, which are 16 characters */
#define TOKEN_CHARS	(TOKEN_RANDOM / 3 * 4)

static void token_make(char text[TOKEN_CHARS], const unsigned char bytes[TOKEN_RANDOM])
{
	static const char digits[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	unsigned int i, bits;

	for (i = 0; i < TOKEN_RANDOM / 3; i++) {
		bits = bytes[3 * i] << 16 | bytes[3 * i + 1] << 8 | bytes[3 * i + 2];
		text[4 * i] = digits[bits >> 18];
		text[4 * i + 1] = digits[bits >> 12 & 63];
		text[4 * i + 2] = digits[bits >> 6 & 63];
		text[4 * i + 3] = digits[bits & 63];
	}
}

/* If another process creates the file at the same time, that file is used. */
static int token_create(const char *path)
{
	unsigned char bytes[TOKEN_RANDOM];
	char text[TOKEN_CHARS];
	int err = 0;
	int fd;

	if (getrandom(bytes, sizeof(bytes), 0) != sizeof(bytes))
		return -EIO;
	fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return errno == EEXIST ? 0 : -errno;
	token_make(text, bytes);
	if (write(fd, text, sizeof(text)) != sizeof(text))
		err = -EIO;
	close(fd);
	if (err)
		unlink(path);
	return err;
}

/**
 * vmm_emu_token_open - open the token's file, and create it if there is none
 * @token: filled
 * @home: directory, or NULL
 *
 * Return: 0, or -errno: then no client can authenticate
 */
int vmm_emu_token_open(struct vmm_emu_token *token, const char *home)
{
	int flags = O_RDONLY | O_CLOEXEC | O_NONBLOCK;
	int err;

	token->fd = -1;
	token->path[0] = '\0';
	if (!home || snprintf(token->path, sizeof(token->path), "%s/" TOKEN_FILE, home) >=
	    (int)sizeof(token->path))
		return -ENOENT;
	token->fd = open(token->path, flags);
	if (token->fd >= 0 || errno != ENOENT)
		return token->fd < 0 ? -errno : 0;
	err = token_create(token->path);
	if (err)
		return err;
	token->fd = open(token->path, flags);
	return token->fd < 0 ? -errno : 0;
}

/**
 * vmm_emu_token_close - close the token's file
 * @token: was opened, or opening it failed
 */
void vmm_emu_token_close(struct vmm_emu_token *token)
{
	if (token->fd >= 0)
		close(token->fd);
	token->fd = -1;
}

/**
 * vmm_emu_token_read - read the token
 * @token: the file
 * @text: filled, without blanks around; empty if no token is required
 *
 * Return: 0, or -errno if the file is gone or cannot be read
 */
int vmm_emu_token_read(const struct vmm_emu_token *token, char text[VMM_EMU_TOKEN_MAX + 1])
{
	struct stat st;
	ssize_t len;
	char *from = text;

	if (token->fd < 0)
		return -ENOENT;
	if (fstat(token->fd, &st))
		return -errno;
	if (!st.st_nlink)
		return -ENOENT;
	len = pread(token->fd, text, VMM_EMU_TOKEN_MAX, 0);
	if (len < 0)
		return -errno;
	while (len && isspace((unsigned char)text[len - 1]))
		len--;
	text[len] = '\0';
	while (isspace((unsigned char)*from))
		from++;
	memmove(text, from, strlen(from) + 1);
	return 0;
}

/**
 * vmm_emu_token_is - compare a word with the token
 * @token: the token
 * @said: the word that a client sent
 *
 * Runs in constant time.
 *
 * Return: whether they are equal
 */
bool vmm_emu_token_is(const char *token, const char *said)
{
	size_t len = strlen(token);
	size_t said_len = strlen(said);
	unsigned char differs = len != said_len;
	size_t i;

	for (i = 0; i < said_len; i++)
		differs |= said[i] ^ token[len ? i % len : 0];
	return !differs;
}
