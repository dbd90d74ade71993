/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A frame of OpenGL ES as it goes through a pipe: packets with the sizes that an encoder gives
 * to the commands of a scene of 50 objects, each with its program, two matrices, three
 * attributes and a call that draws it. Opcodes are of OpenGL ES's range; nobody here carries
 * them out.
 *
 * Source of the form of packets: google/gfxstream, codegen/gles2 @9fcff254b.
 */
#ifndef GL_FRAME_H
#define GL_FRAME_H

#include <stdint.h>
#include <string.h>

#define GL_OBJECTS	50
#define GL_FRAME_MAX	(64 << 10)

/* Bytes of a packet for each command of an object. */
static const uint16_t gl_object[] = {
	12,		/* a program */
	88, 88,		/* two matrices of 4 x 4 floats, with place, count and a length */
	12, 32, 12, 32, 12, 32,	/* three attributes: switched on, and where they are */
	16,		/* a buffer bound */
	20,		/* drawn */
};

static inline size_t gl_packet(uint8_t *to, uint32_t opcode, uint32_t size)
{
	const uint32_t head[] = { opcode, size };

	memset(to, opcode, size);
	memcpy(to, head, sizeof(head));
	return size;
}

/* Fills in a frame; returns its bytes. */
static inline size_t gl_frame(uint8_t *to)
{
	size_t n = 0, i, object;

	n += gl_packet(to + n, 2048 + 200, 24);	/* viewport */
	n += gl_packet(to + n, 2048 + 201, 24);	/* colour to clear with */
	n += gl_packet(to + n, 2048 + 202, 12);	/* clear */
	for (object = 0; object < GL_OBJECTS; object++)
		for (i = 0; i < sizeof(gl_object) / sizeof(gl_object[0]); i++)
			n += gl_packet(to + n, 2048 + 10 + 2 * i, gl_object[i]);
	return n;
}

#endif /* GL_FRAME_H */
