// SPDX-License-Identifier: GPL-2.0-only
/*
 * The commands of renderControl: the guest's requests about the emulator's screen and colour
 * buffers, apart from OpenGL ES. Colour buffers work. There is no OpenGL ES: creating a
 * context fails.
 *
 * Commands are executed in order, and each is complete before the next one is parsed. So a
 * sync object is signalled as soon as it exists.
 *
 * Source: google/gfxstream, codegen/renderControl/renderControl.in and .attrib,
 * host/RenderControl.cpp, host/gl/EmulatedEglConfig.cpp @9fcff254b.
 */
#include <endian.h>
#include <errno.h>
#include <string.h>

#include "gles.h"

#define FIRST		10000
#define VERSION		1	/* of the renderer */
#define EGL_MAJOR	1
#define EGL_MINOR	4
#define SIGNALLED	0x30f6	/* EGL_CONDITION_SATISFIED_KHR */
#define NO_PUID		(~0ULL)	/* process ID of a guest without one */
#define DPI		160
#define FPS		60

/* Names of strings. */
#define EGL_VENDOR	0x3053
#define EGL_VERSION	0x3054
#define EGL_EXTENSIONS	0x3055
#define GL_VENDOR	0x1f00
#define GL_RENDERER	0x1f01
#define GL_VERSION	0x1f02
#define GL_EXTENSIONS	0x1f03

/* Properties of the screen. */
enum { FB_WIDTH = 1, FB_HEIGHT, FB_XDPI, FB_YDPI, FB_FPS };

/* ---- arguments and answers ---- */

static const u8 *args_bytes(struct gles_args *args, size_t n)
{
	const u8 *at = args->at;

	if (n > args->left) {
		args->bad = true;
		return NULL;
	}
	args->at += n;
	args->left -= n;
	return at;
}

/**
 * gles_arg - read an argument
 * @args: the arguments
 *
 * Return: a number; 0 with @args->bad if there is none
 */
u32 gles_arg(struct gles_args *args)
{
	const u8 *at = args_bytes(args, sizeof(u32));
	__le32 word = 0;

	if (at)
		memcpy(&word, at, sizeof(word));
	return le32toh(word);
}

static u64 arg_long(struct gles_args *args)
{
	u64 low = gles_arg(args);

	return low | (u64)gles_arg(args) << 32;
}

/* Returns whether all arguments were read, and no more. */
static bool args_whole(const struct gles_args *args)
{
	return !args->bad && !args->left;
}

/* Answers with @n zeroed bytes and @value after them; returns the address of the bytes. */
static u8 *answer_behind(struct gles_stream *stream, size_t n, u32 value)
{
	u8 *to = gles_stream_reply(stream, n + sizeof(u32));
	__le32 word = htole32(value);

	memcpy(to + n, &word, sizeof(word));
	return to;
}

static int answer(struct gles_stream *stream, u32 value)
{
	answer_behind(stream, 0, value);
	return 0;
}

/* ---- commands without an effect here ---- */

static int run_nothing(struct gles_stream *stream, struct gles_args *args)
{
	(void)stream;
	(void)args;
	return 0;
}

static int answer_zero(struct gles_stream *stream, struct gles_args *args)
{
	(void)args;
	return answer(stream, 0);
}

static int answer_one(struct gles_stream *stream, struct gles_args *args)
{
	(void)args;
	return answer(stream, 1);
}

static int answer_failed(struct gles_stream *stream, struct gles_args *args)
{
	(void)args;
	return answer(stream, -1);
}

/* ---- queries ---- */

static int get_version(struct gles_stream *stream, struct gles_args *args)
{
	(void)args;
	return answer(stream, VERSION);
}

static int get_egl_version(struct gles_stream *stream, struct gles_args *args)
{
	__le32 version[] = { htole32(EGL_MAJOR), htole32(EGL_MINOR) };

	if (gles_arg(args) != sizeof(u32) || gles_arg(args) != sizeof(u32))
		return -EPROTO;
	memcpy(answer_behind(stream, sizeof(version), 1), version, sizeof(version));
	return 0;
}

/* Answers with a string with its NUL, or with minus the size that it needs. */
static int answer_string(struct gles_stream *stream, u32 size, u32 room, const char *text)
{
	u32 len = strlen(text) + 1;
	bool fits = len <= room && len <= size;

	if (size > GLES_REPLY - sizeof(u32))
		return -EPROTO;
	if (fits)
		memcpy(answer_behind(stream, size, len), text, len);
	else
		answer_behind(stream, size, -len);
	return 0;
}

