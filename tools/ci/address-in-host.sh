#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# The host's part of address-test.sh (busybox's sh).
set -u

. /ranchu/host-lib.sh

case $arch in
x86_64) board= ;;
*) board="--board virt" ;;
esac

load_modules
echo "1..6"

# shellcheck disable=SC2086 # none, or two words
boot address-in-guest --name address $board --device address-space,socket=/tmp/address \
	--stats=/tmp/stats &
vmm=$!
waits_for 1 SERVICE-READY "$vmm"
/ranchu/address_service /tmp/address > /tmp/service 2>&1 &
service=$!
wait "$vmm"
wait "$service"
sed 's/^/# /' /tmp/service
grep '^address' "$console" | sed 's/^/# /'

printed '^address space: 16384 MiB at 0x[0-9a-f]*[048c]00000000' &&
	printed '^address_guest: the area is at 0x[0-9a-f]*[048c]00000000'
result driver_finds_the_area $?
printed '^address_guest: first at 0x3fffff000, 4096 bytes' &&
	printed '^address_guest: blocks done'
result blocks_do_not_overlap $?
printed '^address_guest: shared done'
result memory_is_shared $?
printed '^address_guest: again done' &&
	grep -q '^address_service: opened 4, closed 4, freed 49, anew 0' /tmp/service
result memory_goes_with_its_block $?
printed '^address_guest: silent done'
result silent_program_leaves_the_guest_alone $?
printed '^GUEST-EXIT: 0$' && ! printed GUEST-SPLAT
result guest_ends_in_order $?

unload_modules || failed=1
[ "$failed" -eq 0 ]
