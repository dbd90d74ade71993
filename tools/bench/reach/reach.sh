# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# The area "reach" of bench.sh: on how many kernels the modules build and run, what
# doorbells cost without an exported task_work_add, and what lintian says of the packages.
# Sourced, never run.

FLOORS[reach.kernels_built]=">= 8"
FLOORS[reach.kernels_tested]=">= 4"
FLOORS[reach.queue_vs_export]="<= 1.02"
FLOORS[reach.exits_per_cmd]="0, exactly"
FLOORS[reach.lintian]="0, exactly"

# reach_ways LOG: the bare guest by both ways, on the lab's 6.12.
reach_ways() {
	build_pipe
	stage_pipe
	cp "$HERE/reach/reach_host.sh" "$OUT/stage/bench/"
	"$RANCHU_TOP/tools/lab/run.sh" --host arm64 --icount --timeout 1800 \
		--overlay "$OUT/stage" -- sh /bench/reach_host.sh
}

# Modules as on a kernel without the export, on x86_64: the test's own count of exits
# must be 0, or it fails.
reach_x86() {
	local overlay=$OUT/overlay-reach-x86_64 built=$RANCHU_BUILD/x86_64/no-export

	RANCHU_NO_TASK_WORK=1 "$RANCHU_TOP/tools/ci/modules.sh" x86_64 \
		"$RANCHU_CACHE/kdir-x86_64" "$built"
	"$RANCHU_TOP/tools/lab/host-overlay.sh" x86_64 "$overlay" --modules "$built"
	"$RANCHU_TOP/tools/lab/run.sh" --host x86_64 --timeout 1800 --overlay "$overlay" -- \
		sh -c 'cd /ranchu/tests && RANCHU_MODULES=/ranchu/modules sh ./run_all.sh doorbell_test'
}

# reach_cost WAY: instructions of a POLL, the mean of its rounds.
reach_cost() {
	awk -v way="$1" '
	/^WAY / { now = $2 }
	/^BENCH poll / && now == way { sub("ns=", "", $3); sum += $3; n++ }
	END { if (n) printf "%.1f", sum / n }' "$OUT/reach.log"
}

# Errors and warnings of lintian, of packages that were built and came out the same twice.
reach_lintian() {
	local log=$RANCHU_BUILD/packages/bookworm-build.log

	long_step "the packages" "$OUT/reach-packages.log" "$RANCHU_TOP/tools/ci/packages.sh" none ||
		missing=$((missing + 1))
	if grep -q '^ok .*two builds are the same' "$OUT/reach-packages.log"; then
		figure reach.lintian \
			"$(sed '1,/^# lintian is silent/d' "$log" | grep -c '^[EW]: ' || true)"
	else
		figure reach.lintian ""
	fi
}

bench_reach() {
	local matrix=$RANCHU_TOP/tools/ci/matrix.sh built=$OUT/reach-build.log
	local boot=$OUT/reach-boot.log exits=

	mkdir -p "$OUT"
	"$RANCHU_TOP/tools/lab/fetch.sh"
	long_step "building for each kernel" "$built" "$matrix" build || missing=$((missing + 1))
	long_step "a host with each kernel" "$boot" "$matrix" boot || missing=$((missing + 1))
	long_step "both ways, in the lab" "$OUT/reach.log" reach_ways || missing=$((missing + 1))
	plain_log "$OUT/reach.log"
	printf '\nInstructions of a POLL, bare guest: export %s, queue %s\n\n' \
		"$(reach_cost export)" "$(reach_cost queue)"

	figure reach.kernels_built "$(grep -c '^ok ' "$built" || true)"
	figure reach.kernels_tested "$(grep -c '^# matrix: .* 0 exits' "$boot" || true)"
	figure reach.queue_vs_export "$(ratio "$(reach_cost queue)" "$(reach_cost export)")"
	if grep -q '^# matrix: .* 0 exits' "$boot" &&
			long_step "x86_64 without the export" "$OUT/reach-x86.log" reach_x86; then
		exits=0
	fi
	figure reach.exits_per_cmd "$exits"
	reach_lintian
}
