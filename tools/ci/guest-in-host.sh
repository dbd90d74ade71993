#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# The guest test's part inside the host (busybox's sh): boots the stock guest
# once per way of serving its pipe and passes its KTAP on. Services of the host
# are there both times.
set -eu

. /ranchu/host-lib.sh

load_modules

# exited LABEL WHAT: accesses of the pipe that had exited by then.
exited() {
	sed -n "s/.*\"label\":\"RANCHU-MARK $1 $2\".*\"pipe\":{\"reads\":\([0-9]*\),\"writes\":\([0-9]*\)}.*/\1 \2/p" \
		/tmp/stats
}

serve echo
serve bye
serve stall
# They offer themselves, as soon as a guest is there.
/ranchu/tests/pipe_peer ring-echo /tmp/services ring &
PEERS="$PEERS $!"
/ranchu/tests/pipe_peer ring-stall /tmp/services ring-stall &
PEERS="$PEERS $!"

failed=0
for mode in kernel user; do
	echo "# the stock guest, 2 CPUs, its pipe served by $mode"
	(
		until [ -S /tmp/services ]; do
			sleep 1
		done
		exec /ranchu/tests/pipe_ring_example /tmp/services
	) &
	{
		vmmctl run --kernel /ranchu/guest/Image --cpus 2 --memory 512M \
			--initrd /ranchu/guest/initrd.cpio --no-reboot --pipe "$mode" \
			--pipe-service echo=unix:/tmp/echo --pipe-service bye=unix:/tmp/bye \
			--pipe-service unix:/tmp/echo=unix:/tmp/echo \
			--pipe-service stall=unix:/tmp/stall \
			--pipe-service gone=unix:/tmp/gone --pipe-socket /tmp/services \
			--stats=/tmp/stats --stats-at RANCHU-MARK \
			--append "$linux_args ranchu.run=\"pipe_guest test && pipe_guest remote && pipe_guest ring && rmmod goldfish_pipe && pipe_guest v1 && insmod /bin/goldfish_dma.ko && pipe_guest dma\"" \
			</dev/null 2>&1
		echo "vmmctl: exit code $?"
	} | tr -d '\r' | tee "$console"
	if grep -q GUEST-SPLAT "$console"; then
		echo "Bail out! the guest's kernel complained"
		failed=1
	elif ! grep -q '^GUEST-EXIT: 0$' "$console" ||
			! grep -q '^vmmctl: exit code 0$' "$console"; then
		echo "Bail out! the guest did not end well"
		failed=1
	fi
	for what in remote ring v1; do
		begin=$(exited begin $what)
		end=$(exited end $what)
		echo "# reads and writes of the pipe that exited, $what: before '$begin', after '$end'"
		if [ "$mode" = kernel ] && { [ -z "$begin" ] || [ "$begin" != "$end" ]; }; then
			echo "Bail out! commands to a service of the host, or reads in v2, exited"
			failed=1
		elif [ "$mode" = user ] && [ "$begin" = "$end" ]; then
			echo "Bail out! exits are not counted"
			failed=1
		fi
	done
done

# shellcheck disable=SC2086 # one word for each
kill $PEERS
wait || :
# With nobody left who uses them, the modules must let go.
unload_modules
exit "$failed"
