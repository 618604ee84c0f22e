# Protects login, registration, refresh and logout, and which tokens count.

use strict;
use warnings;

use JSON::PP ();
use List::Util qw(min);
use MIME::Base64 qw(encode_base64url decode_base64url);
use Test::More;
use Time::HiRes qw(time);

use lib 't/lib';
use CSChat::Expect;
use CSChat::Server;

my $server = CSChat::Server->new(
    machines => 2,
    directives => 'cs_chat_jwt_leeway 10s; cs_chat_jwt_lifetime 2h;',
    locations => <<'END',
    location /hs512/ {
        cs_chat_jwt_algorithm HS512;
        cs_chat_min_password_length 12;
        cs_chat_api;
    }
END
);
my $anyone = $server->client;

sub login {
    my ($username, $password, $client) = @_;

    return ($client // $anyone)->post('auth/login',
        {username => $username, password => $password});
}

sub registration {
    my (%fields) = @_;

    return {
        username => 'newuser',
        email => 'user@example.com',
        password => 'password123',
        name => 'New User',
        role => 'customer',
        %fields
    };
}

# whether a token is taken
sub with_token {
    my ($token) = @_;

    return [$server->client(undef, token => $token)->get('users/me')];
}

subtest 'login' => sub {
    my %people = (
        agent1 => ['agent', 'Agent One'],
        agent2 => ['super-agent', 'Agent Two'],
        customer1 => ['customer', 'Customer One'],
        customer2 => ['customer', 'Customer Two'],
    );

    for my $username (sort keys %people) {
        my ($status, $json) = login($username, 'password123');
        is $status, 200, "$username logs in";
        is_user($json->{user}, "$username: the user", email => 1);
        is_deeply [@{$json->{user}}{qw(role name)}], $people{$username},
            "$username: role and name";
        ok $json->{user}{isOnline}, "$username is online in the answer";
        ok JSON::PP::is_bool($json->{success}) && $json->{success},
            "$username: success";
        is_deeply $json->{data},
            {token => $json->{token}, user => $json->{user}},
            "$username: the same again in data";
        given(with_token($json->{token}), 200, "$username: the token is good");
    }

    refused([login('agent1', 'password124')], 401, 'INVALID_CREDENTIALS',
        'a wrong password');
    refused([login('agent9', 'password123')], 401, 'INVALID_CREDENTIALS',
        'an unknown user');
    refused([login("agent1' --", 'password123')],
        401, 'INVALID_CREDENTIALS', 'SQL in a user name');
    refused([login('Agent1', 'password123')], 401, 'INVALID_CREDENTIALS',
        'a user name in other letters');
    refused([login('agent1', 'x' x 100_000)], 401, 'INVALID_CREDENTIALS',
        'an endless password');
    refused([$anyone->post('auth/login', {username => 'agent1'})],
        400, 'INVALID_INPUT', 'no password', field => 'password');
    refused([$anyone->post('auth/login', {password => 'password123'})],
        400, 'INVALID_INPUT', 'no user name', field => 'username');
    refused([login(1, 'password123')], 400, 'INVALID_INPUT',
        'a user name that is a number', field => 'username');
    my ($wrong) = map { $_->[1] } [login('agent1', 'wrong')];
    my ($unknown) = map { $_->[1] } [login('nobody', 'wrong')];
    is_deeply $wrong, $unknown, 'wrong and unknown are answered alike';
};

subtest 'an unknown user costs the time of a wrong password' => sub {
    my %fastest;

    for my $username (qw(agent1 nobody)) {
        $fastest{$username} = min map {
            my $start = time;
            login($username, 'wrong');
            time - $start;
        } 1 .. 5;
    }
    cmp_ok $fastest{nobody}, '>', $fastest{agent1} / 2, 'not much less';
    cmp_ok $fastest{nobody}, '<', $fastest{agent1} * 2, 'not much more';
};

subtest 'the token' => sub {
    my $token = (login('agent1', 'password123'))[1]{token};
    my $claims = CSChat::JWT::claims($token);

    is_deeply [sort keys %$claims],
        [qw(exp iat jti role userID username)], 'its claims';
    is $claims->{exp} - $claims->{iat}, 7200, 'it lives as long as configured';
    is_deeply [@$claims{qw(username role)}], [qw(agent1 agent)], 'whose it is';
    like $claims->{userID}, qr/^$uuid$/, 'userID';
    isnt $claims->{jti},
        CSChat::JWT::claims((login('agent1', 'password123'))[1]{token})->{jti},
        'each has a jti of its own';
};

