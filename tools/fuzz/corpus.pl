#!/usr/bin/env perl
# SPDX-License-Identifier: GPL-2.0-only
#
# Inputs of the fuzz targets are kept as text, one in a line, in hexadecimal.
#
#	tools/fuzz/corpus.pl unpack FILE DIR	write each into a file of its own
#	tools/fuzz/corpus.pl pack DIR > FILE	the reverse, shortest first
use strict;
use warnings;

sub unpack_file {
	my ($file, $dir) = @_;

	open(my $lines, '<', $file) or die "$file: $!\n";
	while (my $line = <$lines>) {
		chomp $line;
		next if $line =~ /^#/ or $line eq '';
		open(my $out, '>:raw', "$dir/line-$.") or die "$dir: $!\n";
		print $out pack('H*', $line);
		close($out) or die "$dir: $!\n";
	}
}

sub pack_dir {
	my ($dir) = @_;
	my @lines;

	for my $file (glob("$dir/*")) {
		open(my $in, '<:raw', $file) or die "$file: $!\n";
		local $/;
		push @lines, unpack('H*', <$in> // '');
	}
	print "# SPDX-License-Identifier: GPL-2.0-only\n";
	print "$_\n" for sort { length $a <=> length $b or $a cmp $b } @lines;
}

my $what = shift // '';
if ($what eq 'unpack' and @ARGV == 2) {
	unpack_file(@ARGV);
} elsif ($what eq 'pack' and @ARGV == 1) {
	pack_dir(@ARGV);
} else {
	die "usage: corpus.pl unpack FILE DIR | pack DIR\n";
}
