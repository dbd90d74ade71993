#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Lets each system call of vmmctl's start fail in turn, on an emulated host: KTAP
# on standard output. No failure may crash it, hang it, leave files behind or go without
# a message.
#
#	tools/ci/start-test.sh [arm64|x86_64]
set -euo pipefail
. "$(dirname "$0")/../lab/lib.sh"

host_options "${1:-arm64}"
OVERLAY=$RANCHU_BUILD/lab/overlay-start-$HOST

cd "$RANCHU_TOP"
tools/lab/host-overlay.sh "$HOST" "$OVERLAY" --guest
"$(cross_prefix "$GUEST_ARCH")gcc" -O1 -Wall -Wextra -Werror -static -Iinclude/uapi -o "$OVERLAY/bin/fail_nth" \
	tools/testing/vmmctl/fail_nth.c
cp tools/ci/host-lib.sh tools/ci/start-in-host.sh "$OVERLAY/ranchu/"
exec tools/lab/run.sh "${HOST_OPTIONS[@]}" --timeout 3000 --overlay "$OVERLAY" -- \
	sh /ranchu/start-in-host.sh