subtest 'tokens that count' => sub {
    my $now = int time;

    given(with_token($server->signed_token('agent1')), 200, 'a good one');
    given(
        with_token($server->signed_token('agent1', exp => $now - 3)),
        200, 'one that ended within the leeway');
    given(
        with_token($server->signed_token('agent1', nbf => $now + 3)),
        200, 'one that begins within the leeway');
    my $endless
        = $server->signed_token('agent1', exp => 9223372036854775807);
    given(with_token($endless), 200, 'one that never ends');
    given([$server->client(undef, token => $endless)->post('auth/logout')],
        200, 'which logout ends');
    refused(with_token($endless), 401, 'INVALID_TOKEN', 'all the same');
    given(with_token($server->signed_token('agent1', other => [{}])),
        200, 'one with more claims');

    my %claims
        = %{CSChat::JWT::claims($server->signed_token('customer1'))};
    delete $claims{jti};
    my $token = CSChat::JWT::sign($CSChat::Server::key, \%claims);
    given(with_token($token), 200, 'one without jti');

    my ($status) = $anyone->get(
        'users/me', undef,
        headers => [Authorization => "bearer   $token"]
    );
    is $status, 200, 'the scheme in any case';
};

subtest 'tokens that do not count' => sub {
    my $key = $CSChat::Server::key;
    my $now = int time;
    my $good = $server->signed_token('agent1');
    my %claims = %{CSChat::JWT::claims($good)};
    my ($header, $body, $signature) = split /\./, $good;
    my $none = encode_base64url('{"alg":"none","typ":"JWT"}');
    my $without = sub {
        my %rest = %claims;
        delete @rest{@_};
        return CSChat::JWT::sign($key, \%rest);
    };
    my $with = sub { CSChat::JWT::sign($key, {%claims, @_}) };
    my $raised = encode_base64url(
        decode_base64url($body) =~ s/"agent"/"super-agent"/r);

    my %bad = (
        'HS384' => CSChat::JWT::sign($key, \%claims, alg => 'HS384'),
        'HS512' => CSChat::JWT::sign($key, \%claims, alg => 'HS512'),
        'HS256 that calls itself HS512' =>
            CSChat::JWT::sign($key, \%claims, header => {alg => 'HS512'}),
        'none, with no signature' => "$none.$body.",
        'none, with a signature' => "$none.$body.$signature",
        'no algorithm' => CSChat::JWT::sign($key, \%claims, header => {}),
        'another key' =>
            CSChat::JWT::sign('another key that is long enough', \%claims),
        'an empty key' => CSChat::JWT::sign('', \%claims),
        'claims changed' => "$header.$raised.$signature",
        'the signature cut' => substr($good, 0, -1),
        'no signature' => "$header.$body",
        'four parts' => "$good.$signature",
        'empty parts' => '..',
        'no token at all' => 'x',
        'not base64url' => "$header.$body.+/==",
        'too long' => "$header." . 'A' x 6000 . ".$signature",
        'claims that are no JSON' => CSChat::JWT::sign($key, 'claims'),
        'claims that are a list' => CSChat::JWT::sign($key, '[]'),
        'expired' => $with->(exp => $now - 60),
        'not yet valid' => $with->(nbf => $now + 60),
        'exp as text' => $with->(exp => '9999999999'),
        'exp below zero' => $with->(exp => -1),
        'exp as a fraction' => CSChat::JWT::sign($key,
            '{"userID":"' . $claims{userID}
                . '","username":"agent1","role":"agent","exp":4e9}'),
        'exp beyond numbers' => CSChat::JWT::sign($key,
            '{"userID":"' . $claims{userID}
                . '","username":"agent1","role":"agent","exp":1'
                . '0' x 30 . '}'),
        'no exp' => $without->('exp'),
        'no user' => $without->('userID'),
        'no role' => $without->('role'),
        'a role that there is not' => $with->(role => 'admin'),
        'a user id that is none' => $with->(userID => 'agent1'),
        'a user who is not there' => $with->(userID => unknown_id()),
    );
    for my $name (sort keys %bad) {
        refused(with_token($bad{$name}), 401, 'INVALID_TOKEN', $name);
    }

    refused([$anyone->get('users/me')], 401, 'AUTH_REQUIRED', 'none');
    for my $header ('Basic dTpw', 'Bearer', $good) {
        my ($status) = $anyone->get('users/me', undef,
            headers => [Authorization => $header]);
        is $status, 401, 'Authorization: ' . substr $header, 0, 10;
    }
    refused([$anyone->get("users/me?token=$good")],
        401, 'AUTH_REQUIRED', 'a token in the query is for sockets');
    refused(
        with_token($with->(role => 'super-agent', userID => unknown_id())),
        401, 'INVALID_TOKEN', 'an unknown super-agent');
};

