# What every REST answer owes its client, checked in one line.

package CSChat::Expect;

use strict;
use warnings;

use Exporter qw(import);
use JSON::PP ();

use CSChat::Client;

our @EXPORT = qw(refused given is_user is_chat is_message new_user ids
    unknown_id $uuid $time);

our $uuid = qr/[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}/;
our $time = qr/\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?Z/;

my $users = 0;

# refused([$client->get(...)], 404, 'CHAT_NOT_FOUND', 'name', field => 'x'):
# the envelope of an error, whole.
sub refused {
    my ($got, $status, $code, $name, %o) = @_;
    my ($is, $json, $answer) = @$got;
    my @wrong;

    local $Test::Builder::Level = $Test::Builder::Level + 1;
    push @wrong, "status $is, not $status" if $is != $status;
    push @wrong, content_type($answer);
    if (ref $json ne 'HASH') {
        push @wrong, "body: $answer->{body}";
    } else {
        push @wrong, 'success' unless is_false($json->{success});
        push @wrong, 'code ' . ($json->{code} // 'undef')
            if ($json->{code} // '') ne $code;
        push @wrong, 'error is no sentence'
            unless ($json->{error} // '') =~ /^\S+ .*\S$/;
        push @wrong, 'field ' . ($json->{field} // 'undef')
            if exists $o{field} && ($json->{field} // '') ne $o{field};
        my %known = map { $_ => 1 } qw(success error code field);
        push @wrong, "unknown $_" for grep { !$known{$_} } sort keys %$json;
    }
    return report(\@wrong, $name, $answer);
}

# given([$client->get(...)], 200, 'name'): the data of a success.
sub given {
    my ($got, $status, $name) = @_;
    my ($is, $json, $answer) = @$got;
    my @wrong;

    local $Test::Builder::Level = $Test::Builder::Level + 1;
    push @wrong, "status $is, not $status" if $is != $status;
    push @wrong, content_type($answer);
    push @wrong, 'no success'
        unless ref $json eq 'HASH' && is_true($json->{success});
    report(\@wrong, $name, $answer);
    return ref $json eq 'HASH' ? $json->{data} : undef;
}

sub content_type {
    my ($answer) = @_;
    my $type = $answer->{headers}{'content-type'} // 'none';

    return $type eq 'application/json; charset=utf-8' ? () : "type $type";
}

sub is_true { return JSON::PP::is_bool($_[0]) && $_[0] }
sub is_false { return JSON::PP::is_bool($_[0]) && !$_[0] }

# A user object, with e-mail address or without.
sub is_user {
    my ($user, $name, %o) = @_;
    my @wrong = user_faults($user);

    local $Test::Builder::Level = $Test::Builder::Level + 1;
    push @wrong, $o{email} ? 'no e-mail' : 'the e-mail is shown'
        if ref $user && !!$o{email} != exists $user->{email};
    return report(\@wrong, $name, $user);
}

sub is_chat {
    my ($chat, $name, %o) = @_;
    my @fields = qw(id customerId agentId status isActive createdAt updatedAt
        lastSeq unreadCount customer agent lastMessage);
    push @fields, qw(messages reads) if $o{messages};

    local $Test::Builder::Level = $Test::Builder::Level + 1;
    my @wrong = fields($chat, [@fields]);
    return report(\@wrong, $name, $chat) if @wrong;

    push @wrong, map {"$_: $chat->{$_}"}
        grep { $chat->{$_} !~ /^$uuid$/ } qw(id customerId);
    push @wrong, map {"$_: $chat->{$_}"}
        grep { $chat->{$_} !~ /^$time$/ } qw(createdAt updatedAt);
    push @wrong, map {"customer: $_"} user_faults($chat->{customer});
    push @wrong, map {"agent: $_"} user_faults($chat->{agent})
        if defined $chat->{agentId};
    push @wrong, 'agent'
        if defined $chat->{agentId} != defined $chat->{agent};
    push @wrong, map {"lastMessage: $_"} message_faults($chat->{lastMessage})
        if $chat->{lastSeq} > 0;
    push @wrong, 'lastMessage'
        if !$chat->{lastSeq} != !defined $chat->{lastMessage};
    push @wrong, 'isActive'
        if !!$chat->{isActive} != ($chat->{status} eq 'active');
    return report(\@wrong, $name, $chat);
}

sub is_message {
    my ($message, $name) = @_;

    local $Test::Builder::Level = $Test::Builder::Level + 1;
    return report([message_faults($message)], $name, $message);
}

sub user_faults {
    my ($user) = @_;
    my @fields
        = qw(id username name role avatar isOnline createdAt updatedAt);
    my @wrong = fields($user, [@fields], ['email']);

    return @wrong if @wrong;
    push @wrong, "id: $user->{id}" if $user->{id} !~ /^$uuid$/;
    push @wrong, 'isOnline' unless JSON::PP::is_bool($user->{isOnline});
    push @wrong, map {"$_: $user->{$_}"}
        grep { $user->{$_} !~ /^$time$/ } qw(createdAt updatedAt);
    return @wrong;
}

sub message_faults {
    my ($message) = @_;
    my @fields = qw(id chatId senderId content type timestamp seq sender);
    my @wrong = fields($message, [@fields], ['clientId']);

    return @wrong if @wrong;
    push @wrong, map {"$_: $message->{$_}"}
        grep { $message->{$_} !~ /^$uuid$/ } qw(id chatId senderId);
    push @wrong, "timestamp: $message->{timestamp}"
        if $message->{timestamp} !~ /^$time$/;
    push @wrong, map {"sender: $_"}
        fields($message->{sender}, [qw(id name role avatar)]);
    push @wrong, 'sender.id' if $message->{sender}{id} ne $message->{senderId};
    return @wrong;
}

# All of the first list, perhaps some of the second, and nothing else.
sub fields {
    my ($object, $required, $optional) = @_;
    my %known = map { $_ => 1 } @$required, @{$optional // []};

    return 'no object' if ref $object ne 'HASH';
    return (
        (map {"$_ is missing"} grep { !exists $object->{$_} } @$required),
        (map {"$_ is unknown"} grep { !$known{$_} } sort keys %$object)
    );
}

sub report {
    my ($wrong, $name, $what) = @_;

    local $Test::Builder::Level = $Test::Builder::Level + 1;
    Test::More::ok(!@$wrong, $name)
        or Test::More::diag(join '; ', @$wrong, Test::More::explain($what));
    return !@$wrong;
}

# A client of a new user, who is not online.
sub new_user {
    my ($server, $role, %o) = @_;
    my $username = 'user' . ++$users;
    my ($status, $json) = $server->client('agent2')->post(
        'auth/register',
        {   username => $username,
            email => "$username\@example.org",
            password => 'password123',
            name => 'User ' . $users,
            role => $role // 'customer'
        }
    );

    die "registration of $username: $status\n" if $status != 201;
    my $client = $server->client(undef, token => $json->{token}, %o);
    @$client{qw(id username)} = ($json->{user}{id}, $username);
    return $client;
}

sub ids {
    my ($list) = @_;

    return [map { $_->{id} } @$list];
}

sub unknown_id { return '00000000-0000-4000-8000-000000000000' }

1;
