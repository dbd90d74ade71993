#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
#
# make check: runs the steps below, or those named as arguments ("all" names every one),
# and ends with one line that counts the results of all. A step that cannot run has failed.
#
# Two lanes each take the next step that nobody has, or one where there is one CPU
# only (LANES=1). A line says that a step begins; what it prints comes out in one piece,
# when it has ended.
set -euo pipefail
. "$(dirname "$0")/../lab/lib.sh"

cd "$RANCHU_TOP"
RUN=tools/lab/run.sh
NATIVE=tools/testing/native

# Enough to see that nothing depends on the architecture or the interrupt controller:
# all that is done by a guest, by a device's file and by a ring; what a device does
# behind these is the same C, and the other hosts' to test.
ON_X86_64="doorbell_test pipe_[!s]*_test pipe_signal_test vq_*_test blk_*_test \
	vsock_wire_test vsock_hostile_test ioctl_fuzz_test kvm_*_test"
ON_GICV2="doorbell_test pipe_protocol_test pipe_signal_test pipe_ring_test pipe_fuzz_test"

# Name and what it does, the longest first: the rest fits beside it. A step prints
# KTAP; a gate is silent and is one result. Two steps may run at once, so nothing
# that one changes is another's: what both build goes through build_alone().
STEPS=(
	"sanitizers	tools/ci/sanitizers.sh --ci"
	"goldfish-x86	tools/ci/goldfish-test.sh x86_64"
	"goldfish	tools/ci/goldfish-test.sh"
	"no-doorbell	tools/ci/no-doorbell-test.sh"
	"arm64		kselftests arm64"
	"kunit		tools/ci/kunit.sh"
	"adb		tools/ci/adb-test.sh"
	"ranchu-gpu	make -s -C userspace/ranchu-gpu O=$RANCHU_BUILD/check/ranchu-gpu check"
	"x86_64		kselftests x86_64 $ON_X86_64"
	"guest		tools/ci/guest-test.sh"
	"sync		tools/ci/sync-test.sh"
	"control	tools/ci/control-test.sh"
	"vsock		tools/ci/vsock-test.sh"
	"warnings	gate tools/ci/static.sh warnings"
	"virtio		tools/ci/virtio-test.sh"
	"blk		tools/ci/blk-test.sh"
	"net		tools/ci/net-test.sh net"
	"blk-crash	tools/ci/blk-crash-test.sh"
	"vmm		tools/ci/vmm-test.sh arm64-gicv2"
	"fuzz		tools/fuzz/run.sh 10"
	"blk-root	tools/ci/blk-root-test.sh"
	"lab		tools/lab/selftest.sh"
	"threads	make -s -C userspace/vmmctl O=$RANCHU_BUILD/check/vmmctl-threads check-threads"
	"checkpatch	gate tools/ci/static.sh checkpatch"
	"arm64-gicv2	kselftests arm64-gicv2 $ON_GICV2"
	"vq-diff	make -s -C $NATIVE/vq O=$RANCHU_BUILD/check/vq-diff ci"
	"vmmctl		make -s -C userspace/vmmctl O=$RANCHU_BUILD/check/vmmctl check"
	"native		make -s -C $NATIVE O=$RANCHU_BUILD/check/native check"
	"ranchu-sound	make -s -C userspace/ranchu-sound O=$RANCHU_BUILD/check/ranchu-sound check"
	"vnc		vnc"
	"install	tools/ci/install.sh"
	"ranchu-gles	make -s -C userspace/ranchu-gles O=$RANCHU_BUILD/check/ranchu-gles check"
	"ranchu-services make -s -C userspace/ranchu-services O=$RANCHU_BUILD/check/ranchu-services check"
	"uapi		gate tools/ci/static.sh uapi"
	"kdoc		gate tools/ci/static.sh kdoc"
	"steps		gate tools/ci/static.sh steps"
	"native-kvm	tools/ci/native-kvm.sh"
)

