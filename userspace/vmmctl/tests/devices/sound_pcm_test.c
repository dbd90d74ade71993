// SPDX-License-Identifier: GPL-2.0-only
/*
 * A stream's requests: each one in each state of VIRTIO's state machine, valid and invalid
 * parameters, and the duration of samples.
 */
#include <endian.h>
#include <string.h>

#include "devices/sound_pcm.h"
#include "tests/tap.h"

#define OK		VIRTIO_SND_S_OK
#define BAD		VIRTIO_SND_S_BAD_MSG
#define NOT_SUPP	VIRTIO_SND_S_NOT_SUPP

static const u32 codes[] = {
	VIRTIO_SND_R_PCM_SET_PARAMS, VIRTIO_SND_R_PCM_PREPARE, VIRTIO_SND_R_PCM_START,
	VIRTIO_SND_R_PCM_STOP, VIRTIO_SND_R_PCM_RELEASE,
};

static struct virtio_snd_pcm_set_params params_make(u32 buffer, u32 period, u8 channels,
						    u8 format, u8 rate)
{
	return (struct virtio_snd_pcm_set_params){
		.buffer_bytes = htole32(buffer), .period_bytes = htole32(period),
		.channels = channels, .format = format, .rate = rate,
	};
}

/* Next state, for each state and each of @codes; -1 if the request is refused. */
static const int next[VMM_PCM_STATES][ARRAY_SIZE(codes)] = {
	[VMM_PCM_NEW] = { VMM_PCM_SET, -1, -1, -1, -1 },
	[VMM_PCM_SET] = { VMM_PCM_SET, VMM_PCM_PREPARED, -1, -1, -1 },
	[VMM_PCM_PREPARED] = {
		VMM_PCM_SET, VMM_PCM_PREPARED, VMM_PCM_RUNNING, -1, VMM_PCM_RELEASED,
	},
	[VMM_PCM_RUNNING] = { -1, -1, -1, VMM_PCM_STOPPED, -1 },
	[VMM_PCM_STOPPED] = { -1, -1, VMM_PCM_RUNNING, VMM_PCM_STOPPED, VMM_PCM_RELEASED },
	[VMM_PCM_RELEASED] = { VMM_PCM_SET, VMM_PCM_PREPARED, -1, -1, VMM_PCM_RELEASED },
};

static void each_request_in_each_state(void)
{
	struct virtio_snd_pcm_set_params params =
		params_make(4096, 1024, 2, VIRTIO_SND_PCM_FMT_S16, VIRTIO_SND_PCM_RATE_48000);
	struct vmm_pcm pcm;
	unsigned int state, i;

	for (state = 0; state < VMM_PCM_STATES; state++) {
		for (i = 0; i < ARRAY_SIZE(codes); i++) {
			int want = next[state][i];
			u32 status;

			tap_context("state %u, request %#x", state, codes[i]);
			tap_check(vmm_pcm_init(&pcm, false, NULL));
			pcm.state = state;
			status = i ? vmm_pcm_request(&pcm, codes[i]) :
				     vmm_pcm_set_params(&pcm, &params);
			tap_equal(status, want < 0 ? BAD : OK);
			tap_equal(pcm.state, want < 0 ? (int)state : want);
		}
	}
	tap_equal(vmm_pcm_request(&pcm, 0x106), NOT_SUPP);
}

