#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Tests the modules on the kernels of tools/lab/kernels.txt. KTAP on standard output.
#
#	tools/ci/matrix.sh build|boot|table [NAME]...	all kernels, or some
#
#	build	builds for both architectures, with -Werror; a warning of objtool fails it
#	boot	on an emulated arm64 host with that kernel: the chosen kselftests with the
#		queue of our own, and a stock guest whose pipe commands must not exit
#	table	writes Documentation/kernels.md from what the last runs have left
#
# Each result stays in build/matrix/NAME.{build,boot} until it is made again.
set -euo pipefail
. "$(dirname "$0")/../lab/lib.sh"

cd "$RANCHU_TOP"
OUT=$RANCHU_BUILD/matrix
TESTS="doorbell_test parked_test pipe_protocol_test pipe_signal_test pipe_ring_test
	pipe_service_test pipe_socket_test blk_data_test blk_request_test lifetime_test
	vsock_sock_test blk_lock_test pipe_dma_limits_test"
NUMBER=0
FAILED=0

rows() {
	sed 's/#.*//' tools/lab/kernels.txt | awk 'NF'
}

# wanted NAME: one of those that were named, or all.
wanted() {
	[ -z "$NAMES" ] || [[ " $NAMES " == *" $1 "* ]]
}

result() {
	NUMBER=$((NUMBER + 1))
	if [ "$2" -eq 0 ]; then
		echo "ok $NUMBER $1"
	else
		echo "not ok $NUMBER $1"
		FAILED=$((FAILED + 1))
	fi
}

built() {
	echo "$RANCHU_BUILD/$2/matrix-$1"
}

# build NAME ARCH: leaves the modules in built's directory.
build() {
	local kernel=$RANCHU_CACHE/kernels/$1 log=$OUT/build-$1-$2.log rc=0

	tools/ci/modules.sh "$2" "$kernel/kdir-$2" "$(built "$1" "$2")" KCFLAGS=-Werror \
		"CC=$kernel/cc-$2" > "$log" 2>&1 || rc=1
	# The kernel's own BTF is not made here, so it says this of pahole.
	if grep -v 'pahole version differs' "$log" | grep -qE 'warning:|objtool:'; then
		rc=1
	fi
	[ "$rc" -eq 0 ] || sed 's/^/# /' "$log"
	return "$rc"
}

build_all() {
	local name arch rc

	while read -r name _; do
		wanted "$name" || continue
		tools/lab/kernels.sh headers "$name"
		cp "$RANCHU_CACHE/kernels/$name/release" "$OUT/$name.release"
		: > "$OUT/$name.build"
		for arch in arm64 x86_64; do
			[ -e "$RANCHU_CACHE/kernels/$name/kdir-$arch" ] || continue
			rc=0
			build "$name" "$arch" || rc=1
			result "build $name $arch" "$rc"
			[ "$rc" -ne 0 ] || echo "$arch" >> "$OUT/$name.build"
		done
	done < <(rows)
}

# boot NAME: the chosen kselftests and the guest.
boot() {
	local name=$1 overlay=$RANCHU_BUILD/lab/overlay-matrix-$1 tests

	tests=$(echo $TESTS)
	tools/lab/host-overlay.sh arm64 "$overlay" --guest --modules "$(built "$name" arm64)"
	cp tools/ci/host-lib.sh tools/ci/matrix-in-host.sh "$overlay/ranchu/"
	tools/lab/run.sh --debian "$name" --timeout 2400 --overlay "$overlay" -- \
		sh /ranchu/matrix-in-host.sh $tests | tee "$OUT/boot-$name.log"
}

boot_all() {
	local name how

	while read -r name _ _ how; do
		if ! wanted "$name" || [ "$how" != boot ]; then
			continue
		fi
		tools/lab/kernels.sh boot "$name"
		cp "$RANCHU_CACHE/kernels/$name/release" "$OUT/$name.release"
		rm -f "$OUT/$name.boot"
		build "$name" arm64 || true
		if boot "$name"; then
			sed -n 's/^# matrix: //p' "$OUT/boot-$name.log" > "$OUT/$name.boot"
		else
			echo fails > "$OUT/$name.boot"
			FAILED=$((FAILED + 1))
		fi
	done < <(rows)
}