subtest 'another algorithm, where it is configured' => sub {
    my ($status, $json) = $anyone->post('/hs512/auth/login',
        {username => 'agent1', password => 'password123'});
    my $get = sub {
        return [$server->client(undef, token => $_[0])
                ->get('/hs512/users/me')];
    };

    is $status, 200, 'a login';
    like decode_base64url((split /\./, $json->{token})[0]), qr/"HS512"/,
        'signs with it';
    given($get->($json->{token}), 200, 'its token is good here');
    refused(with_token($json->{token}), 401, 'INVALID_TOKEN',
        'and not elsewhere');
    refused($get->($server->signed_token('agent1')), 401, 'INVALID_TOKEN',
        'nor one from there here');
};

subtest 'the smallest password, where it is configured' => sub {
    my %new = (email => 'p@x.y', username => 'longer', name => 'L');
    refused(
        [   $anyone->post('/hs512/auth/register',
                {%new, password => 'x' x 11})
        ],
        400, 'INVALID_INPUT', 'eleven characters', field => 'password');
    given(
        [   $anyone->post('/hs512/auth/register',
                {%new, password => 'x' x 12})
        ],
        201, 'twelve');
};

subtest 'a ticket' => sub {
    my $agent = $server->client('agent1');
    my ($first, $second) = map {
        given([$agent->post('auth/ws-ticket')], 200, 'a ticket')
    } 1, 2;

    like $first->{ticket}, qr/^[\w-]{20,}$/, 'fits into a URL';
    is $first->{expiresIn}, 30, 'expiresIn';
    isnt $first->{ticket}, $second->{ticket}, 'each is another';
    refused(with_token($first->{ticket}), 401, 'INVALID_TOKEN',
        'and no token');
    refused([$anyone->post('auth/ws-ticket')], 401, 'AUTH_REQUIRED',
        'not without one');
};

