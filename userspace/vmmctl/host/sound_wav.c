// SPDX-License-Identifier: GPL-2.0-only
/*
 * WAV files. The header of one that is written is right after each write, so that it can
 * be listened to while the guest runs and after any end. It has the format of the first
 * samples; samples of another one are not written. It is written by a thread of its own, as
 * its file system may not answer. One that is read is its user's choice,
 * is parsed before the guest runs, and only what the header's numbers allow is read.
 *
 * Source: Microsoft/IBM, Multimedia Programming Interface and Data Specifications 1.0,
 * "Waveform Audio File Format"
 */
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include "host/file_thread.h"
#include "host/iov.h"
#include "host/log.h"
#include "host/sound_ahead.h"
#include "host/sound_wav.h"

#define WAV_PCM		1
#define WAV_FLOAT	3
#define WAV_MAX		0xffff0000U	/* bytes of samples: lengths have 32 bits */
#define WAV_CHUNKS	64		/* that are looked at, at most */
#define WAV_ROOM	(1024 * 1024)	/* bytes that wait to be written: some seconds */
#define WAV_PIECE	(64 * 1024)	/* that are written at once, about */

/**
 * struct wav_format - the chunk that tells the format
 * @format: WAV_PCM or WAV_FLOAT
 * @channels: samples of one moment
 * @rate: moments a second
 * @byte_rate: bytes a second
 * @align: bytes of a moment
 * @bits: of a sample
 */
struct wav_format {
	__le16 format;
	__le16 channels;
	__le32 rate;
	__le32 byte_rate;
	__le16 align;
	__le16 bits;
};

/**
 * struct wav_chunk - begins each part of the file
 * @name: four letters
 * @size: bytes behind this field; a byte that is in none follows an odd number
 */
struct wav_chunk {
	char name[4];
	__le32 size;
};

/**
 * struct wav_header - first bytes of a file that is written
 * @riff: "RIFF", the rest of the file
 * @wave: "WAVE"
 * @fmt: "fmt ", the next field
 * @format: see struct wav_format
 * @data: "data", the samples, which follow
 */
struct wav_header {
	struct wav_chunk riff;
	char wave[4];
	struct wav_chunk fmt;
	struct wav_format format;
	struct wav_chunk data;
};

static int header_write(const struct vmm_wav *wav)
{
	const struct vmm_sound_format *format = &wav->format;
	u32 frame = vmm_sound_frame(format);
	struct wav_header header = {
		.riff = { "RIFF", htole32(sizeof(header) - 8 + wav->bytes) },
		.wave = "WAVE",
		.fmt = { "fmt ", htole32(sizeof(header.format)) },
		.format = {
			.format = htole16(format->is_float ? WAV_FLOAT : WAV_PCM),
			.channels = htole16(format->channels),
			.rate = htole32(format->rate),
			.byte_rate = htole32(format->rate * frame),
			.align = htole16(frame),
			.bits = htole16(format->bits),
		},
		.data = { "data", htole32(wav->bytes) },
	};

	return pwrite(wav->fd, &header, sizeof(header), 0) == (ssize_t)sizeof(header) ?
	       0 : -EIO;
}

/* What the head of a record says: the samples' format, which the next ones will have. */
static void format_take(struct vmm_wav *wav, const struct vmm_sound_format *format)
{
	if (wav->bytes)
		return;
	wav->format = *format;
	header_write(wav);
}

static bool format_fits(struct vmm_wav *wav, const struct vmm_sound_format *format)
{
	if (format->rate == wav->format.rate && format->channels == wav->format.channels &&
	    format->bits == wav->format.bits && format->is_float == wav->format.is_float)
		return true;
	if (!wav->told)
		vmm_note("sound: the WAV file has another format, so this is not in it");
	wav->told = true;
	return false;
}

/* A record is a format, and samples if there are any. */
static size_t wav_record(void *arg, const void *record, size_t len)
{
	struct vmm_wav *wav = arg;
	const struct vmm_sound_format *format = record;
	const u8 *samples = (const u8 *)(format + 1);
	off_t at = wav->begin + (off_t)wav->bytes;
	size_t bytes = len - sizeof(*format);

	if (!bytes) {
		format_take(wav, format);
		return 0;
	}
	if (!format_fits(wav, format) || bytes > WAV_MAX - wav->bytes ||
	    pwrite(wav->fd, samples, bytes, at) != (ssize_t)bytes)
		return bytes;
	wav->bytes += bytes;
	if (!header_write(wav))
		return 0;
	/* Samples that the header does not tell of are overwritten by the next ones. */
	wav->bytes -= bytes;
	return bytes;
}

/**
 * vmm_wav_create - make a file to write to
 * @wav: filled
 * @option: what the user named it by
 * @path: of the file, which is replaced
 *
 * Return: 0, or -errno after a message
 */
int vmm_wav_create(struct vmm_wav *wav, const char *option, const char *path)
{
	/* Of a file that has no sound yet. */
	*wav = (struct vmm_wav){
		.format = { .rate = 48000, .channels = 2, .bits = 16 },
		.begin = sizeof(struct wav_header),
	};
	wav->fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
	if (wav->fd < 0 || header_write(wav)) {
		vmm_error(errno, "%s: cannot write %s", option, path);
		vmm_wav_close(wav);
		return -EIO;
	}
	wav->file = vmm_file_thread_open("wav", NULL, WAV_ROOM, wav_record, wav);
	if (wav->file)
		return 0;
	vmm_wav_close(wav);
	return -ENOMEM;
}

