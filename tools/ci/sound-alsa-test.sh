#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Tests ranchu-sound with a sound card of the host's kernel, snd-aloop, whose loudspeaker is
# its own microphone: samples and pace, both ways, by Debian's aplay and arecord at both
# ends. In an emulated host: KTAP on standard output.
#
#	tools/ci/sound-alsa-test.sh
set -euo pipefail
. "$(dirname "$0")/../lab/lib.sh"

host_options arm64
OVERLAY=$RANCHU_BUILD/lab/overlay-sound-alsa
BUILT=$RANCHU_BUILD/$GUEST_ARCH/ranchu-sound

cd "$RANCHU_TOP"
tools/lab/host-overlay.sh "$HOST" "$OVERLAY" --guest-only
tools/lab/guest-modules.sh "$OVERLAY/ranchu/guest/initrd.cpio" "$TRANSPORT" virtio_snd -- \
	aplay arecord tools/ci/sound-alsa-in-guest
libraries=()
[ "$GUEST_ARCH" = "$(kernel_arch "$(uname -m)")" ] ||
	libraries=("LIBRARIES_DIR=$RANCHU_CACHE/libraries-$GUEST_ARCH")
make -s -C userspace/ranchu-sound "O=$BUILT" "CROSS_COMPILE=$(cross_prefix "$GUEST_ARCH")" \
	${libraries[@]+"${libraries[@]}"} all
# ALSA's library has its configuration with it.
tools/lab/program.sh "$OVERLAY" aplay arecord libasound.so.2
cp "$BUILT/ranchu-sound" "$OVERLAY/bin/"
cp tools/ci/host-lib.sh tools/ci/sound-alsa-in-host.sh "$OVERLAY/ranchu/"
# With a clock that counts instructions neither end is ever late.
exec tools/lab/run.sh "${HOST_OPTIONS[@]}" --icount --timeout 900 --overlay "$OVERLAY" -- \
	sh /ranchu/sound-alsa-in-host.sh
