# Protects what a remembered token may never do: outlive its end, a logout or a
# change of role, count where another key signs, or speak for somebody else.

use strict;
use warnings;

use Test::More;
use Time::HiRes qw(time);

use lib 't/lib';
use CSChat::Expect;
use CSChat::JWT;
use CSChat::Server;
use CSChat::Process qw(wait_until);

my $other_key = 'another-key-of-another-location-0123456789';
my $room = 2;
my $server = CSChat::Server->new(
    nginx_workers => 1,
    directives => sub {"cs_chat_token_cache $room; cs_chat_jwt_leeway 0s;"},
    locations => <<"END",
    location /other/ {
        cs_chat_jwt_key '$other_key';
        cs_chat_api;
    }
    location /hs512/ {
        cs_chat_jwt_algorithm HS512;
        cs_chat_api;
    }
END
);

# What users/me answers to a token, in the API or below another prefix.
sub me {
    my ($token, $prefix) = @_;

    return [$server->client(undef, token => $token)
            ->get(($prefix // '') . 'users/me')];
}

sub taken {
    my ($token, $username, $name) = @_;
    my ($status, $json) = @{me($token)};

    local $Test::Builder::Level = $Test::Builder::Level + 1;
    is_deeply [$status, $json->{data}{username}], [200, $username], $name;
    return;
}

sub refused_token {
    my ($token, $name, $prefix) = @_;

    local $Test::Builder::Level = $Test::Builder::Level + 1;
    refused(me($token, $prefix), 401, 'INVALID_TOKEN', $name);
    return;
}

subtest 'a token that was used before' => sub {
    my $token = $server->signed_token('agent1');

    taken($token, 'agent1', "use $_") for 1 .. 3;

    my $socket = CSChat::WebSocket->connect($server, token => $token);
    is $socket->expect('connected')->{data}{userId},
        $server->client(undef, token => $token)->id, 'a WebSocket too';
    $socket->send('auth', {token => $token});
    ok $socket->expect('authenticated'), 'and an auth event';
    $socket->close;

    my ($head, $body, $signature) = split /\./, $token;
    substr $signature, 0, 1, substr($signature, 0, 1) eq 'A' ? 'B' : 'A';
    refused_token("$head.$body.$signature", 'the same with another signature');
    refused_token("$head.$body.", 'and with none');
    taken($token, 'agent1', 'which harms the token itself in nothing');
};

subtest 'more people than room' => sub {
    my @people = qw(agent1 agent2 customer1 customer2);
    my %token = map { $_ => $server->signed_token($_) } @people;

    for my $round (1 .. 3) {
        taken($token{$_}, $_, "round $round: $_") for @people;
    }
    for (1 .. 3) {
        taken($token{$_}, $_, "$_ and one who is remembered")
            for $people[0], $people[$_];
    }
};

subtest 'a logout' => sub {
    my $token = $server->signed_token('agent1');

    taken($token, 'agent1', 'before');
    given([$server->client(undef, token => $token)->post('auth/logout')], 200,
        'logout');
    refused_token($token, 'after');
    refused_token($token, 'and later');
};

subtest 'a change of role' => sub {
    my $token = $server->signed_token('customer2');

    taken($token, 'customer2', 'before');
    $server->sql("UPDATE users SET role = 'agent' WHERE username = 'customer2'");
    ok wait_until(10, sub { me($token)->[0] == 401 }), 'it is refused then';
};

subtest 'its times' => sub {
    my $end = int(time) + 2;
    my $token = $server->signed_token('agent1', exp => $end);

    taken($token, 'agent1', 'before its end');
    ok wait_until(10, sub { me($token)->[0] == 401 }), 'it ends';
    cmp_ok time, '>=', $end - 0.01, 'not before its time';
    refused_token($token, 'and stays so');

    my $begin = int(time) + 2;
    my $early = $server->signed_token('agent1', nbf => $begin);
    refused_token($early, 'too early');
    ok wait_until(10, sub { me($early)->[0] == 200 }), 'it begins';
    taken($early, 'agent1', 'and stays so');
};

subtest 'another key, another algorithm' => sub {
    my $token = $server->signed_token('agent1');
    my $other = CSChat::JWT::sign($other_key, CSChat::JWT::claims($token));

    taken($token, 'agent1', 'at its own location');
    refused_token($token, 'not at one with another key', '/other/');
    refused_token($token, 'nor with another algorithm', '/hs512/');
    given(me($other, '/other/'), 200, 'the same claims by that key');
    refused_token($other, 'which count there alone');
    taken($token, 'agent1', 'as before');
};

subtest 'nothing is remembered' => sub {
    $room = 0;
    my @before = $server->reload_nginx(0);
    ok wait_until(20, sub {
        my @now = $server->nginx_pids(0);
        return @now == 1 && $now[0] != $before[0];
    }), 'reload';
    $server->wait_ready;

    my $token = $server->signed_token('agent1');
    taken($token, 'agent1', "use $_") for 1 .. 2;
    given([$server->client(undef, token => $token)->post('auth/logout')], 200,
        'logout');
    refused_token($token, 'refused after it');
};

$server->finish;
done_testing;
