# Protects the fault tests from being blind: the judge finds what is lost,
# doubled or out of order, and a reader every gap that was not announced.

use strict;
use warnings;

use lib 't/lib';
use CSChat::Chaos;
use Test::More;

# Two people and two messages, where all is well but for what is changed.
sub judged {
    my ($change) = @_;
    my %case = (
        history => {chat => [[1, 'A', 'a-1', 'a'], [2, 'B', 'b-1', 'b']]},
        report => {
            violations => [],
            messages => {
                'a-1' => {chat => 'chat', id => 'A', seq => 1},
                'b-1' => {chat => 'chat', id => 'B', seq => 2},
                'b-2' => {chat => 'chat'},
            },
            read => {
                map {
                    $_ => {chat => {1 => ['A', 'a-1'], 2 => ['B', 'b-1']}}
                } qw(a b)
            },
        },
    );

    $change->(@case{qw(history report)});
    my $judge = CSChat::Chaos::Judge->new(%case);
    return join ' ',
        map { "$_ " . @{$judge->wrong($_)} } qw(lost doubled order);
}

is judged(sub { }), 'lost 0 doubled 0 order 0', 'all is well';
is judged(sub { delete $_[1]{read}{a}{chat}{2} }),
    'lost 1 doubled 0 order 0', 'one did not get a message';
is judged(sub { $_[1]{messages}{'b-2'} = {chat => 'chat', id => 'C', seq => 3} }),
    'lost 1 doubled 0 order 0', 'one that was acknowledged is not stored';
is judged(sub { pop @{$_[0]{chat}}; delete $_[1]{read}{$_}{chat}{2} for qw(a b) }),
    'lost 1 doubled 0 order 0', 'and nobody has it';
is judged(sub {
        push @{$_[0]{chat}}, [3, 'C', 'b-1', 'b'];
        $_[1]{read}{$_}{chat}{3} = ['C', 'b-1'] for qw(a b);
    }),
    'lost 0 doubled 3 order 1', 'one is stored and read twice';
is judged(sub { $_[0]{chat}[1][0] = 3 }),
    'lost 2 doubled 0 order 2', 'the history has a gap';
is judged(sub { $_[1]{messages}{'a-1'}{id} = 'X' }),
    'lost 0 doubled 0 order 1', 'another id was acknowledged';
is judged(sub { $_[1]{messages}{'a-1'}{seq} = 2 }),
    'lost 0 doubled 0 order 1', 'another seq was acknowledged';
is judged(sub { $_[1]{read}{a}{chat}{1} = ['X', 'a-1'] }),
    'lost 0 doubled 0 order 1', 'one has another message';
is judged(sub { $_[1]{read}{a}{chat}{3} = ['C', 'c-1'] }),
    'lost 0 doubled 0 order 1', 'one has more than there is';
is judged(sub { $_[1]{violations} = ['a gap'] }),
    'lost 0 doubled 0 order 1', 'what people saw on their way counts';

# What a reader says to steps of [method, arguments]; messages are named by
# their numbers.
sub complains {
    my (@steps) = @_;
    my $journal = CSChat::Chaos::Journal->new;
    my $reader = CSChat::Chaos::Reader->new($journal, 'reader', 'chat');

    for my $step (@steps) {
        my ($method, $seq, $id) = @$step;
        $reader->$method($seq, $id // "id-$seq", "text-$seq");
    }
    return scalar @{$journal->{violations}};
}

my @begun = ([certain => 0], [live => 1]);

is complains(@begun, [live => 2], [live => 3]), 0, 'rising numbers are right';
is complains(@begun, [live => 3]), 1, 'a gap is not';
is complains(@begun, [live => 3], [live => 4]), 1, 'and is told once';
is complains(@begun, ['uncertain', 0], [live => 3]), 0,
    'after a resync there may be one';
is complains(@begun, ['uncertain', 0], [live => 3], [take => 2], [certain => 2],
    [live => 4]), 0, 'what is resumed closes it';
is complains(@begun, ['uncertain', 0], [live => 3], [certain => 3]), 1,
    'resumed, though one did not come';
is complains([live => 2], [take => 1], [certain => 1], [live => 3]), 0,
    'live messages may come before what is resumed';
is complains(@begun, [live => 1]), 0, 'a message may come again';
is complains(@begun, [live => 1, 'other']), 1, 'not another of its number';
is complains(@begun, [live => 2, 'id-1']), 1, 'nor under another number';
is complains([skip_to => 700], [live => 701]), 0,
    'what was too much to resume is no gap';
is complains([skip_to => 700], [live => 702]), 1, 'what comes behind it is';

my $journal = CSChat::Chaos::Journal->new;
$journal->sent('a-1', 'chat', 'a');
$journal->acknowledged('a-1', 0, 'A', 1) for 1, 2;
is @{$journal->{violations}}, 0, 'an acknowledgement may come again';
$journal->acknowledged('a-1', 0, 'B', 1);
is @{$journal->{violations}}, 1, 'it names the same message then';
$journal->acknowledged('a-2', 0, 'B', 1);
is @{$journal->{violations}}, 2, 'and one that was sent';

done_testing;