static bool format_read(const struct wav_format *chunk, struct vmm_sound_format *format)
{
	u16 kind = le16toh(chunk->format);

	*format = (struct vmm_sound_format){
		.rate = le32toh(chunk->rate), .channels = le16toh(chunk->channels),
		.bits = le16toh(chunk->bits), .is_float = kind == WAV_FLOAT,
	};
	if (!format->rate || !format->channels || format->channels > 2 ||
	    le16toh(chunk->align) != vmm_sound_frame(format))
		return false;
	if (kind == WAV_FLOAT)
		return format->bits == 32;
	return kind == WAV_PCM &&
	       (format->bits == 8 || format->bits == 16 || format->bits == 32);
}

/* Finds the format and the samples; the chunks may be in any order, the format first. */
static int chunks_read(struct vmm_wav *wav, u64 size)
{
	struct wav_format format;
	struct wav_chunk chunk;
	bool known = false;
	u64 at = 12;
	unsigned int i;

	for (i = 0; i < WAV_CHUNKS && at < size; i++) {
		u64 len;

		if (pread(wav->fd, &chunk, sizeof(chunk), at) != (ssize_t)sizeof(chunk))
			return -EINVAL;
		at += sizeof(chunk);
		len = le32toh(chunk.size);
		if (!memcmp(chunk.name, "fmt ", 4)) {
			if (len < sizeof(format) || pread(wav->fd, &format, sizeof(format), at) !=
			    (ssize_t)sizeof(format) || !format_read(&format, &wav->format))
				return -EINVAL;
			known = true;
		} else if (!memcmp(chunk.name, "data", 4)) {
			if (!known || at > WAV_MAX)
				return -EINVAL;
			if (len > size - at)
				len = size - at;
			wav->begin = at;
			wav->bytes = len - len % vmm_sound_frame(&wav->format);
			return 0;
		}
		at += len + (len & 1);
	}
	return -EINVAL;
}

/**
 * vmm_wav_open - open a file to read from
 * @wav: filled
 * @option: what the user named it by
 * @path: of the file
 *
 * Return: 0, or -errno after a message
 */
int vmm_wav_open(struct vmm_wav *wav, const char *option, const char *path)
{
	struct stat st;
	char riff[12];
	int err;

	*wav = (struct vmm_wav){ 0 };
	wav->fd = open(path, O_RDONLY | O_CLOEXEC);
	if (wav->fd < 0)
		return vmm_error(errno, "%s: cannot read %s", option, path);
	err = fstat(wav->fd, &st) ? -errno : 0;
	if (!err && (!S_ISREG(st.st_mode) ||
		     pread(wav->fd, riff, sizeof(riff), 0) != (ssize_t)sizeof(riff) ||
		     memcmp(riff, "RIFF", 4) || memcmp(riff + 8, "WAVE", 4)))
		err = -EINVAL;
	if (!err)
		err = chunks_read(wav, st.st_size);
	if (!err) {
		wav->ahead = vmm_sound_ahead_open(wav->fd, wav->begin, wav->bytes);
		if (wav->ahead)
			return 0;
		vmm_wav_close(wav);
		return -EIO;
	}
	vmm_wav_close(wav);
	return vmm_error(-err,
			 "%s: %s is no WAV file of one or two channels and of 8, 16 or 32 bits",
			 option, path);
}

/**
 * vmm_wav_close - close a file
 * @wav: may have none
 *
 * Return: whether @wav is of no more use: see vmm_file_thread_close()
 */
bool vmm_wav_close(struct vmm_wav *wav)
{
	bool written = true;

	if (wav->file)
		written = vmm_file_thread_close(wav->file, wav->fd);
	else if (wav->ahead)
		vmm_sound_ahead_close(wav->ahead);
	else if (wav->fd >= 0)
		close(wav->fd);
	if (written)
		wav->fd = -1;
	return written;
}

/**
 * vmm_wav_prepare - have a file that is written take the format that comes next
 * @wav: from vmm_wav_create()
 * @format: the format; it stays away if there are samples of another one
 */
void vmm_wav_prepare(struct vmm_wav *wav, const struct vmm_sound_format *format)
{
	vmm_file_thread_put(wav->file, format, sizeof(*format), NULL, 0);
}

/**
 * vmm_wav_write - add samples to a file
 * @wav: from vmm_wav_create()
 * @format: of the samples
 * @iov: the samples
 * @count: elements of it, VMM_SOUND_PIECES at most
 * @bytes: of all
 *
 * Those that the file does not take are counted.
 */
void vmm_wav_write(struct vmm_wav *wav, const struct vmm_sound_format *format,
		   const struct iovec *iov, unsigned int count, size_t bytes)
{
	size_t piece = WAV_PIECE - WAV_PIECE % vmm_sound_frame(format);
	struct iovec part[VMM_SOUND_PIECES];
	unsigned int parts;
	size_t at;

	for (at = 0; at < bytes; at += piece) {
		parts = vmm_iov_part(iov, count, at, bytes - at < piece ? bytes - at : piece, part);
		vmm_file_thread_put(wav->file, format, sizeof(*format), part, parts);
	}
}

/**
 * vmm_wav_lost - tell how much a file has not taken
 * @wav: from vmm_wav_create()
 *
 * Context: any thread.
 * Return: bytes of samples
 */
u64 vmm_wav_lost(const struct vmm_wav *wav)
{
	return vmm_file_thread_dropped(wav->file);
}

/**
 * vmm_wav_read - read the next samples
 * @wav: from vmm_wav_open()
 * @iov: filled
 * @count: elements of it, VMM_SOUND_PIECES at most
 *
 * Return: bytes that were read: fewer at the end of the file, or if it does not answer
 */
size_t vmm_wav_read(struct vmm_wav *wav, const struct iovec *iov, unsigned int count)
{
	size_t n = vmm_sound_ahead_read(wav->ahead, wav->at, iov, count);

	wav->at += n;
	return n;
}
