#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Kills programs 200 times while they save or load a snapshot, on this machine, and some
# times in an emulated host with a guest: KTAP on standard output. What was there has to
# stay whole, and what is new is whole or not there.
#
#	tools/ci/snapshot-kills.sh [--native]
set -euo pipefail
. "$(dirname "$0")/../lab/lib.sh"

cd "$RANCHU_TOP"
O=$RANCHU_BUILD/check/vmmctl/check
TEST=$O/tests/snapshot/kill_test

build_alone make -s -C userspace/vmmctl "O=$O" \
	"CFLAGS=-O1 -g -fsanitize=address,undefined -fno-sanitize-recover=all" "$TEST" >&2
rc=0
RANCHU_KILLS=200 "$TEST" || rc=1
[ "${1:-}" != --native ] || exit $rc
tools/ci/snapshot-test.sh arm64 --kills || rc=1
exit $rc
