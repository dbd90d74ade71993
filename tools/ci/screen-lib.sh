# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=sh
#
# Shared by the scripts that look at a guest's screen in an emulated host (busybox's sh).
# Sourced, never run.

# pixels FILE WIDTH HEIGHT: of a PNG file, as its inflated bytes: rows of RGB, a byte in
# front of each. busybox takes the end for broken.
pixels() {
	(printf '\037\213\010\0\0\0\0\0\0\003'; tail -c +44 "$1") | gunzip -c 2>/dev/null |
		head -c $(($3 * (3 * $2 + 1)))
}
