# SPDX-License-Identifier: GPL-2.0-only
#
# A table of which lines have run, by file, of what gcov says of objects. A line that ran
# anywhere has run; one that no compiler made code of is none.
#
#	awk -v missed=FILE -v tree=REGEX -v of=REGEX -f covered.awk GCOV...
#
# A file's name begins where tree fits, and it counts if of fits that name. Lines that did
# not run go to missed. The last line is "TOTAL covered lines percent".

$1 ~ /^-:$/ && $2 ~ /^0:Source/ {
	file = $0
	sub(/.*Source:/, "", file)
	while (sub(/[^\/]+\/\.\.\//, "", file))
		;
	n = match(file, tree)
	file = n ? substr(file, n) : ""
	next
}
file !~ of || file ~ /\/tests\// { next }
{
	split($0, part, ":")
	count = part[1]
	line = part[2] + 0
	gsub(/ /, "", count)
	if (count == "-" || !line)
		next
	key = file SUBSEP line
	if (!(key in seen)) {
		lines[file]++
		seen[key] = 0
		text[key] = $0
	}
	if (!seen[key] && count !~ /^[#=]/) {
		seen[key] = 1
		ran[file]++
	}
}
END {
	for (file in lines)
		printf "%-48s %5d %5d %6.1f\n", file, ran[file], lines[file],
			100 * ran[file] / lines[file] | "sort"
	for (key in seen)
		if (!seen[key]) {
			split(key, at, SUBSEP)
			sub(/^[^:]*:[^:]*:/, "", text[key])
			printf "%s:%d:%s\n", at[1], at[2], text[key] | \
				("sort -t: -k1,1 -k2,2n > " missed)
		}
	close("sort")
	for (file in lines) {
		all += lines[file]
		covered += ran[file]
	}
	printf "%-48s %5d %5d %6.1f\n", "TOTAL", covered, all, all ? 100 * covered / all : 0
}