subtest 'a role is the database\'s, not the token\'s' => sub {
    my $token = $server->signed_token('customer1', role => 'super-agent');
    my $raised = $server->client(undef, token => $token);
    my @others = grep { $_->{role} eq 'customer' }
        @{$raised->get('users')->{data} // []};

    is @others, 0, 'other customers stay unseen';
    my ($status) = $raised->post('auth/register',
        registration(username => 'raised', role => 'agent'));
    is $status, 403, 'no agent is made';
};

subtest 'registration' => sub {
    my ($status, $json) = $anyone->post('auth/register', registration());
    is $status, 201, 'the seed\'s example';
    is_user($json->{user}, 'the user', email => 1);
    is $json->{user}{role}, 'customer', 'a customer';
    is_deeply $json->{data}, {token => $json->{token}, user => $json->{user}},
        'the same in data';
    given(with_token($json->{token}), 200, 'the token is good');
    is((login('newuser', 'password123'))[0], 200, 'and the password');

    my $fields = registration(
        username => 'a_Z',
        email => 'Some.One+1@x.y',
        name => "\x{1F600}" x 100
    );
    delete $fields->{role};
    my $user
        = given([$anyone->post('auth/register', $fields)], 201, 'the shortest')
        ->{user};
    is $user->{role}, 'customer', 'customer is the default';
    is $user->{name}, "\x{1F600}" x 100, 'a name of 100 code points';
    given(
        [   $anyone->post('auth/register',
                registration(
                    username => 'x' x 50,
                    email => 'a' x 94 . '@b.com',
                    password => "\x{e9}" x 128))
        ],
        201, 'the longest');
    is((login('x' x 50, "\x{e9}" x 128))[0], 200, 'its password is good');
};

subtest 'registrations that are refused' => sub {
    my %bad = (
        username => [
            undef, '', 'ab', 'x' x 51, 'a b', 'a-b', "a\x{e4}b",
            "abc\n", 12345, ['abc']
        ],
        email => [
            undef, '', 'a@', '@b', 'ab', 'a@b@c', 'a b@c', "a\@b\t",
            'a' x 95 . '@b.com', 7
        ],
        password => [undef, '', 'x' x 7, 'x' x 129, "\x{1F600}" x 7, 12345678],
        name => [undef, '', 'x' x 101, {}],
        role => ['admin', '', 'Customer', 1],
    );
    my $n = 0;
    for my $field (sort keys %bad) {
        for my $value (@{$bad{$field}}) {
            my $fields = registration(
                username => 'fresh' . ++$n,
                email => "fresh$n\@example.com",
                $field => $value
            );
            refused(
                [$anyone->post('auth/register', $fields)],
                400,
                'INVALID_INPUT',
                "$field: "
                    . substr(JSON::PP->new->ascii->allow_nonref
                        ->encode($value), 0, 20),
                field => $field
            );
        }
    }

    refused(
        [   $anyone->post('auth/register',
                registration(email => 'other@example.com'))
        ],
        409, 'CONFLICT', 'a user name that is taken', field => 'username');
    refused(
        [   $anyone->post('auth/register',
                registration(username => 'other', email => 'USER@Example.COM'))
        ],
        409, 'CONFLICT', 'an e-mail that is taken, in other letters',
        field => 'email');
    is $server->sql("SELECT count(*) FROM users WHERE username LIKE 'fresh%'"),
        0, 'nothing of it was stored';
};

subtest 'who may create whom' => sub {
    my %makers = (
        anyone => $anyone,
        customer => $server->client('customer1'),
        agent => $server->client('agent1'),
        'super-agent' => $server->client('agent2'),
    );
    my $n = 0;
    for my $maker (sort keys %makers) {
        for my $role (qw(customer agent super-agent)) {
            my @answer = $makers{$maker}->post(
                'auth/register',
                registration(
                    username => 'made' . ++$n,
                    email => "made$n\@example.com",
                    role => $role
                )
            );
            if ($role eq 'customer' || $maker eq 'super-agent') {
                my $data = given(\@answer, 201, "$maker: $role");
                is $data->{user}{role}, $role, "$maker: the role is $role";
            } else {
                refused(\@answer, 403, 'ACCESS_DENIED', "$maker: $role");
            }
        }
    }

    my $bad = $server->client(undef, token => 'bad');
    refused(
        [   $bad->post('auth/register',
                registration(username => 'bad', email => 'bad@x.y'))
        ],
        401, 'INVALID_TOKEN', 'a bad token');
};

subtest 'two registrations at once' => sub {
    my @connections = map { $server->connection(machine => $_) } 0, 1, 0, 1;
    my $body = JSON::PP->new->encode(
        registration(username => 'twins', email => 'twins@example.com'));

    $_->write(
        $_->request_text('POST', '/api/auth/register', body => $body))
        for @connections;
    is_deeply [sort map { $_->answer->{status} } @connections],
        [201, 409, 409, 409], 'one wins';
};

subtest 'refresh' => sub {
    my $first = (login('agent1', 'password123'))[1];
    my $agent = $server->client(undef, token => $first->{token});
    my ($status, $json) = $agent->post('auth/refresh');

    is $status, 200, 'a token for a token';
    isnt $json->{token}, $first->{token}, 'a fresh one';
    is_user($json->{user}, 'with the user', email => 1);
    is_deeply $json->{data}, {token => $json->{token}, user => $json->{user}},
        'as login has it';
    given(with_token($json->{token}), 200, 'the new one is good');
    given(with_token($first->{token}), 200, 'and so is the old one');
    refused([$anyone->post('auth/refresh')], 401, 'AUTH_REQUIRED',
        'not without a token');

    given(
        [$server->client(undef, token => $json->{token})->post('auth/logout')],
        200, 'logout of the new one');
    given(with_token($first->{token}), 200, 'leaves the old one alone');
};

subtest 'logout' => sub {
    my @places
        = map { my $m = $_; map { [$m, $_] } $server->nginx_pids($m) } 0, 1;
    is @places, 4, 'two processes on each of two machines';

    for my $kind ('with jti', 'without jti') {
        my %claims = %{CSChat::JWT::claims($server->signed_token('agent1'))};
        delete $claims{jti} if $kind eq 'without jti';
        $claims{iat} -= 7;
        my $token = CSChat::JWT::sign($CSChat::Server::key, \%claims);
        my @clients = map {
            $server->client(undef,
                token => $token, machine => $_->[0], pid => $_->[1])
        } @places;
        my $socket = $clients[-1]->websocket;

        my ($status, $json) = $clients[0]->post('auth/logout');
        is $status, 200, "$kind: logout";
        like $json->{message}, qr/\w/, "$kind: with a message";
        is $socket->close_code, 4002, "$kind: its socket elsewhere is closed";
        refused([$_->get('users/me')], 401, 'INVALID_TOKEN',
            "$kind: refused on every process")
            for @clients;
        refused([$clients[1]->post('auth/logout')], 401, 'INVALID_TOKEN',
            "$kind: a second logout");
    }

    given(with_token($server->token('agent1')),
        200, 'another token of the user stays');

    my $token = $server->signed_token('agent1');
    given([$server->client(undef, token => $token)->post('auth/logout')],
        200, 'one more logout');
    my @old = $server->reload_nginx(1);
    CSChat::Process::wait_until(10,
        sub { !grep { kill 0, $_ } @old });
    for my $pid ($server->nginx_pids(1)) {
        refused(
            [   $server->client(undef,
                    token => $token, machine => 1, pid => $pid)
                    ->get('users/me')
            ],
            401, 'INVALID_TOKEN', 'a process started later knows too');
    }
};

subtest 'no secret in a log' => sub {
    for my $name (qw(nginx-0 nginx-1 worker-1)) {
        my $log = $server->log_text($name);
        unlike $log, qr/password12|eyJ[A-Za-z0-9_-]{20}/, $name;
    }
};

$server->finish;
done_testing;
