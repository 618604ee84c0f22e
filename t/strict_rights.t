# The strict way, by the very lines of docs/operations.md: a role that owns the
# tables and one that serves, and users of Redis that may do what they must.
# All of the chat works with it, and --check tells what is missing.

use strict;
use warnings;

use Test::More;

use lib 't/lib';
use CSChat::File qw(read_file write_file);
use CSChat::Server;
use CSChat::Process qw(wait_until);

my %documented = documented();
my $redis;
my $server = CSChat::Server->new(
    only => [qw(redis postgres)],
    empty_database => 1,
    directives => sub {
        return "cs_chat_redis unix:$redis user=chat_nginx"
            . ' password_file=' . password_file('SECRET1') . ';';
    },
);
my %as_worker = (
    REDIS_URL => 'unix://chat_worker@' . ($redis = $server->redis_socket),
    CS_CHAT_REDIS_PASSWORD_FILE => password_file('SECRET2'),
);

# What the document says: the SQL before and after the migration, and the
# users of Redis.
sub documented {
    my $text = read_file('docs/operations.md');
    my ($before, $after)
        = $text =~ /```sql\n(CREATE ROLE chat_owner.*?)-- after[^\n]*\n(.*?)```/s
        or die "no strict way\n";
    my @users = $text =~ /^(user (?:default|chat_\w+) .*)$/mg;

    return (before => $before, after => $after, users => \@users);
}

sub password_file {
    my ($secret) = @_;

    return write_file("$server->{dir}/$secret", $secret);
}

# The database as a role.
sub url {
    my ($role) = @_;
    my $url = $server->database_url;

    $url =~ s/user=postgres/user=$role/ or die "$url\n";
    return $url;
}

# Statements one by one: CREATE DATABASE wants no transaction.
sub run_sql {
    my ($role, $database, $sql) = @_;

    for my $statement (grep {/\S/} split /;\n/, $sql) {
        my @command = $server->psql;
        my %at = map { $command[$_] => $_ + 1 } 0 .. $#command;
        $command[$at{'-U'}] = $role;
        $command[$at{'-d'}] = $database;
        system(@command, '-c', $statement) == 0 or die "failed: $statement\n";
    }
    return;
}

# The worker's program once, as a role: its exit code and what it says.
sub as {
    my ($role, $mode) = @_;

    local $server->{worker_env} = {%as_worker, DATABASE_URL => url($role)};
    return $server->run_worker($mode);
}

# A user of Redis by its line, but for some rules of it.
sub set_user {
    my ($line, @without) = @_;
    my %without = map { $_ => 1 } @without;
    my (undef, $name, @rules) = split ' ', $line;

    unshift @rules, 'reset' if $name ne 'default';    # which is the administrator
    $server->redis('ACL', 'SETUSER', $name, grep { !$without{$_} } @rules);
    return;
}

$server->redis('PING');    # stays the administrator's
my $listener = $server->redis_connection;
$listener->command('PSUBSCRIBE', '*');
run_sql('postgres', 'postgres', 'DROP DATABASE cs_socket');
run_sql('postgres', 'postgres', $documented{before});
set_user($_) for @{$documented{users}};

subtest 'what is missing in PostgreSQL' => sub {
    my ($rc, $said) = as('chat_owner', '--migrate');
    is $rc, 0, 'the owner migrates' or diag $said;

    ($rc, $said) = as('chat_worker', '--check');
    is $rc, 1, 'the other one may nothing yet';
    like $said, qr/^error rights in PostgreSQL: lacks USAGE on schema cs_chat;/m, 'says so';

    run_sql('chat_owner', 'cs_socket', $documented{after});
    ($rc, $said) = as('chat_worker', '--check');
    is $rc, 0, 'with what is documented' or diag $said;
    like $said, qr/^ok +rights in PostgreSQL: all that are needed$/m,
        'it may all it must';

    run_sql('chat_owner', 'cs_socket',
        'REVOKE UPDATE ON cs_chat.shards FROM chat_worker');
    ($rc, $said) = as('chat_worker', '--check');
    like $said, qr/^error rights in PostgreSQL: lacks UPDATE on cs_chat\.shards$/m,
        'a single one is named';
    run_sql('chat_owner', 'cs_socket', $documented{after});
};

