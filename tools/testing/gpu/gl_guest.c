// SPDX-License-Identifier: GPL-2.0-only
/*
 * Draws by OpenGL ES without a screen, and compares each pixel with its expected value.
 * Mesa's EGL is opened by name, so no headers and libraries are needed to build this.
 *
 *	gl_guest FRAMES		prints the renderer's name, and for each frame the number of
 *				wrong pixels and a sum of all pixels
 *
 * A frame has a solid part, colours that change from pixel to pixel, a texture, and
 * triangles on top of it. All values are chosen so that rounding is the same in all renderers.
 */
#include <dlfcn.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define W		160
#define H		120
#define TEXTURE		8	/* pixels, each way */
#define TEXEL		4	/* pixels of the frame for each, each way */
#define TEXTURE_X	100	/* where it is drawn */
#define TEXTURE_Y	60

/* ---- the used part of EGL and OpenGL ES ---- */

#define EGL_NONE			0x3038
#define EGL_OPENGL_ES_API		0x30a0
#define EGL_CONTEXT_CLIENT_VERSION	0x3098
#define EGL_PLATFORM_SURFACELESS	0x31dd
#define EGL_SURFACE_TYPE		0x3033
#define EGL_RENDERABLE_TYPE		0x3040
#define EGL_OPENGL_ES2_BIT		4

#define GL_TRIANGLES			4
#define GL_TRIANGLE_STRIP		5
#define GL_UNSIGNED_BYTE		0x1401
#define GL_FLOAT			0x1406
#define GL_RGBA				0x1908
#define GL_RENDERER			0x1f01
#define GL_NEAREST			0x2600
#define GL_TEXTURE_MAG_FILTER		0x2800
#define GL_TEXTURE_MIN_FILTER		0x2801
#define GL_COLOR_BUFFER_BIT		0x4000
#define GL_TEXTURE_2D			0x0de1
#define GL_SCISSOR_TEST			0x0c11
#define GL_FRAGMENT_SHADER		0x8b30
#define GL_VERTEX_SHADER		0x8b31
#define GL_COMPILE_STATUS		0x8b81
#define GL_LINK_STATUS			0x8b82
#define GL_ARRAY_BUFFER			0x8892
#define GL_STATIC_DRAW			0x88e4
#define GL_COLOR_ATTACHMENT0		0x8ce0
#define GL_FRAMEBUFFER			0x8d40
#define GL_FRAMEBUFFER_COMPLETE		0x8cd5

static struct gl {
	const char *(*GetString)(unsigned int what);
	unsigned int (*GetError)(void);
	unsigned int (*CreateShader)(unsigned int type);
	void (*ShaderSource)(unsigned int shader, int count, const char **text, int *len);
	void (*CompileShader)(unsigned int shader);
	void (*GetShaderiv)(unsigned int shader, unsigned int what, int *value);
	unsigned int (*CreateProgram)(void);
	void (*AttachShader)(unsigned int program, unsigned int shader);
	void (*BindAttribLocation)(unsigned int program, unsigned int at, const char *name);
	void (*LinkProgram)(unsigned int program);
	void (*GetProgramiv)(unsigned int program, unsigned int what, int *value);
	void (*UseProgram)(unsigned int program);
	int (*GetUniformLocation)(unsigned int program, const char *name);
	void (*Uniform4f)(int at, float x, float y, float z, float w);
	void (*Uniform1i)(int at, int value);
	void (*GenTextures)(int count, unsigned int *names);
	void (*BindTexture)(unsigned int target, unsigned int name);
	void (*TexParameteri)(unsigned int target, unsigned int what, int value);
	void (*TexImage2D)(unsigned int target, int level, int inside, int width, int height,
			   int border, unsigned int format, unsigned int type, const void *pixels);
	void (*GenFramebuffers)(int count, unsigned int *names);
	void (*BindFramebuffer)(unsigned int target, unsigned int name);
	void (*FramebufferTexture2D)(unsigned int target, unsigned int attachment,
				     unsigned int texture, unsigned int name, int level);
	unsigned int (*CheckFramebufferStatus)(unsigned int target);
	void (*GenBuffers)(int count, unsigned int *names);
	void (*BindBuffer)(unsigned int target, unsigned int name);
	void (*BufferData)(unsigned int target, long size, const void *data, unsigned int use);
	void (*EnableVertexAttribArray)(unsigned int at);
	void (*VertexAttribPointer)(unsigned int at, int size, unsigned int type,
				    unsigned char normalized, int stride, const void *offset);
	void (*DrawArrays)(unsigned int mode, int first, int count);
	void (*Viewport)(int x, int y, int width, int height);
	void (*Scissor)(int x, int y, int width, int height);
	void (*Enable)(unsigned int what);
	void (*Disable)(unsigned int what);
	void (*ClearColor)(float red, float green, float blue, float alpha);
	void (*Clear)(unsigned int what);
	void (*ReadPixels)(int x, int y, int width, int height, unsigned int format,
			   unsigned int type, void *to);
} gl;

