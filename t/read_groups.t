# Protects reads that go to PostgreSQL as a group: each asker gets their own
# answer, and what befalls one of a group befalls none of its neighbours.

use strict;
use warnings;

use JSON::PP ();
use Test::More;

use lib 't/lib';
use CSChat::Expect;
use CSChat::Server;
use CSChat::Process qw(wait_until);

my $server = CSChat::Server->new(
    only => [qw(redis postgres)],
    worker_env => {CS_CHAT_READERS => 1, CS_CHAT_STATEMENT_TIMEOUT => '1s'},
    allow => [qr/a statement failed/, qr/PostgreSQL session lost/],
);

# chats_get as it is, but for chats of a status of their own.
$server->seed;
$server->sql(<<'SQL');
ALTER FUNCTION cs_chat.chats_get RENAME TO chats_got;
CREATE FUNCTION cs_chat.chats_get(p_caller UUID, p_chat UUID)
RETURNS SETOF cs_chat.outcome
LANGUAGE plpgsql
AS $$
DECLARE
    fate TEXT := (SELECT f.fate FROM public.fates f WHERE f.chat = p_chat);
BEGIN
    IF fate = 'fails' THEN
        RAISE EXCEPTION 'as was to be';
    ELSIF fate = 'hangs' THEN
        PERFORM pg_sleep(10);
    END IF;
    RETURN QUERY SELECT * FROM cs_chat.chats_got(p_caller, p_chat);
END
$$;
CREATE TABLE public.fates (chat UUID PRIMARY KEY, fate TEXT);
SQL
$server->start_worker(1);
$server->start_nginx(0);
$server->wait_ready;

my $customer
    = $server->client(undef, token => $server->signed_token('customer1'));
my @chats = map { $customer->post('chats', {})->{data}{id} } 1 .. 6;
my @connections = map { $server->connection } 1 .. 40;

sub fate {
    my ($chat, $fate) = @_;

    $server->sql("INSERT INTO fates VALUES ('$chat', '$fate')"
            . ' ON CONFLICT (chat) DO UPDATE SET fate = excluded.fate');
    return;
}

# Asks for chats over all connections at once; how often each answer came, as
# "3 200, 2 500".  An answer about another chat counts as wrong.
sub ask {
    my ($ids, $meanwhile) = @_;
    my @ids = @$ids;
    my %count;

    for my $i (0 .. $#connections) {
        $connections[$i]->write($connections[$i]->request_text('GET',
            "/api/chats/$ids[$i % @ids]",
            headers => ['Authorization' => 'Bearer ' . $customer->token]));
    }
    $meanwhile->() if $meanwhile;
    for my $i (0 .. $#connections) {
        my $answer = $connections[$i]->answer;
        my $json = JSON::PP::decode_json($answer->{body});
        my $right = $answer->{status} != 200
            || $json->{data}{id} eq $ids[$i % @ids];
        $count{$right ? $answer->{status} : 'wrong'}++;
    }
    return join ', ', map {"$count{$_} $_"} sort keys %count;
}

subtest 'each their own' => sub {
    is ask([@chats[0 .. 3]]), '40 200', "round $_" for 1 .. 3;
    is ask([@chats[0 .. 2], unknown_id()]), '30 200, 10 404',
        'with some that there are not';
};

subtest 'some fail' => sub {
    fate($chats[4], 'fails');
    is ask([@chats[0 .. 4]]), '32 200, 8 500', "round $_" for 1 .. 3;
    is ask([$chats[4]]), '40 500', 'all of them';
    is ask([$chats[0]]), '40 200', 'none';
};

# Its statement is prepared in the very group in which another one fails.
subtest 'the first of its kind' => sub {
    my %asked = map { $_ => $server->connection } 'users', 'available-agents',
        "chats/$chats[0]/messages", 'archived-chats';

    ask([$chats[4]], sub {
        $asked{$_}->write($asked{$_}->request_text('GET', "/api/$_",
            headers => ['Authorization' => 'Bearer ' . $customer->token]))
            for keys %asked;
    });
    is_deeply {map { $_ => $asked{$_}->answer->{status} } keys %asked},
        {map { $_ => 200 } keys %asked}, 'each is answered';
};

subtest 'one hangs' => sub {
    fate($chats[5], 'hangs');
    my $hung = $server->connection;
    $hung->write($hung->request_text('GET', "/api/chats/$chats[5]",
        headers => ['Authorization' => 'Bearer ' . $customer->token]));
    is ask([@chats[0 .. 3]]), '40 200', 'the others are answered';
    is $hung->answer->{status}, 503, 'it is given up';
};

subtest 'the session breaks under a group' => sub {
    my $sleeping = q{FROM pg_stat_activity WHERE wait_event = 'PgSleep'};

    fate($chats[5], 'hangs');
    is ask([@chats[0 .. 3], $chats[5]], sub {
        ok wait_until(10, sub { $server->sql("SELECT pid $sleeping") }),
            'it is at work';
        fate($chats[5], 'none');
        $server->sql("SELECT pg_terminate_backend(pid) $sleeping");
    }), '40 200', 'all are asked for again';
    is ask([@chats[0 .. 3]]), '40 200', 'and the session is back';
};

$server->finish;
done_testing;
