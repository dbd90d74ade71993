# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Part of AREA=blk: a TCP stream each way and a byte there and back, by vhost-net and by
# what needs no rights: passt, and QEMU's user-mode network. Sets NET_EXITS and NET_OPS:
# exits to userspace while the kernel serves, and what they are to be divided by.

NET=$HERE/net
NET_KERNEL=vhost-net
NET_USER="passt qemu-user"

build_net() {
	make -s -C "$RANCHU_TOP" "ARCH=$GUEST_ARCH" "KDIR=$RANCHU_CACHE/kdir-$GUEST_ARCH" \
		STATIC=-static modules userspace
	make -s -C "$NET" "CROSS_COMPILE=$(cross_prefix "$GUEST_ARCH")" "OUTPUT=$OUT/net"
}

stage_net() {
	local b=$RANCHU_BUILD/$GUEST_ARCH stage=$OUT/stage-net

	rm -rf "$stage"
	mkdir -p "$stage/bench" "$stage/bin"
	cp "$b/modules/drivers/virt/ranchu/ranchu.ko" "$NET/net_host.sh" "$HERE/host-lib.sh" \
		"$stage/bench/"
	echo 'exec dd of=/dev/null bs=64k 2> /dev/null' > "$stage/bench/sink"
	cp -L "$RANCHU_CACHE/vmlinuz-$GUEST_ARCH" "$stage/bench/Image"
	cp "$b/vmmctl/vmmctl" "$RANCHU_TOP/tools/lab/host-passt" "$stage/bin/"
	# Of two releases, each with its own C library.
	"$RANCHU_TOP/tools/lab/program.sh" "$stage" passt
	"$RANCHU_TOP/tools/lab/program.sh" "$stage/qemu" "$QEMU_SYSTEM"
	"$RANCHU_TOP/tools/lab/guest-initrd.sh" "$stage/bench/guest.cpio" "$OUT/net/net_guest"
	"$RANCHU_TOP/tools/lab/guest-modules.sh" "$stage/bench/guest.cpio" "$TRANSPORT" virtio_net
}

# net_cost NAME WHAT: thousands of instructions per operation, all rounds.
net_cost() {
	sed -n "s/^NET-MARK end $1 $2 ns=\([0-9]*\) ops=\([0-9]*\)$/\1 \2/p" "$OUT/net.log" |
		awk '{ ns += $1; ops += $2 } END { if (ops) printf "%.1f", ns / ops / 1000 }'
}

table_net() {
	local name what

	printf '\nNetwork, thousands of instructions, whole machine:\n'
	printf '  %-16s %12s %12s %12s\n' "" "MiB in" "MiB out" "round trip"
	for name in $NET_KERNEL $NET_USER; do
		printf '  %-16s %12s %12s %12s\n' "$name" "$(net_cost "$name" in)" \
			"$(net_cost "$name" out)" "$(net_cost "$name" rtt)"
	done
	for name in $NET_USER; do
		printf '  %-16s' "$name/vhost"
		for what in in out rtt; do
			printf ' %12s' "$(ratio "$(net_cost "$name" $what)" \
				"$(net_cost $NET_KERNEL $what)")"
		done
		printf '\n'
	done
	printf '\n'
}

# bench_net [NAME]...: all that is compared, or some.
bench_net() {
	local log=$OUT/net.log

	long_step "building for the network's benchmark" "$OUT/net-build.log" build_net
	long_step "packing guest and host" "$OUT/net-stage.log" stage_net
	long_step "measuring networks in the lab" "$log" \
		"$RANCHU_TOP/tools/lab/run.sh" --host "$HOST" --icount --timeout 3600 \
		--overlay "$OUT/stage-net" -- sh /bench/net_host.sh 2 "$@" || missing=$((missing + 1))
	plain_log "$log"
	table_net
	read -r NET_EXITS NET_OPS < <(virtio_exits NET "$NET_KERNEL" "$log")
}
