#!/usr/bin/perl
# SPDX-License-Identifier: MIT
#
# Prints what tests/core/test_unicode.c expects: the words that Perl's \b{wb} finds.
#     perl tests/reference/words.pl ../shared/data/sms_spam/sms_spam.tsv.gz
use strict;
use warnings;
use utf8;
use Encode;
binmode STDOUT, ':utf8';

sub words { grep { /[\p{L}\p{N}_]/ } split /\b{wb}/, $_[0] }

my @texts = (
    "can't stop: 3.14, 1,000 and e-mail!", "naïve cafe\x{301} Straße ΌΣΟΣ",
    "漢字かな カタカナ ｶﾅ", "snake_case __x9 a.b 1.a a:b u.s.a. 'quoted'",
    "שלום עולם", "привет, мир", "1\x{2019}2 l\x{2019}été", "a\x{200d}b x\x{ad}y",
);
print join("|", words($_)), "\n" for @texts;

open my $file, '-|', 'zcat', $ARGV[0] or die;
my ($n, $bytes, $longest) = (0, 0, 0);
while (<$file>) {
    chomp;
    for my $w (words(decode('UTF-8', $_))) {
        my $size = length encode('UTF-8', $w);
        $n++;
        $bytes += $size;
        $longest = $size if $size > $longest;
    }
}
print "$n $bytes $longest\n";