# cell FILE: what a file of results says; empty is a failure, and no file no run.
cell() {
	if [ ! -e "$1" ]; then
		echo "not run"
	elif [ ! -s "$1" ]; then
		echo "fails"
	else
		paste -sd '|' "$1" | sed 's/|/ and /g'
	fi
}

table() {
	local name how

	cat <<-PAGE
	# Kernels

	For those who want to know on which host kernels ranchu runs. Written by
	\`tools/ci/matrix.sh table\` from the last runs of \`make check STEPS="matrix-build
	matrix"\`; the kernels are Debian's, and \`tools/lab/kernels.txt\` chooses them.

	| kernel | release | modules are built for | runs in an emulated arm64 host |
	|---|---|---|---|
	PAGE
	while read -r name _ _ how; do
		printf '| %s | %s | %s | %s |\n' "$name" "$(cell "$OUT/$name.release")" \
			"$(cell "$OUT/$name.build")" \
			"$([ "$how" = boot ] && cell "$OUT/$name.boot" || echo 'not chosen')"
	done < <(rows)
	cat <<-'PAGE'

	Built means without a warning from the compiler or objtool. Each host runs the
	kselftests that `tools/ci/matrix.sh` names with `doorbell=queue`, as on a kernel that
	does not export `task_work_add`, and a stock guest whose commands to its pipe must not exit
	to userspace.

	## What a kernel may lack

	`vmmctl doctor` prints a line for each of these but the last, and its exit code is 1 if one is
	missing. A run prints one line for each feature that it works without, and refuses options that
	need a missing feature. All kernels of the table above have all of KVM's features, on both
	architectures: those rows are for kernels with another configuration.

	| missing | effect | refused |
	|---|---|---|
	| a doorbell of the modules: `doorbell=off`, a kernel newer than those that the queue was tried on, or a queue that fails | commands of the pipe and of the sync device exit, disks and other queues are served by the modules' worker; `--pipe user`, `--sync user` and `served=user` are not affected | `SET_DOORBELL`, by EOPNOTSUPP; `doorbell=export` without the export: the module does not load |
	| `KVM_CAP_IOEVENTFD` | commands of the pipe and notifications of virtio devices exit; `--sync auto` is `user` | `--sync kernel` |
	| `KVM_CAP_IRQFD` | `--sync auto` is `user` | virtio devices, `--pipe kernel` (the default; `--pipe user` runs), `--sync kernel` |
	| `KVM_CAP_IRQFD_RESAMPLE` | `--sync auto` is `user` | `--pipe kernel` (the default; `--pipe user` runs), `--sync kernel` |
	| `KVM_CAP_READONLY_MEM` | no register window: reads of the pipe and the sync device are served by their modules, others exit; the page of the VM's generation can be written by the guest | `--window on` |
	| `KVM_CAP_IRQ_ROUTING` | | virtio devices on a PCI bus; any run on x86_64 |
	| `KVM_CAP_BINARY_STATS_FD` | statistics have none of KVM's own counters; doctor does not check it | |

	The step no-doorbell tests the first three rows and the fifth with stock guests on 6.12, and for
	the fourth doctor and the refusals. A filter of system calls
	(`tools/testing/vmmctl/kvm_without.c`) hides the features of the host's KVM.
	PAGE
}

[ $# -ge 1 ] || die "usage: matrix.sh build|boot|table [NAME]..."
WHAT=$1
shift
NAMES=$*
mkdir -p "$OUT"
case $WHAT in
build|boot) "${WHAT}_all" ;;
table) table > Documentation/kernels.md ;;
*) die "usage: matrix.sh build|boot|table [NAME]..." ;;
esac
[ "$WHAT" != build ] || echo "1..$NUMBER"
[ "$FAILED" -eq 0 ]
