#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# The adb benchmark's part inside the emulated host (busybox's sh): the same guest
# once behind our relay, once behind Linux' vhost_vsock and QEMU, each with all its
# clients. Prints adb_raw's and adb_timed's lines, labelled
#
#	unix tcp		our relay, by its two sockets
#	socat socat_unix	socat before vhost_vsock, the same
#	native			a client that speaks AF_VSOCK
#
# and before all that what idle_streams prints. Before and after the copies by "unix" it prints
#
#	VSOCK-STATS VSOCK-MARK begin|end unix ops=OPERATIONS <JSON without spaces>
#
# An operation is a piece of 64 KiB of a copied file.
#
#	adb_host.sh [MIB WHAT...]	size of the file that adb pushes, and which of
#					these: idle raw unix tcp native socat
cd /bench || exit 2
. ./host-lib.sh
failed=0
MIB=${1:-64}
[ $# -eq 0 ] || shift
WHAT=${*:-idle raw unix tcp native socat}
vmm=
relay=

CID=3
PORT=5555
SOCAT_PORT=7000
RAW="h2g g2h rtt h2g_16 g2h_16"
# As the kernel has it: 15 letters.
QEMU_COMM=$(echo "${qemu%% *}" | cut -c -15)

# Ours is asked for by name, nobody else's.
export ADB_LOCAL_TRANSPORT_MAX_PORT=5553 HOME=/tmp XDG_RUNTIME_DIR=/tmp

fail() {
	echo "adb_host: $*"
	failed=1
}

# says TEXT: waits until the guest has printed it.
says() {
	tries=0
	until grep -q "$1" /tmp/console; do
		tries=$((tries + 1))
		if [ $tries -gt 120 ] || ! kill -0 "$vmm"; then
			cat /tmp/console
			fail "no $1 from the guest"
			return 1
		fi
		sleep 1
	done
}

boot_vmmctl() {
	: > /tmp/console
	vmmctl run --name adb --random-seed off --kernel Image --initrd guest.cpio --cpus 1 --memory 512M \
		--append "$linux_args ranchu.run=adb_guest" --no-reboot \
		--pipe none --vsock $CID --adb-socket /tmp/adb.sock \
		</dev/null >/tmp/console 2>&1 &
	vmm=$!
}

boot_qemu() {
	: > /tmp/console
	# shellcheck disable=SC2086 # a list of words
	$qemu -cpu host -accel kvm -nodefaults -display none \
		-smp 1 -m 512M -kernel Image -initrd guest.cpio \
		-append "$linux_args ranchu.run=adb_guest" \
		-serial file:/tmp/console -device "vhost-vsock-pci,guest-cid=$CID" &
	vmm=$!
}

socat_start() {
	socat -b 65536 "TCP-LISTEN:$SOCAT_PORT,bind=127.0.0.1,fork,reuseaddr,nodelay" \
		"VSOCK-CONNECT:$CID:$PORT" &
	relay=$!
	socat -b 65536 UNIX-LISTEN:/tmp/socat.sock,fork "VSOCK-CONNECT:$CID:$PORT" &
	relay="$relay $!"
}

end() {
	# shellcheck disable=SC2086 # a list of numbers
	kill $vmm $relay
	wait
	relay=
}

# is WHAT: it was asked for.
is() {
	case " $WHAT " in
	*" $1 "*) ;;
	*) return 1 ;;
	esac
}

# raw LABEL WHERE WATCHED
raw() {
	is raw || return 0
	# shellcheck disable=SC2086 # a list of words
	timeout 100 adb_raw bench "$2" "$1" "$3" $RAW || fail "raw $1"
}

# vmm_stats begin|end OPERATIONS
vmm_stats() {
	echo "VSOCK-STATS VSOCK-MARK $1 unix ops=$2 $(vmmctl stats adb | tr -d "\n ")"
}

# copy LABEL ADDRESS WATCHED: files by adb, there and back. Its server starts with the
# first: while there were raw streams, it would have come to the same port.
copy() {
	is "$1" || return 0
	adb start-server
	adb connect "$2"
	timeout 60 adb -s "$2" wait-for-device || fail "adb $1"
	# The guest's memory is touched for the first time, which is no part of it, nor
	# is what connecting has left to do.
	timeout 100 adb -s "$2" push -Z /tmp/data /data/local/tmp/data >/dev/null ||
		fail "adb $1: first push"
	sleep 1
	[ "$1" != unix ] || vmm_stats begin 0
	for _ in 1 2 3; do
		adb_timed "ADB $1 push $((MIB * 1048576))" "$3" timeout 100 \
			adb -s "$2" push -Z /tmp/data /data/local/tmp/data ||
			fail "adb $1: push"
		adb_timed "ADB $1 pull $((MIB * 1048576))" "$3" timeout 100 \
			adb -s "$2" pull -Z /data/local/tmp/data /tmp/back ||
			fail "adb $1: pull"
	done
	[ "$1" != unix ] || vmm_stats end $((3 * 2 * MIB * 16))
	there=$(adb -s "$2" shell md5sum /data/local/tmp/data | cut -d ' ' -f 1)
	back=$(md5sum < /tmp/back | cut -d ' ' -f 1)
	[ "$there" = "$sum" ] && [ "$back" = "$sum" ] ||
		fail "adb $1: $sum has become $there and $back"
	rm -f /tmp/back
	adb disconnect "$2"
}

insmod ranchu.ko && insmod vhost_vsock_adb.ko && modprobe vhost_vsock || exit 1
head -c $((MIB * 1048576)) /dev/urandom > /tmp/data
sum=$(md5sum < /tmp/data | cut -d ' ' -f 1)

# The streams that are idle, and the busy one, which moves 16 MiB each way.
! is idle || idle_streams 1023 16 || fail "idle streams"

boot_vmmctl
if says SERVING; then
	raw unix unix:/tmp/adb.sock vmmctl
	raw tcp "tcp:$PORT" vmmctl
	adb_raw quit unix:/tmp/adb.sock
	if says ADBD-STARTS; then
		copy unix localfilesystem:/tmp/adb.sock vmmctl
		copy tcp "127.0.0.1:$PORT" vmmctl
	fi
fi
end

boot_qemu
if says SERVING; then
	! is socat || socat_start
	raw native "vsock:$CID:$PORT" $QEMU_COMM
	! is socat || raw socat "tcp:$SOCAT_PORT" "$QEMU_COMM socat"
	! is socat || raw socat_unix unix:/tmp/socat.sock "$QEMU_COMM socat"
	adb_raw quit "vsock:$CID:$PORT"
	if says ADBD-STARTS; then
		copy native "vsock:$CID:$PORT" $QEMU_COMM
		copy socat "127.0.0.1:$SOCAT_PORT" "$QEMU_COMM socat"
	fi
fi
end

adb kill-server
exit $failed
