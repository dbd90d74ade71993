#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# Runs in the emulated host: the bare guest, its doorbells served by task_work_add and by
# our own queue in turn.
cd /bench || exit 2
insmod ranchu_copy_bench.ko || exit 1
failed=0
for way in export queue export queue; do
	insmod ranchu.ko doorbell=$way && insmod vhost_goldfish_pipe.ko || exit 1
	[ "$(cat /sys/module/ranchu/parameters/doorbell)" = $way ] || exit 1
	echo "WAY $way"
	./pipe_bare_bench || failed=1
	rmmod vhost_goldfish_pipe ranchu || exit 1
done
exit $failed