static const char *extensions(const struct gles_stream *stream)
{
	return stream->gles->fences ? "ANDROID_EMU_native_sync_v4 " : "";
}

static const char *string_of(const struct gles_stream *stream, u32 name)
{
	switch (name) {
	case EGL_VENDOR:
	case GL_VENDOR:
		return "ranchu";
	case EGL_VERSION:
		return "1.4 ranchu-gles";
	case GL_RENDERER:
		return "ranchu-gles: pictures only";
	case GL_VERSION:
		return "OpenGL ES 2.0: none";
	case GL_EXTENSIONS:
		return extensions(stream);
	default:
		return "";
	}
}

static int get_string(struct gles_stream *stream, struct gles_args *args)
{
	u32 name = gles_arg(args);
	u32 size = gles_arg(args);
	u32 room = gles_arg(args);

	return answer_string(stream, size, room, string_of(stream, name));
}

static int get_host_extensions(struct gles_stream *stream, struct gles_args *args)
{
	u32 room = gles_arg(args);
	u32 size = gles_arg(args);

	return answer_string(stream, size, room, extensions(stream));
}

/* The only configuration: eight bits for each colour, and windows. */
static const struct {
	u32 attribute;
	u32 value;
} config[] = {
	{ 0x3025, 0 },		/* depth size; the order of the first five is fixed */
	{ 0x3026, 0 },		/* stencil size */
	{ 0x3040, 4 },		/* renderable type: OpenGL ES 2 */
	{ 0x3033, 5 },		/* surface type: window, pbuffer */
	{ 0x3028, 1 },		/* number */
	{ 0x3020, 32 },		/* buffer size */
	{ 0x3021, 8 },		/* alpha size */
	{ 0x3022, 8 },		/* blue size */
	{ 0x3023, 8 },		/* green size */
	{ 0x3024, 8 },		/* red size */
	{ 0x3027, 0x3038 },	/* caveat: none */
	{ 0x302e, 1 },		/* native visual: RGBA_8888 */
};

static int get_num_configs(struct gles_stream *stream, struct gles_args *args)
{
	__le32 attributes = htole32(ARRAY_SIZE(config));

	if (gles_arg(args) != sizeof(attributes))
		return -EPROTO;
	memcpy(answer_behind(stream, sizeof(attributes), 1), &attributes, sizeof(attributes));
	return 0;
}

static int get_configs(struct gles_stream *stream, struct gles_args *args)
{
	__le32 all[2][ARRAY_SIZE(config)];
	u32 room = gles_arg(args);
	u32 size = gles_arg(args);
	unsigned int i;

	if (size > GLES_REPLY - sizeof(u32))
		return -EPROTO;
	for (i = 0; i < ARRAY_SIZE(config); i++) {
		all[0][i] = htole32(config[i].attribute);
		all[1][i] = htole32(config[i].value);
	}
	if (room < sizeof(all) || size < sizeof(all))
		answer_behind(stream, size, -(u32)sizeof(all));
	else
		memcpy(answer_behind(stream, size, 1), all, sizeof(all));
	return 0;
}

/* The only configuration has number 0, which is the zeroed answer. */
static int choose_config(struct gles_stream *stream, struct gles_args *args)
{
	u32 size;

	args_bytes(args, gles_arg(args));
	gles_arg(args);
	size = gles_arg(args);
	gles_arg(args);
	if (!args_whole(args) || size > GLES_REPLY - sizeof(u32))
		return -EPROTO;
	answer_behind(stream, size, 1);
	return 0;
}

static u32 screen_param(const struct gles *gles, u32 param)
{
	switch (param) {
	case FB_WIDTH:
		return gles->width;
	case FB_HEIGHT:
		return gles->height;
	case FB_XDPI:
	case FB_YDPI:
		return DPI;
	case FB_FPS:
		return FPS;
	default:
		return -1;
	}
}

static int get_screen_param(struct gles_stream *stream, struct gles_args *args)
{
	return answer(stream, screen_param(stream->gles, gles_arg(args)));
}

static int get_display_param(struct gles_stream *stream, struct gles_args *args)
{
	u32 display = gles_arg(args);
	u32 param = gles_arg(args);

	return answer(stream, display ? (u32)-1 : screen_param(stream->gles, param));
}

/* ---- colour buffers ---- */