#define NAME(name)	{ "gl" #name, offsetof(struct gl, name) }

static const struct {
	const char *name;
	size_t offset;
} names[] = {
	NAME(GetString), NAME(GetError), NAME(CreateShader), NAME(ShaderSource),
	NAME(CompileShader), NAME(GetShaderiv), NAME(CreateProgram), NAME(AttachShader),
	NAME(BindAttribLocation), NAME(LinkProgram), NAME(GetProgramiv), NAME(UseProgram),
	NAME(GetUniformLocation), NAME(Uniform4f), NAME(Uniform1i), NAME(GenTextures),
	NAME(BindTexture), NAME(TexParameteri), NAME(TexImage2D), NAME(GenFramebuffers),
	NAME(BindFramebuffer), NAME(FramebufferTexture2D), NAME(CheckFramebufferStatus),
	NAME(GenBuffers), NAME(BindBuffer), NAME(BufferData), NAME(EnableVertexAttribArray),
	NAME(VertexAttribPointer), NAME(DrawArrays), NAME(Viewport), NAME(Scissor),
	NAME(Enable), NAME(Disable), NAME(ClearColor), NAME(Clear), NAME(ReadPixels),
};

static struct {
	void *(*get_proc_address)(const char *name);
	void *(*get_platform_display)(unsigned int platform, void *native, const long *attribs);
	unsigned int (*initialize)(void *display, int *major, int *minor);
	unsigned int (*bind_api)(unsigned int api);
	unsigned int (*choose_config)(void *display, const int *attribs, void **configs, int size,
				      int *count);
	void *(*create_context)(void *display, void *config, void *share, const int *attribs);
	unsigned int (*make_current)(void *display, void *draw, void *read, void *context);
} egl;

static void fail(const char *what)
{
	printf("gl: %s\n", what);
	exit(1);
}

static void *symbol(void *library, const char *name)
{
	void *pointer = dlsym(library, name);

	if (!pointer)
		fail(name);
	return pointer;
}

static void egl_open(void)
{
	void *library = dlopen("libEGL.so.1", RTLD_NOW);

	if (!library)
		fail(dlerror());
	egl.get_proc_address = symbol(library, "eglGetProcAddress");
	egl.get_platform_display = symbol(library, "eglGetPlatformDisplay");
	egl.initialize = symbol(library, "eglInitialize");
	egl.bind_api = symbol(library, "eglBindAPI");
	egl.choose_config = symbol(library, "eglChooseConfig");
	egl.create_context = symbol(library, "eglCreateContext");
	egl.make_current = symbol(library, "eglMakeCurrent");
}

static void context_make(void)
{
	static const int want[] = {
		EGL_SURFACE_TYPE, 0, EGL_RENDERABLE_TYPE, EGL_OPENGL_ES2_BIT, EGL_NONE,
	};
	static const int version[] = { EGL_CONTEXT_CLIENT_VERSION, 2, EGL_NONE };
	void *display = egl.get_platform_display(EGL_PLATFORM_SURFACELESS, NULL, NULL);
	void *config = NULL;
	void *context;
	int count = 0;
	size_t i;

	if (!display || !egl.initialize(display, NULL, NULL))
		fail("no display");
	egl.bind_api(EGL_OPENGL_ES_API);
	if (!egl.choose_config(display, want, &config, 1, &count) || !count)
		fail("no configuration");
	context = egl.create_context(display, config, NULL, version);
	if (!context || !egl.make_current(display, NULL, NULL, context))
		fail("no context");
	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		void *pointer = egl.get_proc_address(names[i].name);

		if (!pointer)
			fail(names[i].name);
		memcpy((char *)&gl + names[i].offset, &pointer, sizeof(pointer));
	}
	printf("gl: renderer %s\n", gl.GetString(GL_RENDERER));
	fflush(stdout);
}

/* ---- expected pixels ---- */

struct pixel {
	uint8_t red, green, blue, alpha;
};

static struct pixel texel(unsigned int frame, unsigned int x, unsigned int y)
{
	return (struct pixel){ x * 30 + frame, y * 20 + 5, (x ^ y) * 31, 255 };
}

