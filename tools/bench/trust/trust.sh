# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# The area "trust" of bench.sh: what the sanitizers say of all kselftests, sleeps where
# none may be long, how much of drivers/ the kselftests run, many VMs at once, promises
# without a test. Sourced, never run.

FLOORS[trust.splats]="0, exactly"
FLOORS[trust.leaks]="0, exactly"
FLOORS[trust.unbounded_sleeps]="0, exactly"
FLOORS[trust.spec_pending]="0"
FLOORS[trust.vms]=">= 256"
FLOORS[trust.cost_64_vs_1]="<= 1.05"
FLOORS[trust.idle_vm_kib]="<= 200"
FLOORS[trust.line_coverage]=">= 98"

# Sanitizers' reports in the logs, leaks apart.
trust_splats() {
	cat "$@" | tr -d '\r' | grep -E -f "$RANCHU_TOP/tools/lab/splats.txt" | grep -vc kmemleak || true
}

# Objects that kmemleak says are lost.
trust_leaks() {
	sed -n 's/.*kmemleak: \([0-9]*\) new suspected memory leaks.*/\1/p' "$@" |
		awk '{ n += $1 } END { print n + 0 }'
}

# Sleeps that tools/lab/watch reported: nothing unless every run has counted.
trust_sleeps() {
	local log n total=0

	for log; do
		n=$(sed -n 's/^# watch: .* seen, \([0-9]*\) over the bound.*/\1/p' "$log")
		[ -n "$n" ] || return 0
		total=$((total + n))
	done
	echo "$total"
}

trust_build() {
	local b=$RANCHU_BUILD/arm64 stage=$OUT/stage-trust

	build_alone make -s -C "$RANCHU_TOP" ARCH=arm64 "KDIR=$RANCHU_CACHE/kdir-arm64" \
		modules selftests
	make -s -C "$HERE/trust" ARCH=arm64 CROSS_COMPILE="$(cross_prefix arm64)" \
		TESTS="$b/selftests" OUTPUT="$OUT/trust"
	rm -rf "$stage"
	mkdir -p "$stage/bench"
	sed 's/\.o$/.ko/' "$b/modules/modules.order" | while read -r module; do
		[[ $module = /* ]] || module=$b/modules/$module
		cp "$module" "$stage/bench/"
		basename "$module"
	done > "$stage/bench/order"
	cp "$OUT/trust/trust_vms" "$stage/bench/"
}

# trust_vms [OPTION]... -- [ARGUMENT]...: options of run.sh's.
trust_vms() {
	local options=()

	while [ "$1" != -- ]; do
		options+=("$1")
		shift
	done
	shift
	"$RANCHU_TOP/tools/lab/run.sh" --mem 6G --timeout 1500 --overlay "$OUT/stage-trust" \
		${options[@]+"${options[@]}"} -- \
		sh -c "cd /bench && for m in \$(cat order); do insmod \$m || exit 1; done; ./trust_vms $*"
}

bench_trust() {
	local log=$OUT/trust.log total

	mkdir -p "$OUT"
	"$RANCHU_TOP/tools/lab/fetch.sh"
	long_step "building for many VMs" "$OUT/trust-build.log" trust_build
	long_step "256 VMs in the lab" "$log" trust_vms -- || missing=$((missing + 1))
	cat "$log"
	long_step "a pipe's poll beside 63 VMs" "$OUT/trust-cost.log" \
		trust_vms --icount -- cost || missing=$((missing + 1))
	cat "$OUT/trust-cost.log"
	# shellcheck disable=SC2086 # --table: it has run already, in parts perhaps
	long_step "all kselftests on the sanitizers' kernel, lines counted" "$OUT/coverage.log" \
		"$RANCHU_TOP/tools/ci/coverage.sh" ${RANCHU_COVERAGE:-} || missing=$((missing + 1))
	grep '^drivers/' "$OUT/coverage.log" || true
	total=$(sed -n 's/^TOTAL .* //p' "$OUT/coverage.log")

	# Without a run that came to its end there is nothing to count.
	if [ -n "$total" ] && cat "$RANCHU_BUILD"/coverage/*.klog >/dev/null; then
		figure trust.splats "$(trust_splats "$RANCHU_BUILD"/coverage/*.klog)"
		figure trust.leaks "$(trust_leaks "$RANCHU_BUILD"/coverage/*.klog)"
		figure trust.unbounded_sleeps "$(trust_sleeps "$RANCHU_BUILD"/coverage/part-*.log)"
	else
		figure trust.splats ""
		figure trust.leaks ""
		figure trust.unbounded_sleeps ""
	fi
	figure trust.spec_pending "$(grep -c 'test pending' \
		<(grep '^|' "$RANCHU_TOP/SPECIFICATION.md") || true)"
	figure trust.vms "$(sed -n 's/^vms //p' "$log")"
	figure trust.cost_64_vs_1 "$(ratio "$(sed -n 's/^poll_ns_all //p' "$OUT/trust-cost.log")" \
		"$(sed -n 's/^poll_ns_1 //p' "$OUT/trust-cost.log")")"
	figure trust.idle_vm_kib "$(sed -n 's/^idle_vm_kib //p' "$log")"
	figure trust.line_coverage "$total"
}