static int create_buffer(struct gles_stream *stream, struct gles_args *args)
{
	struct gles *gles = stream->gles;
	u32 width = gles_arg(args);
	u32 height = gles_arg(args);
	struct gles_buffer *buffer = gles_buffer_new(&gles->buffers, width, height);

	if (!buffer) {
		gles_complain(gles, GLES_FULL,
			      "the guest is refused a colour buffer: there are %u, of %llu MiB in all",
			      GLES_BUFFERS, gles->buffers.most / MIB);
		return answer(stream, 0);
	}
	if (gles_hold(gles, gles_stream_holder(stream), buffer)) {
		gles_buffer_drop(&gles->buffers, buffer);
		return answer(stream, 0);
	}
	return answer(stream, buffer->handle);
}

static int buffer_open(struct gles_stream *stream, struct gles_args *args)
{
	struct gles_buffer *buffer = gles_buffer_find(&stream->gles->buffers, gles_arg(args));

	return buffer ? gles_hold(stream->gles, gles_stream_holder(stream), buffer) : -ENOENT;
}

/* The guest gets no error here: it continues with a buffer that it does not hold. */
static int open_buffer(struct gles_stream *stream, struct gles_args *args)
{
	buffer_open(stream, args);
	return 0;
}

static int open_buffer_2(struct gles_stream *stream, struct gles_args *args)
{
	return answer(stream, buffer_open(stream, args) ? -1 : 0);
}

static int close_buffer(struct gles_stream *stream, struct gles_args *args)
{
	gles_drop(stream->gles, gles_stream_holder(stream), gles_arg(args));
	return 0;
}

/* Reads the place of pixels. Pixels of a missing colour buffer are transferred all the same. */
static int picture_read(struct gles_stream *stream, struct gles_args *args, bool out)
{
	struct gles_picture *p = &stream->picture;
	u32 format, type;

	memset(p, 0, sizeof(*p));
	p->out = out;
	p->handle = gles_arg(args);
	p->x = gles_arg(args);
	p->y = gles_arg(args);
	p->width = gles_arg(args);
	p->height = gles_arg(args);
	format = gles_arg(args);
	type = gles_arg(args);
	p->kind = gles_pixels_find(format, type);
	if (p->kind < 0 || p->width > GLES_SIDE || p->height > GLES_SIDE)
		return -EPROTO;
	p->total = (u64)p->width * p->height;
	return gles_arg(args) == p->total * gles_pixels_bytes(p->kind) ? 0 : -EPROTO;
}

static int read_buffer(struct gles_stream *stream, struct gles_args *args)
{
	int err = picture_read(stream, args, true);

	stream->picture.active = !err;
	return err;
}

static int update_buffer(struct gles_stream *stream, struct gles_args *args)
{
	return picture_read(stream, args, false);
}

static int post(struct gles_stream *stream, struct gles_args *args)
{
	struct gles_buffer *buffer = gles_buffer_find(&stream->gles->buffers, gles_arg(args));

	if (buffer)
		gles_post(stream->gles, buffer);
	return 0;
}

/* ---- OpenGL ES, which is not supported ---- */

/* Only "no context" can be made current. */
static int make_current(struct gles_stream *stream, struct gles_args *args)
{
	u32 context = gles_arg(args);
	u32 draw = gles_arg(args);
	u32 read = gles_arg(args);

	return answer(stream, !context && !draw && !read);
}

/* ---- sync objects, processes ---- */

static int select_checksum(struct gles_stream *stream, struct gles_args *args)
{
	(void)stream;
	/* Checksums are not supported: a guest that selects one is disconnected. */
	return gles_arg(args) ? -EPROTO : 0;
}

/* Answers with the numbers of a sync object and of a thread; the latter is never 0 to 2. */
static int create_sync(struct gles_stream *stream, struct gles_args *args)
{
	__le64 numbers[2];

	gles_arg(args);
	args_bytes(args, gles_arg(args));
	gles_arg(args);
	gles_arg(args);
	if (gles_arg(args) != sizeof(u64) || gles_arg(args) != sizeof(u64) || !args_whole(args))
		return -EPROTO;
	numbers[0] = htole64(++stream->gles->last_sync);
	numbers[1] = htole64(1ULL << 32);
	memcpy(gles_stream_reply(stream, sizeof(numbers)), numbers, sizeof(numbers));
	return 0;
}

static int wait_sync(struct gles_stream *stream, struct gles_args *args)
{
	(void)args;
	return answer(stream, SIGNALLED);
}