/* Row 0 is the lowest, as in OpenGL. */
static struct pixel expected(unsigned int frame, unsigned int x, unsigned int y)
{
	if (x >= TEXTURE_X && x < TEXTURE_X + TEXTURE * TEXEL && y >= TEXTURE_Y &&
	    y < TEXTURE_Y + TEXTURE * TEXEL)
		return texel(frame, (x - TEXTURE_X) / TEXEL, (y - TEXTURE_Y) / TEXEL);
	if (x >= W / 2)
		return (struct pixel){ x, y, frame * 8, 255 };
	/* The triangle below the diagonal of the left half. */
	if (x * H < (W / 2 - y * (W / 2) / H) * H && (x + 1) * H + (y + 1) * (W / 2) <= W / 2 * H)
		return (struct pixel){ 10, 200, frame, 255 };
	return (struct pixel){ 255, 0, 64, 255 };
}

/* Returns whether the triangle's edge crosses a pixel, which may then have either colour. */
static bool on_edge(unsigned int x, unsigned int y)
{
	return x < W / 2 && x * H + y * (W / 2) < W / 2 * H &&
	       (x + 1) * H + (y + 1) * (W / 2) > W / 2 * H;
}

/* ---- drawing ---- */

static const char vertex[] =
	"attribute vec2 place;\n"
	"attribute vec2 where;\n"
	"varying vec2 at;\n"
	"void main() { at = where; gl_Position = vec4(place, 0.0, 1.0); }\n";
static const char solid[] =
	"precision highp float;\n"
	"uniform vec4 colour;\n"
	"void main() { gl_FragColor = colour; }\n";
static const char ramp[] =
	"precision highp float;\n"
	"uniform vec4 colour;\n"
	"void main() {\n"
	"	gl_FragColor = vec4((gl_FragCoord.xy - vec2(0.5)) / 255.0, colour.b, 1.0);\n"
	"}\n";
static const char textured[] =
	"precision highp float;\n"
	"uniform sampler2D image;\n"
	"varying vec2 at;\n"
	"void main() { gl_FragColor = texture2D(image, at); }\n";

static unsigned int shader_make(unsigned int type, const char *text)
{
	unsigned int shader = gl.CreateShader(type);
	int good = 0;

	gl.ShaderSource(shader, 1, &text, NULL);
	gl.CompileShader(shader);
	gl.GetShaderiv(shader, GL_COMPILE_STATUS, &good);
	if (!good)
		fail("a shader is not compiled");
	return shader;
}

static unsigned int program_make(const char *fragment)
{
	unsigned int program = gl.CreateProgram();
	int good = 0;

	gl.AttachShader(program, shader_make(GL_VERTEX_SHADER, vertex));
	gl.AttachShader(program, shader_make(GL_FRAGMENT_SHADER, fragment));
	gl.BindAttribLocation(program, 0, "place");
	gl.BindAttribLocation(program, 1, "where");
	gl.LinkProgram(program);
	gl.GetProgramiv(program, GL_LINK_STATUS, &good);
	if (!good)
		fail("a program is not linked");
	return program;
}

static unsigned int texture_make(int width, int height, const void *pixels)
{
	unsigned int name;

	gl.GenTextures(1, &name);
	gl.BindTexture(GL_TEXTURE_2D, name);
	gl.TexParameteri(GL_TEXTURE_2D, GL_TEXTURE_MIN_FILTER, GL_NEAREST);
	gl.TexParameteri(GL_TEXTURE_2D, GL_TEXTURE_MAG_FILTER, GL_NEAREST);
	gl.TexImage2D(GL_TEXTURE_2D, 0, GL_RGBA, width, height, 0, GL_RGBA, GL_UNSIGNED_BYTE,
		      pixels);
	return name;
}

static void target_make(void)
{
	unsigned int target = texture_make(W, H, NULL);
	unsigned int framebuffer;

	gl.GenFramebuffers(1, &framebuffer);
	gl.BindFramebuffer(GL_FRAMEBUFFER, framebuffer);
	gl.FramebufferTexture2D(GL_FRAMEBUFFER, GL_COLOR_ATTACHMENT0, GL_TEXTURE_2D, target, 0);
	if (gl.CheckFramebufferStatus(GL_FRAMEBUFFER) != GL_FRAMEBUFFER_COMPLETE)
		fail("the framebuffer is not complete");
	gl.Viewport(0, 0, W, H);
}

