#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# The guest test's part inside the host (busybox's sh): boots the stock guest
# once per way of serving its pipe and passes its KTAP on.
set -eu

while read -r module; do
	insmod "/ranchu/modules/$module.ko"
done < /ranchu/modules/order

failed=0
for mode in kernel user; do
	echo "# the stock guest, 2 CPUs, its pipe served by $mode"
	{
		vmmctl run --kernel /ranchu/guest/Image --cpus 2 --memory 512M \
			--initrd /ranchu/guest/initrd.cpio --no-reboot --pipe "$mode" \
			--append 'console=ttyAMA0 quiet panic=-1 ranchu.run="pipe_guest test"' \
			</dev/null 2>&1
		echo "vmmctl: exit code $?"
	} | tr -d '\r' | tee /tmp/console
	if grep -q GUEST-SPLAT /tmp/console; then
		echo "Bail out! the guest's kernel complained"
		failed=1
	elif ! grep -q '^GUEST-EXIT: 0$' /tmp/console ||
			! grep -q '^vmmctl: exit code 0$' /tmp/console; then
		echo "Bail out! the guest did not end well"
		failed=1
	fi
done

# With nobody left who uses them, the modules must let go.
tac /ranchu/modules/order | xargs rmmod
exit "$failed"