# Run when named only: with these the whole takes more than 75 minutes on two CPUs.
WHEN_NAMED=(
	"user		tools/ci/net-test.sh user"
	"scsi		tools/ci/net-test.sh scsi"
	"sound		tools/ci/sound-test.sh"
	"sound-alsa	tools/ci/sound-alsa-test.sh"
	"x86_64-all	kselftests x86_64"
	"matrix-build	tools/ci/matrix.sh build"
	"matrix		tools/ci/matrix.sh boot"
	"packages	tools/ci/packages.sh"
	"gpu		tools/ci/gpu-test.sh"
	"services	tools/ci/services-test.sh"
	"services-x86	tools/ci/services-test.sh x86_64"
	"guest-x86	tools/ci/guest-test.sh x86_64"
	"control-x86	tools/ci/control-test.sh x86_64"
	"adb-x86	tools/ci/adb-test.sh x86_64"
	"blk-crash-x86	tools/ci/blk-crash-test.sh x86_64"
	"blk-root-x86	tools/ci/blk-root-test.sh x86_64"
	"sync-x86	tools/ci/sync-test.sh x86_64"
	"gpu-x86	tools/ci/gpu-test.sh x86_64"
	"gles		tools/ci/gles-test.sh"
	"gles-x86	tools/ci/gles-test.sh x86_64"
	"virpipe	tools/ci/virpipe-test.sh"
	"virpipe-x86	tools/ci/virpipe-test.sh x86_64"
	"address	tools/ci/address-test.sh"
	"address-x86	tools/ci/address-test.sh x86_64"
	"avd		tools/ci/avd-test.sh"
	"console-npm	tools/ci/console-npm-test.sh"
	"start		tools/ci/start-test.sh"
	"start-x86	tools/ci/start-test.sh x86_64"
	"x86-guest	tools/ci/x86-guest-test.sh"
	"x86-virtio	tools/ci/pci-test.sh x86_64"
	"virt		tools/ci/pci-test.sh arm64"
	"virt-gicv2	tools/ci/pci-test.sh arm64-gicv2"
	"pkvm		kselftests arm64-pkvm $ON_GICV2 vq_ring_test vq_notify_test pipe_run_test"
	"pkvm-vmm	tools/ci/vmm-test.sh arm64-pkvm"
	"pages-16k	kselftests arm64-16k"
	"vmm-16k	tools/ci/vmm-test.sh arm64-16k"
	"guest-16k	tools/ci/guest-test.sh arm64-16k"
	"blk-16k	tools/ci/blk-test.sh arm64-16k"
	"adb-16k	tools/ci/adb-test.sh arm64-16k"
	"net-16k	tools/ci/net-test.sh net arm64-16k"
	"virtio-16k	tools/ci/virtio-test.sh arm64-16k"
	"address-16k	tools/ci/address-test.sh arm64-16k"
	"goldfish-16k	tools/ci/goldfish-test.sh arm64-16k"
	"snapshot-16k	tools/ci/snapshot-test.sh arm64-16k"
	"goldfish-virt	tools/ci/goldfish-test.sh arm64 virt"
	"x86-guests	tools/ci/x86-guests-test.sh"
	"blk-x86	tools/ci/blk-test.sh x86_64"
	"vsock-x86	tools/ci/vsock-test.sh x86_64"
	"net-x86	tools/ci/net-test.sh net x86_64"
	"scsi-x86	tools/ci/net-test.sh scsi x86_64"
	"user-x86	tools/ci/net-test.sh user x86_64"
	"virtio-x86	tools/ci/virtio-test.sh x86_64"
	"sound-x86	tools/ci/sound-test.sh x86_64"
	"snapshot	tools/ci/snapshot-test.sh"
	"snapshot-gicv2	tools/ci/snapshot-test.sh arm64-gicv2"
	"snapshot-x86	tools/ci/snapshot-test.sh x86_64"
	"snapshot-net	tools/ci/snapshot-test.sh arm64 --net"
	"snapshot-load	tools/ci/snapshot-test.sh arm64 --load"
	"snapshot-load-x86	tools/ci/snapshot-test.sh x86_64 --load"
	"snapshot-kills	tools/ci/snapshot-kills.sh"
	"fleet		tools/ci/fleet-test.sh"
	"fleet-here	tools/ci/fleet-test.sh --here"
)

# With a viewer of Debian's that shares no code with the server.
vnc() {
	local viewer

	viewer=$(GUEST_ARCH=$(kernel_arch "$(uname -m)") tools/lab/program.sh --here vncsnapshot)
	VNCSNAPSHOT=$viewer make -s -C userspace/ranchu-vnc "O=$RANCHU_BUILD/check/ranchu-vnc" check
}

gate() {
	echo "1..1"
	if "$@"; then
		echo "ok 1 ${*: -1}"
	else
		echo "not ok 1 ${*: -1}"
		return 1
	fi
}

# kselftests HOST [PATTERN]...: all, or those that a pattern fits, in an emulated
# host. On GICv2 only those with a VM: the others see no interrupt controller.
kselftests() {
	local host=$1 env=

	shift
	# Its CPUs take turns: there is less to be found, and all takes longer.
	[ "$host" != x86_64 ] ||
		env="RANCHU_KILLS=20 RANCHU_FUZZ_SECONDS=5 RANCHU_FUZZ_PAIRS=8 RANCHU_KVM_REQUIRED=1 VMMCTL=/bin/vmmctl"
	[ "${host#arm64-}" = "$host" ] || env="RANCHU_FUZZ_SECONDS=5"
	# The sanitizers' host has its own, and longer.
	[[ $host != arm64 && $host != arm64-16k ]] ||
		env="RANCHU_FUZZ_SECONDS=10 RANCHU_FUZZ_PAIRS=4"

	tools/lab/host-overlay.sh "$host" "$RANCHU_BUILD/lab/overlay-$host"
	"$RUN" --host "$host" --overlay "$RANCHU_BUILD/lab/overlay-$host" \
		--timeout 1800 -- sh -c \
		"cd /ranchu/tests && RANCHU_MODULES=/ranchu/modules $env exec sh ./run_all.sh $*"
}

