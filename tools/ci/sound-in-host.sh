#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# The host's part of sound-test.sh (busybox's sh).
set -u

. /ranchu/host-lib.sh

export XDG_RUNTIME_DIR=/tmp/runtime
mkdir -p "$XDG_RUNTIME_DIR"
load_modules
echo "1..8"
case $arch in
x86_64) bank=virtio_pci ;;
*) bank=virtio_mmio ;;
esac

# Six seconds of 16000 Hz, one channel, 16 bits.
{
	printf 'RIFF\044\356\002\000WAVEfmt \020\000\000\000\001\000\001\000'
	printf '\200\076\000\000\000\175\000\000\002\000\020\000data\000\356\002\000'
	head -c 192000 /dev/urandom
} > /tmp/record.wav

vmmctl run --name sound --kernel /ranchu/guest/Image --initrd /ranchu/guest/initrd.cpio \
	--memory 512M --device sound,play=/tmp/play.wav,record=/tmp/record.wav --device sound \
	--append "$linux_args ranchu.run=sound-in-guest" </dev/null > "$console" 2>&1 &
vmm=$!

exits() {
	vmmctl stats sound | sed -n 's/.*"userspace_exits": \([0-9]*\).*/\1/p' | head -n 1
}

# near RATE WANT: within two in a hundred.
near() {
	echo "# rate $1 of $2"
	[ -n "$1" ] && [ "$1" -ge $(($2 * 98 / 100)) ] && [ "$1" -le $(($2 * 102 / 100)) ]
}

waits_for 1 JACKS-READY $vmm
printed '^cards:.*VirtIO SoundCard' && printed '^cards: *1 ' &&
	printed '^info: stream: PLAYBACK' && printed '^info: stream: CAPTURE'
result stock_driver_makes_two_cards $?

vmmctl device sound $bank jack "headphone off"
waits_for 1 PLAY-READY $vmm
sleep 2
before=$(exits)
sleep 3
after=$(exits)
waits_for 1 PLAYED-READY $vmm
played=$?
vmmctl stats sound | grep '"sound_' | sed 's/^/# /'
appears 1 '^jacks: on on' && appears 1 '^jacks: off on'
result jacks_are_plugged_and_unplugged $?

# Front left and front right, where the stream that plays has two channels.
printed '^maps: 3,4 '
result channel_maps_are_there $?

echo "# sound.exits $((after - before))"
[ $played -eq 0 ] && [ "$before" -gt 0 ] && [ "$((after - before))" -eq 0 ]
result what_plays_does_not_exit $?

want=$(sed -n 's/^sound: \([0-9a-f]*\).*/\1/p' "$console")
have=$(tail -c +45 /tmp/play.wav | head -c 3840000 | sha256sum | cut -c 1-64)
# Until it is told to stop, the driver gives the card its buffer of 30720 bytes again.
more=$(($(wc -c < /tmp/play.wav) - 44 - 3840000))
echo "# played $have, wanted $want, $more bytes more"
[ "$more" -ge 0 ] && [ "$more" -le 30720 ] && [ "$have" = "$want" ] &&
	near "$(sed -n 's/^play: rate \([0-9]*\).*/\1/p' "$console")" 48000 &&
	printed '^play: .* complaints 0'
result what_is_played_arrives_at_its_pace $?

waits_for 1 'GUEST-EXIT: 0' $vmm
ended=$?
want=$(tail -c +45 /tmp/record.wav | sha256sum | cut -c 1-64)
near "$(sed -n 's/^record: rate \([0-9]*\).*/\1/p' "$console")" 16000 &&
	printed "^record: .* complaints 0, 192000 $want"
result what_is_recorded_is_the_file_at_its_pace $?

near "$(sed -n 's/^float: rate \([0-9]*\).*/\1/p' "$console")" 96000 &&
	printed '^float: .* state RUNNING' && printed '^again: state RUNNING' &&
	! printed '^complaint: '
result other_formats_and_programs_that_are_killed $?

wait $vmm
code=$?
[ $code -eq 0 ] && [ $ended -eq 0 ] && printed '^six channels: refused' &&
	printed '^driver is content' && ! printed GUEST-SPLAT && ! printed 'a bug of vmmctl'
result all_end_in_order $?

unload_modules || failed=1
[ "$failed" -eq 0 ]
