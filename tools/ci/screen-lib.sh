# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=sh
#
# Shared by the scripts that look at a guest's screen in an emulated host (busybox's sh).
# Sourced, never run.

# compares NAME HAVE WANT WIDTH HEIGHT: prints how many pixels of two pictures differ, for
# bench.sh, and fails if any do. Missing pixels count as different.
compares() {
	have=0
	[ ! -e "$2" ] || have=$(wc -c < "$2")
	differ=$(cmp -l "$2" "$3" 2>/dev/null | awk -v row=$((3 * $4 + 1)) '
		{
			at = $1 - 1
			pixel = int(at / row) " " int((at % row + 2) / 3)
			if (!(pixel in seen))
				n++
			seen[pixel] = 1
		}
		END { print n + 0 }')
	differ=$((differ + ($5 * (3 * $4 + 1) - have + 2) / 3))
	[ $differ -le $(($4 * $5)) ] || differ=$(($4 * $5))
	echo "# pixels $1 $(($4 * $5)) wrong $differ"
	[ "$differ" -eq 0 ]
}

# pixels FILE WIDTH HEIGHT: of a PNG file, as its inflated bytes: rows of RGB, a byte in
# front of each. busybox takes the end for broken.
pixels() {
	(printf '\037\213\010\0\0\0\0\0\0\003'; tail -c +44 "$1") | gunzip -c 2>/dev/null |
		head -c $(($3 * (3 * $2 + 1)))
}