# Seconds that the ended children of process $1 took of a CPU.
cpu_of() {
	awk -v hz="$(getconf CLK_TCK)" '{ print int(($16 + $17) / hz) }' "/proc/$1/stat"
}

# run_step NAME COMMAND...: leaves what it printed in $LOGS/NAME.log, and in
# $LOGS/NAME.result: passed, failed, skipped, seconds, seconds of CPU time.
run_step() {
	local name=$1 log=$LOGS/$1.log lane=$BASHPID start=$SECONDS cpu rc counts

	shift
	cpu=$(cpu_of "$lane")
	# A subshell, so that a step's exit is not ours, and not behind "||", where
	# bash would carry on after an error in it.
	set +e
	(set -euo pipefail; "$@") </dev/null >"$log" 2>&1 8>&-
	rc=$?
	set -e
	counts=$(awk -v rc="$rc" -f tools/ci/ktap.awk "$log")
	cpu=$(($(cpu_of "$lane") - cpu))
	echo "$counts $((SECONDS - start)) $cpu" > "$LOGS/$name.result"
}

# Takes steps until there are none: $LOGS/queue has those that nobody has taken.
lane() {
	local step name command

	while step=$(flock "$LOGS/lock" sed -i -e '1{w /dev/stdout' -e 'd}' "$LOGS/queue") &&
	      [ -n "$step" ]; do
		read -r name command <<<"$step"
		flock "$LOGS/lock" echo "# ---- $name begins, $((SECONDS / 60)) min after the start"
		# shellcheck disable=SC2086 # the table holds words
		run_step "$name" $command
		flock "$LOGS/lock" sh -c 'echo "# ---- $1 took $3 s"; cat "$2"' sh \
			"$name" "$LOGS/$name.log" "$(cut -d ' ' -f 4 "$LOGS/$name.result")"
	done
}

LANES=${LANES:-$(($(nproc) > 1 ? 2 : 1))}
LOGS=$RANCHU_BUILD/check/logs
mkdir -p "$RANCHU_BUILD/check"
exec 8> "$RANCHU_BUILD/check/running"
flock -n 8 || die "another one runs in this tree, and the logs of both would be in one place"
mkdir -p "$LOGS"
rm -f "$LOGS"/*

tools/lab/fetch.sh
rows=("${STEPS[@]}")
[ $# -eq 0 ] || rows+=("${WHEN_NAMED[@]}")
known=" all "
for step in "${rows[@]}"; do
	read -r name command <<<"$step"
	known+="$name "
	if [ $# -eq 0 ] || [[ " $* " == *" $name "* || " $* " == *" all "* ]]; then
		echo "$name $command"
	fi
done > "$LOGS/queue"
for name; do
	[[ $known == *" $name "* ]] || die "no step '$name': there are$known"
done

steps=$(cut -d ' ' -f 1 "$LOGS/queue")
# With job control each lane is a process group, which can be ended as a whole.
set -m
trap 'kill -- $(jobs -p | sed "s/^/-/")' INT TERM
for _ in $(seq "$LANES"); do
	lane &
done
wait
set +m

# A step without a result was not run to its end, by whatever accident.
for name in $steps; do
	[ -s "$LOGS/$name.result" ] || echo "0 1 0 0 0" > "$LOGS/$name.result"
done

echo
[ $# -gt 0 ] || printf '%s\n' "${WHEN_NAMED[@]}" | cut -f 1 | xargs echo \
	"not run, because they run when named only:"
echo "step           passed failed skipped   wall    cpu"
for name in $steps; do
	read -r passed failed skipped wall cpu < "$LOGS/$name.result"
	printf "%-14s %6d %6d %7d %4d s %4d s\n" "$name" "$passed" "$failed" "$skipped" "$wall" "$cpu"
done

# What failed comes last, where one looks first and where a shortened output still has it:
# how each log ended, then the failed results of all.
failed_steps=$(for name in $steps; do
	awk -v name="$name" '$2 != 0 { print name }' "$LOGS/$name.result"
done)
for name in $failed_steps; do
	echo "# ---- the end of the log of $name"
	tail -n 15 "$LOGS/$name.log" | cut -c -300 || true
	echo "# ---- its failed results, and what came before them"
	grep -a -B 6 '^ *not ok' "$LOGS/$name.log" | cut -c -300 | tail -n 40 || true
done
[ -z "$failed_steps" ] || echo "# ---- failed:"
for name in $failed_steps; do
	results=$(grep -a '^ *not ok' "$LOGS/$name.log" | tail -n 5 | cut -c -100 || true)
	echo "$name: ${results:-ended early: $(tail -n 1 "$LOGS/$name.log" | cut -c -200)}"
done

echo
for name in $steps; do
	cat "$LOGS/$name.result"
done | awk '
	{
		passed += $1
		failed += $2
		skipped += $3
	}
	END {
		printf "%d passed, %d failed%s\n", passed, failed,
			skipped ? ", " skipped " skipped" : ""
		exit failed > 0 || passed == 0
	}'