/* Makes the four corners of the frame, three of a triangle, and texture coordinates. */
static void corners_make(void)
{
	static const float corners[] = {
		-1, -1, 0, 0, 1, -1, 1, 0, -1, 1, 0, 1, 1, 1, 1, 1,
		-1, -1, 0, 0, 0, -1, 0, 0, -1, 1, 0, 0,
	};
	unsigned int buffer;

	gl.GenBuffers(1, &buffer);
	gl.BindBuffer(GL_ARRAY_BUFFER, buffer);
	gl.BufferData(GL_ARRAY_BUFFER, sizeof(corners), corners, GL_STATIC_DRAW);
	gl.VertexAttribPointer(0, 2, GL_FLOAT, 0, 16, (void *)0);
	gl.VertexAttribPointer(1, 2, GL_FLOAT, 0, 16, (void *)8);
	gl.EnableVertexAttribArray(0);
	gl.EnableVertexAttribArray(1);
}

static void part(int x, int y, int width, int height)
{
	gl.Scissor(x, y, width, height);
	gl.Enable(GL_SCISSOR_TEST);
}

static void colour(unsigned int program, float red, float green, float blue)
{
	gl.UseProgram(program);
	gl.Uniform4f(gl.GetUniformLocation(program, "colour"), red / 255, green / 255, blue / 255,
		     1);
}

static void frame_draw(const unsigned int *program, unsigned int frame)
{
	struct pixel image[TEXTURE][TEXTURE];
	unsigned int x, y;

	for (y = 0; y < TEXTURE; y++) {
		for (x = 0; x < TEXTURE; x++)
			image[y][x] = texel(frame, x, y);
	}
	gl.Disable(GL_SCISSOR_TEST);
	gl.ClearColor(1, 0, 64.0f / 255, 1);
	gl.Clear(GL_COLOR_BUFFER_BIT);
	colour(program[0], 10, 200, frame);
	gl.DrawArrays(GL_TRIANGLES, 4, 3);
	part(W / 2, 0, W / 2, H);
	colour(program[1], 0, 0, frame * 8);
	gl.DrawArrays(GL_TRIANGLE_STRIP, 0, 4);
	texture_make(TEXTURE, TEXTURE, image);
	gl.Disable(GL_SCISSOR_TEST);
	gl.Viewport(TEXTURE_X, TEXTURE_Y, TEXTURE * TEXEL, TEXTURE * TEXEL);
	gl.UseProgram(program[2]);
	gl.Uniform1i(gl.GetUniformLocation(program[2], "image"), 0);
	gl.DrawArrays(GL_TRIANGLE_STRIP, 0, 4);
	gl.Viewport(0, 0, W, H);
}

/* Returns the number of wrong pixels, and prints the first one. */
static unsigned int frame_check(unsigned int frame, uint64_t *sum)
{
	static struct pixel pixels[H][W];
	unsigned int wrong = 0;
	unsigned int x, y, i;

	gl.ReadPixels(0, 0, W, H, GL_RGBA, GL_UNSIGNED_BYTE, pixels);
	*sum = 0xcbf29ce484222325;
	for (y = 0; y < H; y++) {
		for (x = 0; x < W; x++) {
			struct pixel want = expected(frame, x, y);
			const struct pixel *is = &pixels[y][x];

			for (i = 0; i < sizeof(*is); i++)
				*sum = (*sum ^ ((const uint8_t *)is)[i]) * 0x100000001b3;
			if (!memcmp(is, &want, sizeof(want)) || on_edge(x, y))
				continue;
			if (!wrong++)
				printf("gl: pixel %u, %u: %u %u %u %u, should be %u %u %u %u\n", x,
				       y, is->red, is->green, is->blue, is->alpha, want.red,
				       want.green, want.blue, want.alpha);
		}
	}
	return wrong;
}

int main(int argc, char **argv)
{
	unsigned int frames = argc == 2 ? atoi(argv[1]) : 0;
	unsigned int program[3];
	unsigned int i;
	uint64_t sum;

	if (!frames) {
		fputs("usage: gl_guest FRAMES\n", stderr);
		return 2;
	}
	egl_open();
	context_make();
	program[0] = program_make(solid);
	program[1] = program_make(ramp);
	program[2] = program_make(textured);
	corners_make();
	target_make();
	for (i = 0; i < frames; i++) {
		unsigned int wrong;

		frame_draw(program, i);
		wrong = frame_check(i, &sum);
		printf("gl: frame %u: %u of %u pixels wrong, sum %016llx\n", i, wrong, W * H,
		       (unsigned long long)sum);
		fflush(stdout);
	}
	printf("gl: error %x\n", gl.GetError());
	return 0;
}
