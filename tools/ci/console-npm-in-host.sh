#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# The host's part of console-npm-test.sh (busybox's sh).
set -u

. /ranchu/host-lib.sh

export XDG_RUNTIME_DIR=/tmp/runtime HOME=/tmp/home
mkdir -p "$XDG_RUNTIME_DIR" "$HOME"
load_modules
ip link set lo up
echo "127.0.0.1 localhost" > /etc/hosts
echo "1..3"

vmmctl run --name phone --kernel /ranchu/guest/Image --initrd /ranchu/guest/initrd.cpio \
	--memory 512M --emulator-console 5554 --append "$linux_args ranchu.run=\"sleep 600\"" \
	</dev/null > "$console" 2>&1 &
vmm=$!
waits_for 1 GUEST-READY $vmm
cd /ranchu || exit

node console-client.js emulator-5554 phone > /tmp/said 2>&1
rc=$?
sed 's/^/# /' /tmp/said
[ $rc -eq 0 ] && grep -qx 'AVD phone' /tmp/said
result native_run_is_told_the_name $?

node console-client.js emulator-5554 tablet > /tmp/said 2>&1
rc=$?
sed 's/^/# /' /tmp/said
[ $rc -eq 1 ] && grep -q 'Unknown AVD name \[phone\]' /tmp/said
result native_run_refuses_another_one $?

echo wrong > "$HOME/.emulator_console_auth_token"
node console-client.js emulator-5554 phone > /tmp/said 2>&1
rc=$?
sed 's/^/# /' /tmp/said
[ $rc -eq 0 ] && grep -qx 'AVD phone' /tmp/said
result a_new_token_in_the_file_counts_at_once $?

vmmctl stop phone && wait $vmm
unload_modules || failed=1
[ "$failed" -eq 0 ]
