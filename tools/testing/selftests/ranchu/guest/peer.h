/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Common definitions of pipe_peer's services and the guest's programs.
 */
#ifndef RANCHU_PEER_H
#define RANCHU_PEER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* Header of a command, like a renderer's. */
struct peer_command {
	uint32_t size;		/* bytes, these included; a multiple of 4 */
	uint32_t asks;		/* answer with the sum of all words so far, 4 bytes */
};

/**
 * struct peer_parser - state of a parser
 * @sum: of all words of all commands
 * @asked: the last command wants an answer
 */
struct peer_parser {
	uint32_t sum;
	bool asked;
};

/* Parses one command; returns its bytes, or 0 if it is incomplete. */
static inline size_t peer_parse(struct peer_parser *parser, const void *bytes, size_t n,
				uint32_t *answer)
{
	const uint32_t *words = bytes;
	struct peer_command command;
	uint32_t i;

	if (n < sizeof(command))
		return 0;
	memcpy(&command, bytes, sizeof(command));
	if (command.size < sizeof(command) || command.size % 4 || command.size > n)
		return 0;
	for (i = 0; i < command.size / 4; i++)
		parser->sum += words[i];
	parser->asked = command.asks;
	*answer = parser->sum;
	return command.size;
}

/* pipe_peer.c */
void peer_give_up(const char *what) __attribute__((noreturn));

/* peer_ring.c */
bool peer_ring_knows(const char *kind);
int peer_ring(const char *kind, const char *path, const char *name);

#endif /* RANCHU_PEER_H */
