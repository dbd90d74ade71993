#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# The VM test's part inside the host (busybox's sh). Each test boots a stock
# guest its own way and looks at what it printed and how vmmctl ended.
set -u

while read -r module; do
	insmod "/ranchu/modules/$module.ko" || exit 1
done < /ranchu/modules/order

number=0
failed=0
console=/tmp/console

# result NAME 0|1
result() {
	number=$((number + 1))
	if [ "$2" -eq 0 ]; then
		echo "ok $number $1"
	else
		sed 's/^/# /' "$console"
		echo "not ok $number $1"
		failed=$((failed + 1))
	fi
}

# boot COMMAND OPTION...: runs COMMAND in a guest; vmmctl's exit code.
boot() {
	command=$1
	shift
	vmmctl run --kernel /ranchu/guest/Image --initrd /ranchu/guest/initrd.cpio \
		--memory 512M --append "console=ttyAMA0 quiet panic=-1 ranchu.run=\"$command\"" \
		"$@" </dev/null 2>&1 | tr -d '\r' > "$console"
}

printed() {
	grep -q "$1" "$console"
}

echo "1..7"

vmmctl doctor > "$console" 2>&1
result doctor_finds_nothing_missing $?

boot "pipe_guest pipes 100" --cpus 4 --no-reboot --stats=/tmp/stats
printed '^GUEST-EXIT: 0$' && printed 'pipes open=100' && ! printed GUEST-SPLAT
result four_cpus $?

# Set-up, and the first command of each id: nothing else may exit. The guest
# opens 100 ids and writes six registers.
exits=$(sed -n 's/.*"label":"power-off".*"pipe":{"reads":\([0-9]*\),"writes":\([0-9]*\)}.*/\1 \2/p' /tmp/stats)
echo "# reads and writes of the pipe that exited: $exits"
[ "$exits" = "0 106" ]
result only_set_up_exits $?

# Every pipe works though only some have a doorbell.
(ulimit -n 60 && boot "pipe_guest pipes 100" --cpus 1 --no-reboot)
printed '^GUEST-EXIT: 0$' && printed 'pipes open=100' && printed 'have no doorbell'
result few_files $?

# Half of them by doorbell, half by exits: the guest sees no difference.
(ulimit -n 1100 && boot "pipe_guest pipes 2000" --cpus 2 --no-reboot)
printed '^GUEST-EXIT: 0$' && printed 'pipes open=2000' && printed 'have no doorbell'
result two_thousand_pipes $?

# Reads that exit instead of the window.
boot "pipe_guest pipes 20" --cpus 1 --no-reboot --window off
printed '^GUEST-EXIT: 0$' && printed 'pipes open=20'
result no_window $?

# A reset boots the guest again, with working pipes, until we end it.
boot "pipe_guest pipes 20 && reboot -f" --cpus 2 &
while [ "$(grep -c 'pipes open=20' "$console")" -lt 2 ] && pidof vmmctl >/dev/null; do
	sleep 1
done
killall -TERM vmmctl
wait
[ "$(grep -c 'pipes open=20' "$console")" -ge 2 ]
result reset_boots_again $?

tac /ranchu/modules/order | xargs rmmod || failed=1
[ "$failed" -eq 0 ]
