#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# The host's part of sound-alsa-test.sh (busybox's sh).
set -u

. /ranchu/host-lib.sh

export XDG_RUNTIME_DIR=/tmp/runtime
mkdir -p "$XDG_RUNTIME_DIR"
load_modules
modprobe snd-aloop || exit 1
sed 's/^/# /' /proc/asound/cards
card=/proc/asound/Loopback
log=/tmp/sound.log
echo "1..6"

mkfifo /tmp/typed
exec 3<>/tmp/typed
go() {
	echo go >&3
}

# within COUNT COMMAND...: until it is true, for so many seconds.
within() {
	tries=$1
	shift
	until "$@"; do
		tries=$((tries - 1))
		[ $tries -gt 0 ] || return 1
		sleep 1
	done
}

runs() {
	grep -q RUNNING "$card/$1/sub0/status"
}

status() {
	sed 's/^/uptime /' /proc/uptime
	cat "$card/$1/sub0/status"
}

# pace STREAM SECONDS: moments a second, by the host's clock, in a while of them.
pace() {
	{ status "$1"; sleep "$2"; status "$1"; } | awk '
		/^uptime/ { at = $2 }
		/^hw_ptr/ {
			if (n++ && at > then) printf "%d\n", ($3 - ptr) / (at - then)
			ptr = $3
			then = at
		}'
}

# near RATE WANT: within two in a hundred.
near() {
	echo "# rate $1 of $2"
	[ -n "$1" ] && [ "$1" -ge $(($2 * 98 / 100)) ] && [ "$1" -le $(($2 * 102 / 100)) ]
}

# Debian's configuration knows the group.
grep -q '^audio:' /etc/group 2>/dev/null || echo audio:x:29: >> /etc/group
# Without a sound server this is a mixer, which is not for the sandbox: said at once.
timeout 60 ranchu-sound --socket-path /tmp/sound > $log 2>&1
code=$?
sed 's/^/# ranchu-sound: /' $log
[ $code -eq 1 ] && [ ! -e /tmp/sound ] && grep -q '"default" fails in the sandbox' $log
result a_mixer_is_refused_at_once $?

# With and without the plugin that would convert formats.
ranchu-sound --socket-path /tmp/sound --play plughw:Loopback,0,0 --record hw:Loopback,0,0 \
	> $log 2>&1 &
sound=$!
within 30 [ -S /tmp/sound ]
result opens_a_card_of_the_kernel $?

vmmctl run --name sound --kernel /ranchu/guest/Image --initrd /ranchu/guest/initrd.cpio \
	--memory 512M --device sound,socket=/tmp/sound \
	--append "$linux_args ranchu.run=sound-alsa-in-guest" </tmp/typed > "$console" 2>&1 &
vmm=$!

waits_for 1 PLAY-READY $vmm
arecord -q -D hw:Loopback,1,0 -t raw -f S16_LE -c 2 -r 48000 /tmp/heard 2> /tmp/complaints &
record=$!
within 30 runs pcm1c
go
within 30 runs pcm0p
sleep 1
cat $card/pcm0p/sub0/hw_params | sed 's/^/# /'
rate=$(pace pcm0p 5)
waits_for 1 PLAYED-READY $vmm
# What is on its way takes no longer.
sleep 2
kill -INT $record
wait $record
vmmctl stats sound | grep '"sound_' | sed 's/^/# /'
want=$(said sound:)
first=$(cmp /tmp/heard /dev/zero | sed -n 's/.*differ: [a-z]* \([0-9]*\),.*/\1/p')
have=$(tail -c "+${first:-1}" /tmp/heard | head -c 1920000 | sha256sum | cut -c 1-64)
# Until it is told to stop, the guest's driver gives the card its buffer of 30720 bytes again.
tail -c "+${first:-1}" /tmp/heard | tail -c +$((1920001 + 30720)) > /tmp/rest
silence=$(cmp /tmp/rest /dev/zero 2>&1)
echo "# $(wc -c < /tmp/heard) bytes heard, not silent from ${first:-nowhere}," \
	"$(wc -c < /tmp/rest) bytes at the end: $silence"
echo "# heard $have, wanted $want"
sed 's/^/# arecord: /' /tmp/complaints
printed '^play: complaints 0' && [ ! -s /tmp/complaints ] && [ "$have" = "$want" ] &&
	[ -s /tmp/rest ] && [ "$silence" = "cmp: EOF on /tmp/rest" ]
result what_is_played_is_heard_as_it_is $?
near "$rate" 48000
result at_its_pace $?

{ printf RNCH; head -c 191996 /dev/urandom; } > /tmp/speech
go
waits_for 1 RECORD-READY $vmm
cat $card/pcm0c/sub0/hw_params | sed 's/^/# /'
aplay -q -D hw:Loopback,1,0 -t raw -f S16_LE -c 1 -r 16000 /tmp/speech 2> /tmp/complaints &
play=$!
sleep 1
rate=$(pace pcm0c 4)
wait $play
waits_for 1 'GUEST-EXIT: 0' $vmm
ended=$?
grep '^record' "$console" | sed 's/^/# /'
echo "# wanted $(sum /tmp/speech)"
sed 's/^/# aplay: /' /tmp/complaints
printed '^record: complaints 0' && [ ! -s /tmp/complaints ] && near "$rate" 16000 &&
	[ "$(said recorded:)" = "$(sum /tmp/speech)" ]
result what_is_said_is_recorded_at_its_pace $?

wait $vmm
code=$?
wait $sound
sound_code=$?
sed 's/^/# ranchu-sound: /' $log
[ $code -eq 0 ] && [ $sound_code -eq 0 ] && [ $ended -eq 0 ] && [ ! -s $log ] &&
	printed '^driver is content' && ! printed GUEST-SPLAT && ! printed 'a bug of vmmctl'
result all_end_in_order $?

exec 3>&-
rmmod snd-aloop || failed=1
unload_modules || failed=1
[ "$failed" -eq 0 ]