subtest 'what is missing in Redis' => sub {
    my ($line) = grep {/^user chat_worker /} @{$documented{users}};
    my @rights = grep {/^[+~&]/} split ' ', $line;
    my @heard;

    cmp_ok scalar @rights, '>=', 7, 'the document has rights';
    for my $missing (map({ [$_] } @rights), ['+hset', '+publish'], ['+hset', '~cs_chat:roles']) {
        set_user($line, @$missing);
        my ($rc, $said) = as('chat_worker', '--check');
        my @told = grep { !/^~/ || @$missing == 1 } @$missing;
        my $told = join ' ', @told;
        like $said, qr/^error rights in Redis: lacks \Q$told\E$/m, "without @$missing";
        is $rc, 1, 'it fails';
        like $said, qr/^ok +Redis: unix:/m, 'though it gets in';
    }
    for my $channels ('&cs_chat:rep:*', '&cs_chat:events') {
        set_user("$line $channels", '&cs_chat:*');
        like +(as('chat_worker', '--check'))[1],
            qr/^error rights in Redis: lacks &cs_chat:\*$/m, "with $channels alone";
    }

    set_user($line);
    my ($rc, $said) = as('chat_worker', '--check');
    is $rc, 0, 'with what is documented' or diag $said;
    like $said, qr/^ok +rights in Redis: all that are needed$/m, 'it may all it must';

    $server->redis('PUBLISH', 'the end', '');
    while (my $message = $listener->reply) {
        last if $message->[2] eq 'the end';
        push @heard, $message->[2];
    }
    is_deeply [grep { !/^cs_chat:rep:/ } @heard], [], 'nobody has heard of it';
    is $server->redis('EXISTS', 'cs_chat:roles'), 0, 'nothing was written';
    is_deeply $server->redis('PUBSUB', 'CHANNELS'), [], 'nobody listens any more';
};

subtest 'it serves' => sub {
    my ($rc, $said) = as('chat_owner', '--seed');
    is $rc, 0, 'sample users' or diag $said;

    $server->start_worker(1, %as_worker, DATABASE_URL => url('chat_worker'));
    $server->start_nginx(0);
    $server->wait_ready;

    my ($status) = $server->client->post('auth/register',
        {username => 'newcomer', email => 'n@example.com', name => 'New',
            password => 'password123'});
    is $status, 201, 'somebody registers';

    my $customer = $server->client('customer1');
    my $agent = $server->client('agent1');
    my $there = $server->websocket('agent1');
    my $here = $server->websocket('customer1');
    my $chat = $customer->new_chat(agentId => $agent->id);

    $there->expect('new_chat');
    $here->send(send_message => {chatId => $chat, content => 'Hello', clientId => 'c1'});
    is $here->expect('message_ack')->{data}{seq}, 1, 'a message is stored';
    ok $there->expect('new_message'), 'and heard';
    $there->send(typing_start => {chatId => $chat});
    ok $here->expect('user_typing'), 'who writes is shown';
    $there->send(mark_read => {chatId => $chat, seq => 1});
    ok $here->expect('messages_read'), 'what is read is marked';
    is(($agent->put("chats/$chat/status", {status => 'closed'}))[0], 200,
        'the chat is closed');
    is(($agent->put('users/status', {isOnline => \0}))[0], 200,
        'one hides');
    is(($agent->post('auth/ws-ticket'))[0], 200, 'a ticket');
    is(($agent->delete("chats/$chat"))[0], 200,
        'the chat is deleted');
    is(($customer->post('auth/logout'))[0], 200, 'logout');
    is(($customer->get('users/me'))[0], 401, 'after which the token is void');

    $server->sql("UPDATE users SET role = 'super-agent' WHERE username = 'agent1'");
    ok wait_until(10, sub { ($agent->get('users/me'))[0] == 401 }),
        'a changed role takes effect';

    $_->close for $here, $there;
};

$server->finish;
done_testing;
