# Protects who sees which users, with what, and the status a person sets.

use strict;
use warnings;

use JSON::PP ();
use Test::More;

use lib 't/lib';
use CSChat::Expect;
use CSChat::JWT;
use CSChat::Server;

my $server = CSChat::Server->new(
    worker_env => {CS_CHAT_PRESENCE_GRACE => '0'},
);
my %people = map {
    $_ => $server->client(undef, token => $server->signed_token($_))
} qw(agent1 agent2 customer1 customer2);
my ($agent, $super, $customer) = @people{qw(agent1 agent2 customer1)};

sub names {
    my ($client, $query) = @_;
    my ($status, $json) = $client->get('users' . ($query // ''));

    return $status == 200 && ref $json->{data} eq 'ARRAY'
        ? join ' ', sort map { $_->{username} } @{$json->{data}}
        : "status $status";
}

subtest 'me' => sub {
    for my $username (sort keys %people) {
        my $me = given([$people{$username}->get('users/me')], 200, $username);
        is_user($me, "$username: whole", email => 1);
        is $me->{username}, $username, "$username: it is me";
    }
};

# Those who ask while others are being looked up are looked up together.
subtest 'many ask at once' => sub {
    my $nobody = CSChat::JWT::sign($CSChat::Server::key,
        {userID => unknown_id(), role => 'agent', exp => int(time + 60)});
    my @askers = map {
        {   username => $_,
            token => defined $_ ? $people{$_}->token : $nobody,
            http => $server->connection
        }
    } map { (sort(keys %people), undef) } 1 .. 20;
    my $wrong = 0;

    for my $round (1 .. 5) {
        for (@askers) {
            $_->{http}->write($_->{http}->request_text('GET', '/api/users/me',
                headers => ['Authorization' => "Bearer $_->{token}"]));
        }
        for (@askers) {
            my $answer = $_->{http}->answer;
            my $json = JSON::PP::decode_json($answer->{body});
            $wrong++ if defined $_->{username}
                ? $answer->{status} != 200
                || $json->{data}{username} ne $_->{username}
                : $answer->{status} != 401 || $json->{code} ne 'INVALID_TOKEN';
        }
    }
    is $wrong, 0, 'each gets their own answer';
};

subtest 'who sees whom' => sub {
    is names($customer), 'agent1 agent2', 'a customer sees agents';
    is names($agent), 'agent1 agent2', 'an agent sees agents';
    is names($super), 'agent1 agent2 customer1 customer2',
        'a super-agent sees everyone';

    is names($customer, '?role=customer'), '', 'what one may not see is []';
    is names($agent, '?role=customer'), '', 'for an agent too';
    is names($super, '?role=customer'), 'customer1 customer2',
        'a super-agent sees customers';
    for my $client ($customer, $agent, $super) {
        is names($client, '?role=agent'), 'agent1', 'role=agent';
        is names($client, '?role=super-agent'), 'agent2', 'role=super-agent';
    }
    my ($status, $json, $answer) = $customer->get('users?role=customer');
    like $answer->{body}, qr/"data":\[\]/, 'an empty list is []';
};

subtest 'the e-mail address is one\'s own' => sub {
    for my $client ($customer, $agent, $super) {
        my $me = $client->id;
        for my $user (@{$client->get('users')->{data}}) {
            is_user($user, "$user->{username}", email =>
                    $client == $super || $user->{id} eq $me);
        }
    }
};

subtest 'pages' => sub {
    my @all = split / /, names($super);
    my @paged;
    for my $offset (0 .. 4) {
        my $page = $super->get("users?limit=1&offset=$offset")->{data};
        is @$page, $offset < 4 ? 1 : 0, "offset $offset";
        push @paged, map { $_->{username} } @$page;
    }
    is_deeply [sort @paged], \@all, 'each once';
    is names($super, '?limit=200&offset=2147483647'), '', 'beyond the end';

    for my $query (
        'limit=0', 'limit=201', 'limit=-1', 'limit=x', 'limit=',
        'limit=1.5', 'limit=99999999999999999999', 'offset=-1',
        'offset=x', 'offset=%20', 'role=admin', 'role=',
        'role=%00', 'online=maybe', 'online=', 'online=1',
        'role=%ff', 'role=%zz'
        )
    {
        refused([$super->get("users?$query")], 400, 'INVALID_INPUT', $query);
    }
    is names($super, '?unknown=1&limit=200&x=%ff'), 'status 400',
        'parameters that are not UTF-8';
    is names($super, '?unknown=1'), 'agent1 agent2 customer1 customer2',
        'an unknown parameter is passed over';
};

subtest 'fifty by default' => sub {
    $server->sql(
        "INSERT INTO users (username, email, password_hash, name, role)
         SELECT 'many' || n, 'many' || n || '\@x.y', 'x', 'Many', 'customer'
           FROM generate_series(1, 210) n"
    );
    is @{$super->get('users')->{data}}, 50, 'no limit given';
    is @{$super->get('users?limit=200')->{data}}, 200, 'the highest';
    my %seen = map { $_->{id} => 1 } map {
        @{$super->get("users?limit=100&offset=$_")->{data}}
    } 0, 100, 200;
    is keys %seen, 214, 'pages meet without a gap';
    $server->sql("DELETE FROM users WHERE username LIKE 'many%'");
};

subtest 'online' => sub {
    is names($super, '?online=true'), '', 'nobody at first';
    my %sockets = map { $_ => $people{$_}->websocket } qw(agent1 customer2);
    CSChat::Process::wait_until(5,
        sub { names($super, '?online=true') eq 'agent1 customer2' });

    is names($super, '?online=true'), 'agent1 customer2',
        'those with a socket';
    is names($super, '?online=false'), 'agent2 customer1', 'and without';
    is names($super, '?online=true&role=agent'), 'agent1', 'with a role';
    is names($customer, '?online=true'), 'agent1', 'as far as one may see';
    is names($agent, '?online=false&role=customer'), '',
        'what one may not see stays []';

    my $watcher = $super->websocket;
    my $user = given([$people{agent1}->put('users/status', {isOnline => \0})],
        200, 'hide');
    is_user($user, 'the user', email => 1);
    ok !$user->{isOnline}, 'says offline';
    ok !$people{agent1}->get('users/me')->{data}{isOnline}, 'to oneself too';
    is names($customer, '?online=true'), 'agent2', 'hidden from lists';
    my $agent1 = $people{agent1}->id;
    ok $watcher->expect(
        'user_status_change', undef,
        sub { $_[0]{userId} eq $agent1 && !$_[0]{isOnline} }
        ),
        'others are told';
    ok $sockets{agent1}->ask('ping', {})->{type} eq 'pong',
        'and the socket lives on';

    $user = given([$people{agent1}->put('users/status', {isOnline => \1})],
        200, 'show again');
    ok $user->{isOnline}, 'online again';

    $people{agent1}->put('users/status', {isOnline => \0});
    my $another = $people{agent1}->websocket;
    ok CSChat::Process::wait_until(5,
        sub { names($customer, '?online=true') eq 'agent1 agent2' }),
        'another connection lifts the hiding';

    $user = given([$people{customer1}->put('users/status', {isOnline => \1})],
        200, 'online without a connection');
    ok !$user->{isOnline}, 'makes nobody online';
    is names($super, '?online=true&role=customer'), 'customer2', 'in lists';
};

subtest 'a bad status' => sub {
    for my $body (
        '{}', '{"isOnline":null}', '{"isOnline":"true"}', '{"isOnline":1}',
        '[]', '[true]', 'true', '{"isonline":true}'
        )
    {
        refused([$agent->put('users/status', $body)],
            400, 'INVALID_INPUT', $body);
    }
    refused([$agent->put('users/status', '{"isOnline":"x"}')],
        400, 'INVALID_INPUT', 'the field is named', field => 'isOnline');
};

$server->finish;
done_testing;
