#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Compares ways to emulate an x86_64 host: QEMU of Debian 12 and of its backports, all CPUs
# in one thread or a thread for each, and the latter with a host whose other CPUs come when
# KVM has patched itself for its first VM (host-vm.c). Each runs the same kselftests, in
# turns, and has a line of a table:
#
#	tools/lab/emulators.sh [ROUNDS [TEST...]]	3 rounds of a few short tests
#
# Logs are in build/lab/emulators.
set -euo pipefail
. "$(dirname "$0")/lib.sh"

ROUNDS=${1:-3}
[ $# -eq 0 ] || shift
TESTS=${*:-doorbell_test pipe_signal_test pipe_protocol_test}
OVERLAY=$RANCHU_BUILD/lab/overlay-emulators
LOGS=$RANCHU_BUILD/lab/emulators
WAYS=(
	"7.2, one thread"
	"7.2, a thread each|--threads"
	"7.2, a thread each, CPUs later|--threads --kernel-args maxcpus=1"
	"backports, one thread|--backports"
	"backports, one thread, KVM without nested pages|--backports --kernel-args kvm_amd.npt=0"
	"backports, one thread, KVM without virtual VMLOAD|--backports --kernel-args kvm_amd.vls=0"
	"backports, a thread each|--backports --threads"
	"backports, a thread each, CPUs later|--backports --threads --kernel-args maxcpus=1"
)

# once LOG OPTION...: seconds by the clock, of the CPUs, tests passed and failed, exit code.
once() {
	local log=$1 start=$EPOCHREALTIME rc=0 cpu

	shift
	TIMEFORMAT='%U %S'
	# shellcheck disable=SC2069 # the time alone goes into the variable
	cpu=$( { time "$RANCHU_TOP/tools/lab/run.sh" --host x86_64 --timeout 600 \
		--overlay "$OVERLAY" "$@" -- sh -c \
		"cd /ranchu/tests && RANCHU_MODULES=/ranchu/modules exec sh ./run_all.sh $TESTS" \
		> "$log" 2>&1; } 2>&1) || rc=$?
	awk -v start="$start" -v end="$EPOCHREALTIME" -v cpu="$cpu" -v rc="$rc" '
		/^ *ok / { passed++ }
		/^ *not ok / { failed++ }
		END {
			split(cpu, part)
			printf "%d | %d | %d | %d | %d", end - start, part[1] + part[2],
				passed, failed, rc
		}' "$log"
}

mkdir -p "$LOGS"
"$RANCHU_TOP/tools/lab/host-overlay.sh" x86_64 "$OVERLAY" >&2
echo "| QEMU | s | s of the CPUs | passed | failed | exit code |"
echo "|---|---|---|---|---|---|"
for round in $(seq "$ROUNDS"); do
	for way in "${WAYS[@]}"; do
		options=
		[ "${way#*|}" = "$way" ] || options=${way#*|}
		name=${way%%|*}
		# shellcheck disable=SC2086 # a list of words
		echo "| $name | $(once "$LOGS/${name//[, ]/-}-$round.log" $options) |"
	done
done
