# SPDX-License-Identifier: GPL-2.0-only
#
# Compares the steps of tools/ci/check.sh, the first file, with the two tables of
# Documentation/testing.md, the second: "Steps" says of each what it does, and
# "Architectures" on which it runs, and why on one only. Prints what differs.

function complain(text) {
	print "Documentation/testing.md: " text
	bad = 1
}

function trim(text) {
	gsub(/^[ \t]+|[ \t]+$/, "", text)
	return text
}

# Where a step runs, by its command: an emulated host is arm64's unless it says otherwise.
function place(command) {
	if (command ~ /x86/)
		return "x86_64"
	if (command ~ /arm64/)
		return "arm64"
	if (command ~ /(-test|sanitizers|selftest|snapshot-kills)\.sh|matrix\.sh boot/ &&
	    command !~ /--here/)
		return "arm64"
	return "here"
}

FNR == NR {
	if (/^(STEPS|WHEN_NAMED)=\(/)
		list = $0 ~ /^STEPS/ ? "always" : "named"
	else if (/^\)/)
		list = ""
	else if (list && /^\t"/) {
		name = $1
		gsub(/[\t "]/, "", name)
		listed[name] = list
		$1 = ""
		where[name] = place($0)
	}
	next
}

/^\| step \|/ { table = "steps" }
/^\| test \|/ { table = "architectures" }
!/^\|/ { table = "" }
!table || /^\| (step|test) \|/ || /^\|-/ { next }

# names(CELL): splits it into the array some; "(when named)" is not one.
function names(cell) {
	sub(/ *\(when named\)/, "", cell)
	return split(trim(cell), some, /, */)
}

function column(cell, title,   i, n) {
	n = names(cell)
	for (i = 1; i <= n; i++) {
		if (!(some[i] in listed))
			complain("the table of architectures has a step " some[i] ", check.sh has not")
		else if (where[some[i]] != title)
			complain(some[i] " is in the column " title ", and runs on " where[some[i]])
		placed[some[i]]++
	}
	return n
}

table == "steps" {
	n = split($0, cell, /\|/)
	want = cell[2] ~ /\(when named\)/ ? "named" : "always"
	n = names(cell[2])
	for (i = 1; i <= n; i++) {
		if (!(some[i] in listed))
			complain("the table of steps has a step " some[i] ", check.sh has not")
		else if (listed[some[i]] != want)
			complain("whether " some[i] " runs when named only is another thing in check.sh")
		told[some[i]]++
	}
}

table == "architectures" {
	split($0, cell, /\|/)
	arm64 = column(cell[3], "arm64")
	x86 = column(cell[4], "x86_64")
	column(cell[5], "here")
	why = trim(cell[6])
	if (arm64 && x86 && why != "")
		complain(trim(cell[2]) " runs on both, and says why not")
	if (!(arm64 && x86) && why == "")
		complain(trim(cell[2]) " runs on one architecture only, and does not say why")
}

END {
	for (name in listed) {
		if (told[name] != 1)
			complain("the table of steps has " name " " told[name] + 0 " times")
		if (placed[name] != 1)
			complain("the table of architectures has " name " " placed[name] + 0 " times")
	}
	exit bad
}
