#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# The snapshot test's part about networks, inside the host (busybox's sh): a stock guest with a
# tap interface is saved, goes on and is cloned in the middle of a transfer. It also uses DMA of
# the pipe's, which needs the guest's memory as a VM has it that goes on from a snapshot.
set -u

. /ranchu/host-lib.sh
. /ranchu/snapshot-lib.sh

BYTES=10000000
guest=emulator-5554
clone=emulator-5556

# on SERIAL COMMAND: in the guest; its exit code comes back as well.
on() {
	timeout 60 adb -s "$1" shell "$2" 2>&1 | tr -d '\r'
}

# begins SERIAL NAME COMMAND: in the guest; it goes on, and /tmp/NAME will have what it prints.
begins() {
	on "$1" "rm -f /tmp/$2; setsid sh -c '$3 > /tmp/$2.new; mv /tmp/$2.new /tmp/$2' \
		< /dev/null > /dev/null 2>&1 &" > /dev/null
}

# printed_by SERIAL NAME: when it has ended.
printed_by() {
	tries=240
	until on "$1" "cat /tmp/$2 && echo there" > /tmp/printed && grep -q '^there$' /tmp/printed; do
		tries=$((tries - 1))
		[ $tries -gt 0 ] || return 1
		sleep 0.5
	done
	sed '/^there$/d' /tmp/printed
}

# received SERIAL NAME: the guest has received all of the data, and nothing else.
received() {
	got=$(printed_by "$1" "$2" | cut -d ' ' -f 1)
	echo "# received '$got'"
	[ "$got" = "$(sha256sum < /tmp/data | cut -d ' ' -f 1)" ]
}

# answers TAP ADDRESS: the guest behind TAP.
answers() {
	ping -q -c 3 -W 10 -I "$1" "$2" > /tmp/ping 2>&1
	code=$?
	grep packets /tmp/ping | sed 's/^/# /'
	return $code
}

mac_of() {
	on "$1" "cat /sys/class/net/eth0/address"
}

# counted VM COUNTER: of its network device.
counted() {
	vmmctl stats "$1" | tr ',{' '\n' | sed -n "s/.*\"$2\": *\([0-9]*\).*/\1/p" | head -n 1
}

# Memory that the guest's driver gives to a service of the pipe's.
dma_works() {
	on "$1" "rmmod goldfish_pipe; insmod /bin/goldfish_dma.ko && pipe_guest dma; \
		echo dma ended with \$?; rmmod goldfish_dma" > /tmp/dma
	grep -q '^dma ended with 0$' /tmp/dma && return
	sed 's/^/# /' /tmp/dma
	return 1
}

load_modules
modprobe -a tun vhost_net
adb start-server 2>/dev/null
echo "1..14"

for tap in tap0 tap1; do
	tunctl -t $tap > /dev/null
	ip addr add 10.0.2.2/24 dev $tap
	ip link set $tap up
	echo 0 > /proc/sys/net/ipv4/conf/$tap/rp_filter
done
echo 0 > /proc/sys/net/ipv4/conf/all/rp_filter
# The second one is for the clone.
ip route del 10.0.2.0/24 dev tap1 2>/dev/null
head -c $BYTES /dev/urandom > /tmp/data
# So slow that a guest can be saved meanwhile.
cat > /tmp/sends <<-'END'
	#!/bin/sh
	for piece in 0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19; do
		dd if=/tmp/data bs=500000 skip=$piece count=1 2>/dev/null
		sleep 0.4
	done
END
chmod +x /tmp/sends
nc -ll -p 7001 -e /tmp/sends &
served=$!
transfer="nc 10.0.2.2 7001 < /dev/null | sha256sum"

start one --kernel /ranchu/guest/Image --initrd /ranchu/guest/initrd.cpio --memory 256M \
	--append "$linux_args ranchu.run=\"guest-load && guest-adbd\"" --vsock 42 --net tap=tap0
one=$pid
device $guest && on $guest "net-in-guest up" > /tmp/up
rc=$?
sed 's/^/# /' /tmp/up
[ $rc -eq 0 ] && grep -q '3 packets received' /tmp/up && answers tap0 10.0.2.15
result the_guest_is_on_the_network $?
mac=$(mac_of $guest)
echo "# MAC $mac"

