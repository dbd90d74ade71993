#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Tests the emulator's console with a client from npm's registry, native-run, which asks
# an emulator for its AVD's name, in Debian's Node on an emulated arm64 host: KTAP on
# standard output. Needs npm and its registry, which a run of all tests does not have.
#
#	tools/ci/console-npm-test.sh
set -euo pipefail
. "$(dirname "$0")/../lab/lib.sh"

CLIENT=native-run@2.0.3
OVERLAY=$RANCHU_BUILD/lab/overlay-console-npm
NPM=$RANCHU_BUILD/console-npm

cd "$RANCHU_TOP"
command -v npm >/dev/null || die "npm is not installed"
mkdir -p "$NPM"
long_step "downloading $CLIENT" "$NPM/npm.log" npm install --prefix "$NPM" --no-audit \
	--no-fund --omit=dev "$CLIENT"
tools/lab/host-overlay.sh arm64 "$OVERLAY" --guest
tools/lab/program.sh "$OVERLAY" node
cp -r "$NPM/node_modules" tools/ci/console-client.js "$OVERLAY/ranchu/"
cp tools/ci/host-lib.sh tools/ci/console-npm-in-host.sh "$OVERLAY/ranchu/"
exec tools/lab/run.sh --host arm64 --mem 3G --timeout 900 --overlay "$OVERLAY" -- \
	sh /ranchu/console-npm-in-host.sh
