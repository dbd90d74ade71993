// SPDX-License-Identifier: GPL-2.0-only
/*
 * Eight guests at once on one host, each a VM with a vCPU that rings doorbells as
 * fast as it can: every answer is in time, every byte is its own guest's, there are no
 * exits, and the end of a guest does not affect the others.
 */
#define _GNU_SOURCE
#include <stdlib.h>
#include <string.h>

#include <kselftest_harness.h>

#include "bare_rig.h"

#define TIMEOUT		600
#define GUESTS		8u
/* Transfers of 1, 2, 3, ... bytes; all of them fit pingpong's ring. */
#define TRANSFERS	1000u
#define LARGEST		1024u
#define ROUNDS		3u

FIXTURE(guests)
{
	struct bare_rig rigs[GUESTS];
	unsigned int first;
};

FIXTURE_SETUP(guests)
{
	const char *missing = bare_rig_missing(true);
	unsigned int i;

	if (missing)
		SKIP(return, "%s", missing);
	self->first = 0;
	for (i = 0; i < GUESTS; i++)
		bare_rig_start(&self->rigs[i], "pipe:pingpong", 1);
}

FIXTURE_TEARDOWN(guests)
{
	unsigned int i;

	for (i = self->first; i < GUESTS; i++)
		bare_rig_stop(&self->rigs[i]);
}

static uint8_t *data_of(struct bare_rig *rig)
{
	return pipe_mem_hva(&rig->mem, rig->data_gpa, LARGEST);
}

/* Has every guest make its transfers, all at the same time. */
static bool all_transfer(struct bare_rig *rigs, unsigned int first, uint32_t cmd)
{
	unsigned int i;
	bool right = true;

	for (i = first; i < GUESTS; i++) {
		bare_rig_transfer(&rigs[i], &rigs[i].vm.vcpus[0], cmd, LARGEST, TRANSFERS);
		bare_job_start(&rigs[i].vm.vcpus[0]);
	}
	for (i = first; i < GUESTS; i++) {
		struct bare_job *job = rigs[i].vm.vcpus[0].job;

		bare_job_join(&rigs[i].vm.vcpus[0]);
		if (job->done == TRANSFERS && !job->early && !job->wrong)
			continue;
		printf("# guest %u: %u done, %u early, %u wrong, the last %d\n", i,
		       job->done, job->early, job->wrong, (int)job->last_wrong);
		right = false;
	}
	return right;
}

static bool all_read_their_own(struct bare_rig *rigs, unsigned int first, unsigned int round)
{
	uint8_t expect[LARGEST];
	unsigned int i, j;
	bool right;

	for (i = first; i < GUESTS; i++)
		for (j = 0; j < LARGEST; j++)
			data_of(&rigs[i])[j] = j * (2 * i + 3) + round;
	right = all_transfer(rigs, first, GOLDFISH_PIPE_CMD_WRITE);
	for (i = first; i < GUESTS; i++)
		memset(data_of(&rigs[i]), 0, LARGEST);
	right &= all_transfer(rigs, first, GOLDFISH_PIPE_CMD_READ);
	for (i = first; i < GUESTS; i++) {
		/* The last was the longest, and began where all of them do. */
		for (j = 0; j < LARGEST; j++)
			expect[j] = j < TRANSFERS ? j * (2 * i + 3) + round : 0;
		if (!memcmp(data_of(&rigs[i]), expect, LARGEST))
			continue;
		printf("# guest %u has other bytes\n", i);
		right = false;
	}
	return right;
}

TEST_F_TIMEOUT(guests, eight_at_once, TIMEOUT)
{
	struct vhost_goldfish_pipe_stats before[GUESTS], after;
	uint64_t exits[GUESTS];
	unsigned int i, round;

	for (i = 0; i < GUESTS; i++) {
		struct bare_vcpu *vcpu = &self->rigs[i].vm.vcpus[0];

		pipe_get_stats(&self->rigs[i].dev, &before[i]);
		exits[i] = bare_stat(vcpu->stats_fd, bare_arch_user_exit_stat);
	}
	for (round = 0; round < ROUNDS; round++)
		ASSERT_TRUE(all_read_their_own(self->rigs, 0, round));
	for (i = 0; i < GUESTS; i++) {
		struct bare_vcpu *vcpu = &self->rigs[i].vm.vcpus[0];

		pipe_get_stats(&self->rigs[i].dev, &after);
		EXPECT_EQ(2 * ROUNDS * TRANSFERS, after.kicks - before[i].kicks);
		EXPECT_EQ(after.kicks - before[i].kicks, after.commands - before[i].commands);
		EXPECT_EQ(before[i].kicks_foreign, after.kicks_foreign);
		EXPECT_EQ(before[i].bad_guest, after.bad_guest);
		EXPECT_EQ(after.bytes_to_host - before[i].bytes_to_host,
			  after.bytes_to_guest - before[i].bytes_to_guest);
		/* Of each job its two reports. */
		EXPECT_EQ(2 * 2 * ROUNDS, bare_stat(vcpu->stats_fd, bare_arch_user_exit_stat) -
			  exits[i]);
	}
}

TEST_F_TIMEOUT(guests, one_after_the_other_goes, TIMEOUT)
{
	while (self->first < GUESTS - 1) {
		ASSERT_TRUE(all_read_their_own(self->rigs, self->first, self->first));
		bare_rig_stop(&self->rigs[self->first++]);
	}
	EXPECT_TRUE(all_read_their_own(self->rigs, self->first, 0));
}

TEST_HARNESS_MAIN