static void parameters_are_checked(void)
{
	static const struct {
		u32 buffer, period;
		u8 channels, format, rate;
		u32 status;
	} rows[] = {
		{ 4096, 1024, 2, VIRTIO_SND_PCM_FMT_S16, VIRTIO_SND_PCM_RATE_48000, OK },
		{ 1, 1, 1, VIRTIO_SND_PCM_FMT_U8, VIRTIO_SND_PCM_RATE_8000, OK },
		{ 8, 8, 2, VIRTIO_SND_PCM_FMT_FLOAT, VIRTIO_SND_PCM_RATE_96000, OK },
		{ VMM_PCM_BUFFER, VMM_PCM_BUFFER, 1, VIRTIO_SND_PCM_FMT_S32,
		  VIRTIO_SND_PCM_RATE_8000, OK },
		{ 2 * VMM_PCM_BUFFER, 1024, 2, VIRTIO_SND_PCM_FMT_S16,
		  VIRTIO_SND_PCM_RATE_48000, BAD },
		{ ~0U, ~0U, 1, VIRTIO_SND_PCM_FMT_U8, VIRTIO_SND_PCM_RATE_48000, BAD },
		{ 0, 0, 2, VIRTIO_SND_PCM_FMT_S16, VIRTIO_SND_PCM_RATE_48000, BAD },
		{ 4096, 0, 2, VIRTIO_SND_PCM_FMT_S16, VIRTIO_SND_PCM_RATE_48000, BAD },
		{ 0, 1024, 2, VIRTIO_SND_PCM_FMT_S16, VIRTIO_SND_PCM_RATE_48000, BAD },
		{ 1024, 4096, 2, VIRTIO_SND_PCM_FMT_S16, VIRTIO_SND_PCM_RATE_48000, BAD },
		{ 4096, 1020, 2, VIRTIO_SND_PCM_FMT_S16, VIRTIO_SND_PCM_RATE_48000, BAD },
		/* Half a nanosecond. */
		{ 4098, 2, 2, VIRTIO_SND_PCM_FMT_S16, VIRTIO_SND_PCM_RATE_48000, BAD },
		{ 4096, 1024, 0, VIRTIO_SND_PCM_FMT_S16, VIRTIO_SND_PCM_RATE_48000, BAD },
		{ 4096, 1024, 3, VIRTIO_SND_PCM_FMT_S16, VIRTIO_SND_PCM_RATE_48000, NOT_SUPP },
		{ 4096, 1024, 255, VIRTIO_SND_PCM_FMT_S16, VIRTIO_SND_PCM_RATE_48000, NOT_SUPP },
		{ 4096, 1024, 2, VIRTIO_SND_PCM_FMT_U16, VIRTIO_SND_PCM_RATE_48000, NOT_SUPP },
		{ 4096, 1024, 2, 64 + VIRTIO_SND_PCM_FMT_S16, VIRTIO_SND_PCM_RATE_48000, NOT_SUPP },
		{ 4096, 1024, 2, 255, VIRTIO_SND_PCM_RATE_48000, NOT_SUPP },
		{ 4096, 1024, 2, VIRTIO_SND_PCM_FMT_S16, VIRTIO_SND_PCM_RATE_5512, NOT_SUPP },
		{ 4096, 1024, 2, VIRTIO_SND_PCM_FMT_S16, VIRTIO_SND_PCM_RATE_192000, NOT_SUPP },
		{ 4096, 1024, 2, VIRTIO_SND_PCM_FMT_S16, 255, NOT_SUPP },
	};
	struct virtio_snd_pcm_set_params params;
	struct vmm_pcm pcm;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		tap_context("row %u", i);
		tap_check(vmm_pcm_init(&pcm, true, NULL));
		params = params_make(rows[i].buffer, rows[i].period, rows[i].channels,
				     rows[i].format, rows[i].rate);
		tap_equal(vmm_pcm_set_params(&pcm, &params), rows[i].status);
		tap_equal(pcm.state, rows[i].status == OK ? VMM_PCM_SET : VMM_PCM_NEW);
	}
	params = params_make(4096, 1024, 2, VIRTIO_SND_PCM_FMT_S16, VIRTIO_SND_PCM_RATE_48000);
	params.features = htole32(1);
	tap_equal(vmm_pcm_set_params(&pcm, &params), NOT_SUPP);
	params.features = 0;
	params.padding = 1;
	tap_equal(vmm_pcm_set_params(&pcm, &params), BAD);
}

static void one_format_may_be_all(void)
{
	const struct vmm_sound_format only = { .rate = 16000, .channels = 1, .bits = 16 };
	const struct vmm_sound_format odd = { .rate = 12345, .channels = 1, .bits = 16 };
	struct virtio_snd_pcm_set_params params =
		params_make(4096, 1024, 1, VIRTIO_SND_PCM_FMT_S16, VIRTIO_SND_PCM_RATE_16000);
	struct virtio_snd_pcm_info info;
	struct vmm_pcm pcm;

	tap_check(!vmm_pcm_init(&pcm, true, &odd));
	tap_check(vmm_pcm_init(&pcm, true, &only));
	vmm_pcm_info(&pcm, &info);
	tap_equal(le64toh(info.formats), 1 << VIRTIO_SND_PCM_FMT_S16);
	tap_equal(le64toh(info.rates), 1 << VIRTIO_SND_PCM_RATE_16000);
	tap_equal(info.channels_min, 1);
	tap_equal(info.channels_max, 1);
	tap_equal(info.direction, VIRTIO_SND_D_INPUT);
	tap_equal(vmm_pcm_set_params(&pcm, &params), OK);
	params.rate = VIRTIO_SND_PCM_RATE_48000;
	tap_equal(vmm_pcm_set_params(&pcm, &params), NOT_SUPP);
	params.rate = VIRTIO_SND_PCM_RATE_16000;
	params.channels = 2;
	tap_equal(vmm_pcm_set_params(&pcm, &params), NOT_SUPP);
}

static void samples_take_their_time(void)
{
	struct virtio_snd_pcm_set_params params =
		params_make(17640, 1764, 2, VIRTIO_SND_PCM_FMT_S16, VIRTIO_SND_PCM_RATE_44100);
	struct vmm_pcm pcm;

	tap_check(vmm_pcm_init(&pcm, false, NULL));
	tap_equal(vmm_pcm_set_params(&pcm, &params), OK);
	tap_equal(vmm_pcm_duration(&pcm, 17640), 100000000);
	tap_equal(vmm_pcm_duration(&pcm, 4), 22675);
	tap_check(vmm_pcm_takes(&pcm, 4) && vmm_pcm_takes(&pcm, 17640));
	tap_check(!vmm_pcm_takes(&pcm, 0) && !vmm_pcm_takes(&pcm, 6));
	tap_check(!vmm_pcm_takes(&pcm, 17644) && !vmm_pcm_takes(&pcm, 1ULL << 32));
	vmm_pcm_reset(&pcm);
	tap_equal(pcm.state, VMM_PCM_NEW);
}

static const struct tap_case cases[] = {
	{ "each request in each state", each_request_in_each_state },
	{ "parameters are checked", parameters_are_checked },
	{ "one format may be all there is", one_format_may_be_all },
	{ "samples take their time", samples_take_their_time },
};

int main(void)
{
	return tap_run(cases, ARRAY_SIZE(cases));
}
