# What a run leaves: a Markdown text and a chart, in build/bench and, when
# that is wanted, in docs/.

package CSChat::Bench::Report;

use strict;
use warnings;

use CSChat::Bench::Machine;
use CSChat::Bench::Goals;
use CSChat::Bench::Table qw(table);

my $begin = '<!-- figures: bench/run --update-docs writes what follows -->';
my $end = '<!-- end of the figures -->';

#   bench      CSChat::Bench
#   machine    a sentence
#   versions   a sentence
#   sections   Markdown, in order
sub markdown {
    my (%o) = @_;
    my @warnings = $o{bench}->machine->warnings;
    my $repeats = $o{bench}->repeats;

    return join "\n",
        "$o{machine}.\n$o{versions}.",
        "The load generator runs on the same processors. $repeats run"
        . ($repeats == 1 ? '' : 's')
        . ' each, where nothing else is said: the median, and in brackets the'
        . " lowest and the highest.\n",
        (map {"**The machine was not quiet**: $_.\n"} @warnings),
        table('Goals', ['goal', 'target', 'measured', 'met'],
        CSChat::Bench::Goals::rows($o{bench}->figures)),
        @{$o{sections}};
}

sub write_file {
    my ($file, $text) = @_;

    open my $out, '>', $file or die "$file: $!\n";
    print $out $text;
    close $out or die "$file: $!\n";
    return;
}

# The figures of the last run go between the marks in docs/performance.md, the
# chart beside it.
sub update_docs {
    my ($root) = @_;
    my $docs = "$root/docs/performance";
    my $figures
        = CSChat::Bench::Machine::text("$root/build/bench/results.md");
    my $text = CSChat::Bench::Machine::text("$docs.md");

    $text =~ s/^\Q$begin\E\n\K.*?(?=^\Q$end\E$)/\n$figures\n/ms
        or die "$docs.md has no place for figures\n";
    write_file("$docs.md", $text);
    write_file("$docs.svg",
        CSChat::Bench::Machine::text("$root/build/bench/results.svg"));
    return;
}

1;
