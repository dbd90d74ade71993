# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# The area "vmm" of bench.sh: what a running vmmctl takes, how soon it ends in each
# state, what it may ask the kernel for, and what its fuzz targets find. Sourced, never
# run. RANCHU_FUZZ_SECONDS is how long each target runs, 600 without it.

FLOORS[vmm.rss_kib]="<= 4096"
FLOORS[vmm.stop_late]="0, exactly"
FLOORS[vmm.seccomp_calls]="<= 60"
FLOORS[vmm.fuzz_findings]="0"
FLOORS[vmm.line_coverage]=">= 90"

VMM_FUZZ="control console options mmio pc pci words guest_link sound vhost_user gpu_socket
	snapshot device_state avd"

vmm_host() {
	local overlay=$OUT/overlay-vmm

	"$RANCHU_TOP/tools/lab/host-overlay.sh" arm64 "$overlay" --guest
	"$RANCHU_TOP/tools/lab/program.sh" "$overlay" socat dmsetup
	cp "$RANCHU_TOP/tools/ci/host-lib.sh" "$HERE/vmm/vmm_host.sh" "$overlay/ranchu/"
	"$RANCHU_TOP/tools/lab/run.sh" --host arm64 --timeout 1200 --overlay "$overlay" -- \
		sh /ranchu/vmm_host.sh
}

bench_vmm() {
	local log=$OUT/vmm.log fuzz=$OUT/vmm-fuzz.log

	mkdir -p "$OUT"
	"$RANCHU_TOP/tools/lab/fetch.sh"
	long_step "a VM in each state, in the lab" "$log" vmm_host || missing=$((missing + 1))
	tr -d '\r' < "$log" > "$log.txt"
	grep '^state ' "$log.txt" | tee "$OUT/vmm.csv" || true
	# shellcheck disable=SC2086 # a list of words
	"$RANCHU_TOP/tools/fuzz/run.sh" "${RANCHU_FUZZ_SECONDS:-600}" $VMM_FUZZ > "$fuzz" || true
	figure vmm.rss_kib "$(sed -n 's/^rss_kib //p' "$log.txt")"
	# Without all of them there is nothing to count.
	if grep -q '^states_done$' "$log.txt"; then
		figure vmm.stop_late "$(awk '/^state / && $3 > 1 { n++ } END { print n + 0 }' \
			"$log.txt")"
	else
		figure vmm.stop_late ""
	fi
	figure vmm.seccomp_calls "$(sed -n 's/^main thread: \([0-9]*\) calls$/\1/p' "$log.txt")"
	long_step "counting lines that tests run" "$OUT/vmm-coverage.log" \
		"$RANCHU_TOP/tools/ci/coverage-userspace.sh" || missing=$((missing + 1))
	figure vmm.line_coverage "$(sed -n 's/^TOTAL .* //p' "$OUT/vmm-coverage.log")"
	if grep -q '^1\.\.' "$fuzz"; then
		figure vmm.fuzz_findings "$(grep -c '^not ok' "$fuzz" || true)"
	else
		figure vmm.fuzz_findings ""
	fi
}
