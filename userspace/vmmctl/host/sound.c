// SPDX-License-Identifier: GPL-2.0-only
/*
 * The two directions of sound and their ends on the host. Samples that no file and no program
 * takes are counted; if there is nothing to record, the guest records silence.
 */
#include <errno.h>
#include <stdlib.h>

#include "host/iov.h"
#include "host/log.h"
#include "host/sound.h"
#include "host/sound_peer.h"
#include "host/sound_wav.h"

/**
 * struct vmm_sound - where sound goes to and comes from
 * @vm: the VM
 * @playing: format of what is played
 * @recording: format of what is recorded
 * @play: file that gets what is played, if there is one
 * @record: file that the guest records, if there is one
 * @peer: program for directions without a file, or NULL
 * @lost: counts played bytes that were lost; written by the caller of vmm_sound_play(),
 *	read by any thread
 */
struct vmm_sound {
	struct vmm_vm *vm;
	struct vmm_sound_format playing;
	struct vmm_sound_format recording;
	struct vmm_wav play;
	struct vmm_wav record;
	struct vmm_sound_peer *peer;
	u64 lost;
};

/**
 * vmm_sound_open - open the files and the connection of sound
 * @vm: the VM, which gets a thread if a program plays and records
 * @ends: the paths
 *
 * Return: the sound, or NULL after a message
 */
struct vmm_sound *vmm_sound_open(struct vmm_vm *vm, const struct vmm_sound_ends *ends)
{
	struct vmm_sound *sound = calloc(1, sizeof(*sound));
	int err = 0;

	if (!sound) {
		vmm_error(ENOMEM, "sound");
		return NULL;
	}
	sound->vm = vm;
	sound->play.fd = -1;
	sound->record.fd = -1;
	if (ends->play)
		err = vmm_wav_create(&sound->play, ends->option, ends->play);
	if (!err && ends->record)
		err = vmm_wav_open(&sound->record, ends->option, ends->record);
	if (!err && ends->socket) {
		sound->peer = vmm_sound_peer_open(vm, ends->option, ends->socket);
		err = sound->peer ? 0 : -EIO;
	}
	if (!err)
		return sound;
	vmm_sound_close(sound);
	return NULL;
}

/**
 * vmm_sound_close - close the files and the connection
 * @sound: may be NULL
 */
void vmm_sound_close(struct vmm_sound *sound)
{
	if (!sound)
		return;
	vmm_wav_close(&sound->record);
	vmm_sound_peer_close(sound->vm, sound->peer);
	if (vmm_wav_close(&sound->play))
		free(sound);
}

/**
 * vmm_sound_recorded_format - return the only format that can be recorded
 * @sound: the sound
 * @format: filled
 *
 * Return: whether there is only one; else any format can be recorded
 */
bool vmm_sound_recorded_format(const struct vmm_sound *sound, struct vmm_sound_format *format)
{
	if (sound->record.fd < 0)
		return false;
	*format = sound->record.format;
	return true;
}

/**
 * vmm_sound_prepare - set the format of what is played or recorded next
 * @sound: the sound
 * @record: the direction. Reading a file begins at its start again
 * @format: format of all samples until the next call
 *
 * Context: the callers of this, and of vmm_sound_play() and vmm_sound_record(), take
 *	turns for each direction.
 */
void vmm_sound_prepare(struct vmm_sound *sound, bool record,
		       const struct vmm_sound_format *format)
{
	if (record) {
		sound->recording = *format;
		sound->record.at = 0;
		return;
	}
	sound->playing = *format;
	if (sound->play.fd >= 0)
		vmm_wav_prepare(&sound->play, format);
}

/**
 * vmm_sound_run - start or stop a direction
 * @sound: prepared
 * @record: the direction
 * @runs: true to start; may be repeated
 */
void vmm_sound_run(struct vmm_sound *sound, bool record, bool runs)
{
	if (sound->peer && (record ? sound->record.fd : sound->play.fd) < 0)
		vmm_sound_peer_run(sound->peer, record, runs,
				   record ? &sound->recording : &sound->playing);
}

/**
 * vmm_sound_play - play samples
 * @sound: prepared
 * @iov: the samples, whole frames
 * @count: elements of it, VMM_SOUND_PIECES at most
 * @bytes: of all samples
 */
void vmm_sound_play(struct vmm_sound *sound, const struct iovec *iov, unsigned int count,
		    size_t bytes)
{
	if (sound->play.fd >= 0)
		vmm_wav_write(&sound->play, &sound->playing, iov, count, bytes);
	else if (sound->peer && !vmm_sound_peer_play(sound->peer, iov, count, bytes))
		__atomic_store_n(&sound->lost, sound->lost + bytes, __ATOMIC_RELAXED);
}

/**
 * vmm_sound_record - record samples
 * @sound: prepared
 * @iov: filled completely
 * @count: elements of it, VMM_SOUND_PIECES at most
 * @bytes: of all samples
 */
void vmm_sound_record(struct vmm_sound *sound, const struct iovec *iov, unsigned int count,
		      size_t bytes)
{
	size_t n = 0;

	if (sound->record.fd >= 0)
		n = vmm_wav_read(&sound->record, iov, count);
	else if (sound->peer)
		n = vmm_sound_peer_record(sound->peer, iov, count, bytes);
	if (n < bytes)
		vmm_iov_fill(iov, count, n, vmm_sound_silence(&sound->recording));
}

/**
 * vmm_sound_lost - return how many played bytes were lost
 * @sound: the sound
 *
 * Context: any thread.
 * Return: bytes
 */
u64 vmm_sound_lost(const struct vmm_sound *sound)
{
	u64 lost = __atomic_load_n(&sound->lost, __ATOMIC_RELAXED);

	return sound->play.fd >= 0 ? lost + vmm_wav_lost(&sound->play) : lost;
}
