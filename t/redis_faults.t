# Protects the chat from what Redis does to its clients: whatever that is, both
# sides come back by themselves, sockets are told to look again where they may
# have missed something and not otherwise, no request hangs, a message that is
# repeated is stored once, and no descriptor is left.

use strict;
use warnings;

use Test::More;

use lib 't/lib';
use CSChat::Expect;
use CSChat::Server;
use CSChat::Talk;
use CSChat::Process qw(wait_until);

my $server = CSChat::Server->new(
    nginx_workers => 1,
    directives => 'cs_chat_request_timeout 1500ms;',
);
my $talk = CSChat::Talk->new($server);
my @links = sort keys %CSChat::Talk::links;

is_deeply [map { scalar $talk->connections($_) } @links], [1, 1, 1, 1],
    'each link has a name';

$talk->fault('Redis is started again', sub {
    my ($try) = @_;

    $server->stop_part('redis');
    $try->();
    $server->start_redis;
}, resync => 1);

$talk->fault('the link for commands is cut', sub {
    is $talk->cut('nginx-commands'), 1, 'cut';
});

# A ticket comes over the same link, so that the request was heard by then.
subtest 'a chat worker has heard a request when the link for commands is cut' => sub {
    my $http = $server->connection;

    $server->freeze_part('worker-1');
    $http->write($http->request_text('POST', "/api/chats/$talk->{chat}/messages",
        headers => [Authorization => 'Bearer ' . $talk->{agent}->token,
            'Content-Type' => 'application/json'],
        body => '{"content":"heard"}'));
    given([$talk->{agent}->post('auth/ws-ticket')], 200, 'Redis has taken it');
    is $talk->cut('nginx-commands'), 1, 'cut';
    $server->thaw_part('worker-1');
    is $http->answer->{status}, 201, 'it is answered over the other link';
    ok $talk->{there}->expect('new_message', 10,
        sub { $_[0]{content} eq 'heard' }), 'and heard by others';
    $server->wait_ready;
};

$talk->fault('the link for subscriptions is cut', sub {
    is $talk->cut('nginx-subscriptions'), 1, 'cut';
}, resync => 1);

$talk->fault("the chat worker's publisher is cut", sub {
    is $talk->cut('worker-publisher'), 1, 'cut';
    ok wait_until(5, sub { $talk->connections('worker-publisher') }), 'back';
});

$talk->fault("the chat worker's subscriber is cut", sub {
    my ($try) = @_;

    is $talk->cut('worker-subscriber'), 1, 'cut';
    $try->();
});

$talk->fault('all are cut, again and again', sub {
    my ($try) = @_;

    for (1 .. 10) {
        $talk->cut(@links);
        $try->();
    }
    # as many as there were are there
    ok wait_until(10, sub {
        !grep { $talk->connections($_) != 1 } @links
    }), 'each is there once';
    $server->wait_ready;
    $_->drain for @$talk{qw(here there)};  # a resync for each time
    $talk->cut('nginx-subscriptions');
}, resync => 1);

$talk->fault('the chat worker does not read', sub {
    my ($try) = @_;
    my $limit = 'client-output-buffer-limit';
    my $usual = $server->redis('CONFIG', 'GET', $limit)->[1];
    my ($id) = $talk->connections('worker-subscriber');

    $server->redis('CONFIG', 'SET', $limit, 'pubsub 256kb 256kb 0');
    $server->freeze_part('worker-1');
    for my $n (1 .. 100) {
        my $http = $server->connection;
        my $content = 'x' x 9000;
        $http->write($http->request_text('POST', "/api/chats/$talk->{chat}/messages",
            headers => [Authorization => 'Bearer ' . $talk->{agent}->token,
                'Content-Type' => 'application/json'],
            body => qq({"content":"$content"})));
        last if !grep { $_ == $id } $talk->connections('worker-subscriber');
    }
    ok !(grep { $_ == $id } $talk->connections('worker-subscriber')),
        'Redis cuts it off';
    $try->();
    $server->thaw_part('worker-1');
    $server->redis('CONFIG', 'SET', $limit, $usual);
});

$talk->fault('the password is changed for a time', sub {
    my ($try) = @_;

    $server->redis('CONFIG', 'SET', 'requirepass', 'secret');
    $talk->cut(@links);
    ok $server->wait_log('nginx-0',
        qr/refused the connection for subscriptions: NOAUTH/),
        'nginx logs why';
    ok $server->wait_log('worker-1', qr/"Redis refuses".*"reason":"NOAUTH/),
        'the chat worker too';
    $try->();
    is $server->client->get('/health/ready')->{redis}, 'unavailable',
        'nginx is not ready';
    $server->redis('CONFIG', 'SET', 'requirepass', '');
}, resync => 1);

$talk->fault('Redis is made a replica for a time', sub {
    my ($try) = @_;

    $server->redis('REPLICAOF', '127.0.0.1', 1);
    ok $server->wait_log('nginx-0', qr/is given up: it is a replica/, 10),
        'nginx leaves it';
    ok $server->wait_log('worker-1', qr/"reason":"it is a replica"/, 10),
        'the chat worker too';
    $try->();
    is $server->client->get('/health/ready')->{redis}, 'unavailable',
        'nginx is not ready';

    # one that has lost its master, and says so
    $server->redis('CONFIG', 'SET', 'replica-serve-stale-data', 'no');
    ok $server->wait_log('nginx-0',
        qr/refused the connection for commands: MASTERDOWN|(?:given up: it is a replica.*){3}/s),
        'nor does it come back';
    $server->redis('CONFIG', 'SET', 'replica-serve-stale-data', 'yes');
    $server->redis('REPLICAOF', 'NO', 'ONE');
}, resync => 'perhaps');

$talk->fault('Redis has no memory left', sub {
    my $leaver = $server->client(undef,
        token => $server->signed_token('customer2'));

    $server->redis('CONFIG', 'SET', 'maxmemory', 1);
    is $talk->attempt($talk->{there}, $talk->content), 'message_ack',
        'messages go on';
    refused([$talk->{agent}->post('auth/ws-ticket')], 503, 'BACKEND_UNAVAILABLE',
        'there is no ticket');
    refused([$leaver->post('auth/logout')], 503, 'BACKEND_UNAVAILABLE',
        'nor a logout');
    like $server->log_text('nginx-0'),
        qr/\[error\].*Redis refused a command: OOM/, 'the log says why';
    $talk->cut('nginx-commands');
    $server->wait_ready;
    $server->redis('CONFIG', 'SET', 'maxmemory', 0);
    given([$talk->{agent}->post('auth/ws-ticket')], 200, 'then there is one');
});

$server->finish;
done_testing;