static int set_puid(struct gles_stream *stream, struct gles_args *args)
{
	u64 puid = arg_long(args);

	stream->puid = puid == NO_PUID ? 0 : puid;
	return 0;
}

static int set_metadata(struct gles_stream *stream, struct gles_args *args)
{
	(void)stream;
	args_bytes(args, gles_arg(args));
	args_bytes(args, gles_arg(args));
	gles_arg(args);
	return args_whole(args) ? 0 : -EPROTO;
}

static const struct gles_command commands[] = {
	[0] = { "rcGetRendererVersion", 0, false, get_version },
	[1] = { "rcGetEGLVersion", 8, false, get_egl_version },
	[2] = { "rcQueryEGLString", 12, false, get_string },
	[3] = { "rcGetGLString", 12, false, get_string },
	[4] = { "rcGetNumConfigs", 4, false, get_num_configs },
	[5] = { "rcGetConfigs", 8, false, get_configs },
	[6] = { "rcChooseConfig", GLES_ANY_SIZE, false, choose_config },
	[7] = { "rcGetFBParam", 4, false, get_screen_param },
	[8] = { "rcCreateContext", 12, false, answer_zero },
	[9] = { "rcDestroyContext", 4, false, run_nothing },
	[10] = { "rcCreateWindowSurface", 12, false, answer_zero },
	[11] = { "rcDestroyWindowSurface", 4, false, run_nothing },
	[12] = { "rcCreateColorBuffer", 12, false, create_buffer },
	[13] = { "rcOpenColorBuffer", 4, false, open_buffer },
	[14] = { "rcCloseColorBuffer", 4, false, close_buffer },
	[15] = { "rcSetWindowColorBuffer", 8, false, run_nothing },
	[16] = { "rcFlushWindowColorBuffer", 4, false, answer_failed },
	[17] = { "rcMakeCurrent", 12, false, make_current },
	[18] = { "rcFBPost", 4, false, post },
	[19] = { "rcFBSetSwapInterval", 4, false, run_nothing },
	[20] = { "rcBindTexture", 4, false, run_nothing },
	[21] = { "rcBindRenderbuffer", 4, false, run_nothing },
	[22] = { "rcColorBufferCacheFlush", 12, false, answer_zero },
	[23] = { "rcReadColorBuffer", 32, false, read_buffer },
	[24] = { "rcUpdateColorBuffer", 32, true, update_buffer },
	[25] = { "rcOpenColorBuffer2", 4, false, open_buffer_2 },
	[26] = { "rcCreateClientImage", 12, false, answer_zero },
	[27] = { "rcDestroyClientImage", 4, false, answer_zero },
	[28] = { "rcSelectChecksumHelper", 8, false, select_checksum },
	[29] = { "rcCreateSyncKHR", GLES_ANY_SIZE, false, create_sync },
	[30] = { "rcClientWaitSyncKHR", 20, false, wait_sync },
	[31] = { "rcFlushWindowColorBufferAsync", 4, false, run_nothing },
	[32] = { "rcDestroySyncKHR", 8, false, answer_zero },
	[33] = { "rcSetPuid", 8, false, set_puid },
	[35] = { "rcCreateColorBufferDMA", 16, false, create_buffer },
	[36] = { "rcWaitSyncKHR", 12, false, run_nothing },
	[47] = { "rcIsSyncSignaled", 8, false, answer_one },
	[55] = { "rcFlushWindowColorBufferAsyncWithFrameNumber", 8, false, run_nothing },
	[59] = { "rcDestroySyncKHRAsync", 8, false, run_nothing },
	[65] = { "rcGetFBDisplayConfigsCount", 0, false, answer_one },
	[66] = { "rcGetFBDisplayConfigsParam", 8, false, get_display_param },
	[67] = { "rcGetFBDisplayActiveConfig", 0, false, answer_zero },
	[68] = { "rcSetProcessMetadata", GLES_ANY_SIZE, false, set_metadata },
	[69] = { "rcGetHostExtensionsString", 8, false, get_host_extensions },
};

/**
 * gles_command_find - find a command
 * @opcode: its renderControl opcode
 *
 * Return: the command, or NULL
 */
const struct gles_command *gles_command_find(u32 opcode)
{
	u32 i = opcode - FIRST;

	return i < ARRAY_SIZE(commands) && commands[i].name ? &commands[i] : NULL;
}
