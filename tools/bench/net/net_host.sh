#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# The network's benchmark inside the emulated host (busybox's sh): a guest on vhost-net,
# one whose network passt serves, one on QEMU's user-mode network. Prints what the guests
# print, and vmmctl's snapshots:
#
#	NET-STATS <a line of JSON>
cd /bench || exit 2
. ./host-lib.sh
ROUNDS=${1:-2}
[ $# -eq 0 ] || shift
WAYS=${*:-vhost-net passt qemu-user}
RUN="guest-load && ip link set lo up && ip addr add 10.0.2.15/24 dev eth0 && ip link set eth0 up && net_guest"

# watch: shows what the guest prints, which has to say that all went well.
watch() {
	tr -d '\r' | tee /tmp/console
	grep -q 'GUEST-EXIT: 0' /tmp/console || touch /tmp/failed
}

# guest NAME OPTION...: on our board.
guest() {
	name=$1
	shift
	vmmctl run --random-seed off --kernel Image --initrd guest.cpio --cpus 1 --memory 512M --no-reboot \
		--append "$linux_args ranchu.run=\"$RUN $name $ROUNDS\"" \
		--pipe none --stats="/tmp/stats-$name" --stats-at NET-MARK "$@" </dev/null 2>&1 | watch
}

insmod ranchu.ko && modprobe tun && modprobe vhost_net || exit 1
rm -f /tmp/failed
tunctl -t tap0 > /dev/null
ip link set lo up
ip addr add 10.0.2.2/24 dev tap0
ip link set tap0 up
nc -ll -p 7001 -e dd if=/dev/zero bs=64k 2> /dev/null &
nc -ll -p 7002 -e sh /bench/sink &
nc -ll -p 7003 -e cat &

# way NAME: it is one of those asked for.
way() {
	case " $WAYS " in
	*" $1 "*) ;;
	*) return 1 ;;
	esac
}

if way vhost-net; then
	guest vhost-net --net tap=tap0
	sed 's/^/NET-STATS /' /tmp/stats-vhost-net
fi

if way passt; then
	host-passt /tmp/passt tap0 > /tmp/passt.log 2>&1 &
	until [ -S /tmp/passt ] || ! kill -0 $!; do
		usleep 100000
	done
	guest passt --vhost-user net,socket=/tmp/passt
fi

if way qemu-user; then
	# shellcheck disable=SC2086 # a list of words
	/qemu/$loader --library-path "$(libraries /qemu)" /qemu/bin/$qemu -cpu host -accel kvm \
		-nodefaults -display none -smp 1 -m 512M -kernel Image -initrd guest.cpio \
		-no-reboot -append "$linux_args ranchu.run=\"$RUN qemu-user $ROUNDS\"" \
		-serial stdio -netdev user,id=n -device virtio-net-pci,netdev=n,romfile= \
		</dev/null 2>&1 | watch
fi
[ ! -e /tmp/failed ]
