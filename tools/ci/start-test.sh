#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Lets each system call of vmmctl's start fail in turn, on an emulated arm64 host: KTAP
# on standard output. No failure may crash it, hang it, leave files behind or go without
# a message.
#
#	tools/ci/start-test.sh
set -euo pipefail
. "$(dirname "$0")/../lab/lib.sh"

cd "$RANCHU_TOP"
OVERLAY=$RANCHU_BUILD/lab/overlay-start
tools/lab/host-overlay.sh arm64 "$OVERLAY" --guest
"$(cross_prefix arm64)gcc" -O1 -Wall -Wextra -Werror -static -o "$OVERLAY/bin/fail_nth" \
	tools/testing/vmmctl/fail_nth.c
cp tools/ci/host-lib.sh tools/ci/start-in-host.sh "$OVERLAY/ranchu/"
exec tools/lab/run.sh --host arm64 --timeout 1500 --overlay "$OVERLAY" -- \
	sh /ranchu/start-in-host.sh
