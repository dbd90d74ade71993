# SPDX-License-Identifier: GPL-2.0-only
#
# What did not run, and nobody has said why: coverage.sh's lines that did not run,
# FILE:LINE:TEXT, are put to their functions, each of which may have as many as its
# row in uncovered.txt says.
#
#	awk -f tools/ci/uncovered.awk tools/ci/uncovered.txt build/coverage/missed

# A function begins with a name at the left edge, and is no prototype.
function read_functions(file,	line, n, name)
{
	while ((getline line < file) > 0) {
		n++
		if (line ~ /^[A-Za-z_].*\(/ && line !~ /;$/) {
			name = line
			sub(/\(.*/, "", name)
			sub(/.*[ *]/, "", name)
		}
		at[file, n] = name
	}
	close(file)
	known[file] = 1
}

FILENAME ~ /uncovered\.txt$/ {
	if ($1 ~ /^drivers\//)
		explained[$1, $2] = $3
	next
}

{
	split($0, part, ":")
	file = part[1]
	if (!(file in known))
		read_functions(file)
	key = file SUBSEP at[file, part[2]]
	missed[key]++
	lines[key] = lines[key] $0 "\n"
}

END {
	for (key in missed) {
		if (missed[key] <= explained[key] + 0)
			continue
		split(key, id, SUBSEP)
		printf "%s %s: %d did not run, %d explained\n%s", id[1], id[2], missed[key],
			explained[key], lines[key]
	}
}
