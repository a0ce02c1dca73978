#!/usr/bin/perl
# SPDX-License-Identifier: MIT
#
# Writes lib/core/unicode_table.h from the Unicode data that Perl carries:
#     perl tests/reference/unicode_tables.pl > lib/core/unicode_table.h
use strict;
use warnings;
use Unicode::UCD qw(prop_invmap);
use Unicode::Normalize qw(NFD);
binmode STDOUT, ':utf8';

sub class_of {
    my ($c) = @_;
    return 8 if $c =~ /\p{WB=Extend}|\p{WB=Format}|\p{WB=ZWJ}/;
    return 1 if $c =~ /\p{WB=ALetter}|\p{WB=Hebrew_Letter}/;
    return 2 if $c =~ /\p{WB=Numeric}/;
    return 3 if $c =~ /\p{WB=Katakana}/;
    return 4 if $c =~ /\p{WB=ExtendNumLet}/;
    return 5 if $c =~ /\p{WB=MidLetter}/;
    return 6 if $c =~ /\p{WB=MidNum}/;
    return 7 if $c =~ /\p{WB=MidNumLet}|\p{WB=Single_Quote}/;
    return 10 if $c =~ /\p{LB=SA}/ && $c =~ /\p{L}/;
    return 9 if $c =~ /\p{L}|\p{N}/;
    return 0;
}

sub hex_list {
    my ($format, $per_line, @items) = @_;
    for (my $i = 0; $i < @items; $i += $per_line) {
        my $last = $i + $per_line > $#items + 1 ? $#items : $i + $per_line - 1;
        print "    ", join(", ", map { sprintf $format, ref $_ ? @$_ : $_ } @items[$i .. $last]), ",\n";
    }
}

my (@runs, @fold, @base, $last);
$last = -1;
for my $cp (0 .. 0xE0FFF) {
    next if $cp >= 0xD800 && $cp < 0xE000;
    my $c = chr $cp;
    my $class = class_of($c);
    $class |= 16 if $c =~ /\p{L}|\p{N}|_/;
    $class |= 32 if $c =~ /\p{Mn}/;
    $class |= 64 if $c =~ /\p{White_Space}/ || ($cp >= 0x1c && $cp <= 0x1f);
    push @runs, $cp << 8 | $class if $class != $last;
    $last = $class;
}

my ($list, $map, $format, $default) = prop_invmap("Simple_Case_Folding");
for my $i (0 .. $#$list) {
    next if !defined $map->[$i] || $map->[$i] eq $default || ref $map->[$i];
    my $end = $i < $#$list ? $list->[$i + 1] : $list->[$i] + 1;
    for my $cp ($list->[$i] .. $end - 1) {
        my $delta = $map->[$i] - $list->[$i];
        my $f = $fold[-1];
        if ($f && $f->[3] == $delta) {
            my $gap = $cp - $f->[1];
            if (($f->[2] == 0 && $gap <= 2) || $gap == $f->[2]) {
                $f->[2] = $gap;
                $f->[1] = $cp;
                next;
            }
        }
        push @fold, [$cp, $cp, 0, $delta];
    }
}

for my $cp (0x80 .. 0xFFFF) {
    next if $cp >= 0xAC00 && $cp < 0xE000;
    my $plain = NFD(chr $cp);
    $plain =~ s/\p{Mn}//g;
    push @base, [$cp, ord $plain]
        if length $plain == 1 && ord $plain != $cp && ord $plain < 0x10000;
}

print <<"HEAD";
/* SPDX-License-Identifier: MIT
 *
 * core/unicode_table.h: made by tests/reference/unicode_tables.pl from Unicode
 * ${\Unicode::UCD::UnicodeVersion()}.
 */
/* clang-format off */
/* From code point x >> 8 on the class is x & 255, until the next one. */
static const uint32_t class_runs[] = {
HEAD
hex_list("0x%x", 8, @runs);
print "};\n/* first, last, step, what is added */\n",
      "static const struct {\n    uint32_t first, last;\n    int32_t step, add;\n} fold_runs[] = {\n";
$_->[2] ||= 1 for @fold;
hex_list("{0x%x, 0x%x, %d, %d}", 3, @fold);
print "};\n/* A letter with marks, and the letter. */\n",
      "static const uint16_t base_letters[][2] = {\n";
hex_list("{0x%x, 0x%x}", 6, @base);
print "};\n/* clang-format on */\n";