begins $guest sum "$transfer"
sleep 2
vmmctl snapshot save one /tmp/snap > /tmp/save 2>&1
rc=$?
sed 's/^/# /' /tmp/save
[ $rc -eq 0 ] && vmmctl snapshot check /tmp/snap > /tmp/checked 2>&1 &&
	! on $guest "cat /tmp/sum" | grep -q -e -
result it_is_saved_in_the_middle_of_a_transfer $?
received $guest sum
result the_guest_that_was_saved_goes_on $?

# The other end waits while there is no guest.
begins $guest sum "$transfer"
sleep 2
vmmctl pause one && vmmctl snapshot save one /tmp/snap > /tmp/save 2>&1
rc=$?
sed 's/^/# /' /tmp/save
ends "$one"
gone $guest
start two --from /tmp/snap
two=$pid
device $guest && [ $rc -eq 0 ] && received $guest sum
result a_transfer_goes_on_in_another_process $?

echo "# announced: $(counted two announced), link changes: $(counted two link_changes)"
[ "$(mac_of $guest)" = "$mac" ] && [ "$(counted two announced)" = 1 ] && answers tap0 10.0.2.15
result it_keeps_its_mac_and_announces_itself $?

dma_works $guest
result dma_of_the_pipe_in_private_memory $?

# ---- a clone, beside it ----

refused "is the saved VM's tap interface" /tmp/snap --clone
result a_clone_needs_a_tap_of_its_own $?

ip link set tap1 mtu 1280
refused "the guest's MTU is 1500, and that of tap1 is 1280" /tmp/snap --clone --net tap=tap1
rc=$?
ip link set tap1 mtu 1500
refused "which cannot be changed" /tmp/snap --clone --net tap=tap1,mac=02:00:00:00:00:77 || rc=1
refused "Device or resource busy" /tmp/snap --clone --net tap=tap0 || rc=1
result what_does_not_fit_is_refused $rc

start three --from /tmp/snap --clone --net tap=tap1
three=$pid
ip route add 10.0.2.15/32 dev tap1 table 7 2>/dev/null
device $clone && answers tap1 10.0.2.15 && answers tap0 10.0.2.15 &&
	[ "$(mac_of $clone)" = "$mac" ]
result a_clone_beside_the_original $?

# An address of its own, as a user would give it.
ip addr add 10.0.3.2/24 dev tap1
on $clone "ip addr flush dev eth0; ip addr add 10.0.3.15/24 dev eth0"
begins $clone own "nc 10.0.3.2 7001 < /dev/null | sha256sum"
begins $guest sum "$transfer"
received $clone own && received $guest sum
result both_receive_data $?

# link_is SERIAL 0|1
link_is() {
	tries=60
	until [ "$(on "$1" "cat /sys/class/net/eth0/carrier")" = "$2" ]; do
		tries=$((tries - 1))
		[ $tries -gt 0 ] || return 1
		sleep 0.5
	done
}
ip link set tap1 down
link_is $clone 0
rc=$?
ip link set tap1 up
link_is $clone 1 && [ $rc -eq 0 ] && link_is $guest 1
result a_clones_link_follows_its_own_tap $?

vmmctl snapshot save three /tmp/snap-3 --changes > /tmp/save 2>&1
rc=$?
sed 's/^/# /' /tmp/save
ends "$three"
gone $clone
# Its options are still the saved VM's, so the CID, which guest "two" has, is given.
start four --from /tmp/snap-3 --vsock 43
four=$pid
device $clone && [ $rc -eq 0 ] && answers tap1 10.0.3.15 && [ "$(mac_of $clone)" = "$mac" ]
result a_clone_that_was_saved_has_its_tap $?

dma_works $clone
result dma_of_the_pipe_in_a_clone $?

# The next guest has a memfd, and a driver that begins anew.
boot=$(on $guest "cat /proc/sys/kernel/random/boot_id")
adb -s $guest shell reboot -f > /dev/null 2>&1
device $guest && on $guest "net-in-guest up" > /tmp/up && grep -q '3 packets received' /tmp/up &&
	[ "$(on $guest "cat /proc/sys/kernel/random/boot_id")" != "$boot" ] &&
	[ "$(mac_of $guest)" = "$mac" ] && [ "$(counted two announced)" = 1 ] && dma_works $guest
result it_boots_again_with_network_and_dma $?

ends "$two"
ends "$four"
kill "$served"
adb kill-server
unload_modules
rmmod vhost_net
[ "$failed" -eq 0 ]
