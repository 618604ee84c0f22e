# Protects the WebSocket protocol itself (RFC 6455): frames of every form, in
# every split, and what is done about wrong ones.

use strict;
use warnings;

use Test::More;
use Time::HiRes qw(time);

use lib 't/lib';
use CSChat::Server;

my $limit = 65_536;
my $server = CSChat::Server->new(
    directives => "cs_chat_max_message_size $limit; cs_chat_output_limit 1m;
        cs_chat_sockets_per_user 500;",
    locations => 'location = /brisk {
        cs_chat_websocket;
        cs_chat_ping_interval 1s;
        cs_chat_pong_timeout 500ms;
    }',
);

sub websocket { return $server->websocket('customer1', @_) }

# An event of exactly so many bytes, which is answered with its last letter.
sub event {
    my ($length, $mark) = @_;
    my ($head, $tail) = ('{"type":"ping","data":"', '"}');
    my $fill = $length - length($head) - length($tail) - 1;

    return $head . 'x' x $fill . ($mark // 'y') . $tail;
}

sub is_pong {
    my ($socket, $length, $name) = @_;
    my $event = $socket->expect('pong');

    local $Test::Builder::Level = $Test::Builder::Level + 1;
    is length($event->{data} // ''), $length - 25, $name;
    return;
}

# Sends bytes and tests that the server closes with a code, and the connection
# with it.
sub closes {
    my ($bytes, $code, $name) = @_;
    my $socket = ref $bytes ? $bytes : websocket();

    local $Test::Builder::Level = $Test::Builder::Level + 1;
    $socket->send_raw($bytes) unless ref $bytes;
    is $socket->close_code, $code, $name;
    return $socket;
}

sub frame { return CSChat::WebSocket->frame(@_) }

# does not answer the server's Close, which is looked at in the end
my $stubborn = websocket();
$stubborn->send_raw(frame(3, ''));

subtest 'lengths' => sub {
    my $socket = websocket();

    for my $length (26, 125, 126, 127, 1000, 16_384, 65_535, $limit) {
        $socket->send_text(event($length));
        is_pong($socket, $length, "$length bytes");
    }

    $socket->send_text('');
    is $socket->expect('error')->{data}{code}, 'INVALID_INPUT',
        'none at all is a message too';

    for (
        [2, 125, 'two bytes of length for 125'],
        [2, 0, 'two bytes of length for none'],
        [8, 125, 'eight bytes for 125'],
        [8, 65_535, 'eight bytes for 65,535'],
    ) {
        my ($form, $length, $name) = @$_;
        closes(frame(1, 'x' x $length, length_bytes => $form), 1002, $name);
    }
    closes(
        frame(1, 'x', length_bytes => 8, length => 1 << 63),
        1002,
        'a length with its highest bit set'
    );
};

subtest 'splits' => sub {
    my $socket = websocket();
    my @texts = (event(30), event(126), event(300));
    my $bytes = join '', map { frame(1, $_) } @texts;

    $socket->send_raw($_) for split //, $bytes;
    is_pong($socket, length, 'byte by byte: ' . length) for @texts;

    $socket->send_raw(substr $bytes, 0, $_), $socket->send_raw(substr $bytes, $_)
        for 1 .. 40;
    my $pongs = grep { $socket->expect('pong') } 1 .. 120;
    is $pongs, 120, 'cut in two anywhere';

    $socket->send_raw(join '', map { frame(1, qq({"type":"ping","data":$_})) }
        1 .. 1000);
    is_deeply [map { $socket->expect('pong')->{data} } 1 .. 1000],
        [1 .. 1000], 'a thousand in one write';
    is $socket->close, 1000, 'nothing was wrong with it';
};

subtest 'fragments' => sub {
    my $socket = websocket();
    my $text = event(1000);

    $socket->send_raw(frame(1, substr($text, 0, 1), fin => 0)
            . frame(0, substr($text, 1, 500), fin => 0)
            . frame(0, substr $text, 501));
    is_pong($socket, 1000, 'three');

    my @letters = split //, event(200);
    my $last = pop @letters;
    $socket->send_frame(1, shift @letters, fin => 0);
    $socket->send_frame(0, $_, fin => 0) for @letters;
    $socket->send_frame(0, $last);
    is_pong($socket, 200, 'one a byte');

    $socket->send_raw(frame(1, '', fin => 0)
            . frame(0, '', fin => 0)
            . frame(0, event(50), fin => 0)
            . frame(0, ''));
    is_pong($socket, 50, 'empty ones');

    my ($head, $tail) = (substr($text, 0, 100), substr $text, 100);
    $socket->send_raw(frame(1, $head, fin => 0)
            . frame(9, 'in between')
            . frame(10, 'unasked'));
    is $socket->frame_in->{payload}, 'in between',
        'a ping between them is answered at once';
    $socket->send_frame(0, $tail);
    is_pong($socket, 1000, 'and the message goes on');

    closes(frame(0, 'x'), 1002, 'a continuation of nothing');
    closes(frame(1, 'x', fin => 0) . frame(1, 'y'),
        1002, 'a message within a message');
    closes(frame(1, event(30)) . frame(0, 'x'),
        1002, 'a continuation of what has ended');
};

subtest 'wrong frames' => sub {
    closes(frame(1, event(30), mask => 0), 1002, 'text without a mask');
    closes(frame(9, '', mask => 0), 1002, 'a ping without a mask');
    closes(frame(1, event(30), rsv => $_), 1002, "reserved bits $_")
        for 1, 2, 4;
    closes(frame(9, '', rsv => 4), 1002, 'a reserved bit of a ping');
    closes(frame($_, ''), 1002, "opcode $_") for 3 .. 7, 11 .. 15;
    closes(frame(9, 'x', fin => 0), 1002, 'a ping in fragments');
    closes(frame(8, '', fin => 0), 1002, 'a close in fragments');
    closes(frame(9, 'x' x 126), 1002, 'a ping of 126 bytes');
    closes(frame(8, pack('n', 1000) . 'x' x 124), 1002, 'a close of 126 bytes');
    closes(frame(2, 'x'), 1003, 'a binary frame');
    closes(frame(2, 'x', fin => 0), 1003, 'the beginning of a binary message');

    my $socket = closes(frame(3, 'x') . frame(1, event(30)), 1002,
        'what follows a wrong frame');
    ok !$socket->expect('pong', 0.1), 'is not looked at';
};

subtest 'size' => sub {
    closes(frame(1, event($limit + 1)), 1009, 'a byte too much');
    closes(frame(1, '', length => 1 << 40, length_bytes => 8),
        1009, 'a length that is claimed');
    closes(frame(1, 'x' x 40_000, fin => 0) . frame(0, 'x' x 40_000),
        1009, 'too much in fragments');

    my $socket = websocket();
    my $text = event($limit);
    $socket->send_frame(1, substr($text, 0, 1000), fin => 0);
    $socket->send_frame(0, substr $text, 1000);
    is_pong($socket, $limit, 'all that is allowed, in fragments');
};

subtest 'UTF-8' => sub {
    my $socket = websocket();
    my $text = "\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80";

    my @bytes = split //, qq({"type":"ping","data":"$text"});
    my $last = pop @bytes;
    $socket->send_frame(1, shift @bytes, fin => 0);
    $socket->send_frame(0, $_, fin => 0) for @bytes;
    $socket->send_frame(0, $last);
    is $socket->expect('pong')->{data}, "\x{e9}\x{20ac}\x{1f600}",
        'characters in pieces';

    my %wrong = (
        'a lone continuation' => "\x80",
        'an overlong slash' => "\xc0\xaf",
        'an overlong NUL' => "\xe0\x80\x80",
        'a surrogate' => "\xed\xa0\x80",
        'beyond Unicode' => "\xf4\x90\x80\x80",
        'a byte that never occurs' => "\xff",
        'a character cut off by another' => "\xe2\x82x",
    );
    closes(frame(1, qq({"type":"ping","data":"$wrong{$_}"})), 1007, $_)
        for sort keys %wrong;
    closes(frame(1, "{\"\xe2\x82"), 1007, 'a character cut off at the end');

    $socket = websocket();
    $socket->send_frame(1, "\xe2\x82", fin => 0);
    $socket->send_frame(9, 'still here');
    is $socket->frame_in->{payload}, 'still here',
        'a character that may yet be completed';
    $socket->send_frame(0, '(', fin => 0);
    closes($socket, 1007, 'is refused as soon as it can be none');

    $socket = websocket();
    $socket->send_raw(frame(1, "\xff", length => 1000));
    closes($socket, 1007, 'before the frame is complete');
};

subtest 'the close handshake' => sub {
    for my $code (1000, 1001, 1002, 1003, 1007 .. 1014, 3000, 4000, 4999) {
        my $socket = websocket();
        $socket->send_close($code, 'bye');
        closes($socket, $code, "$code is answered with itself");
        ok $socket->{http}->closed, 'then the connection ends' if $code == 1000;
    }
    for my $code (0, 999, 1004, 1005, 1006, 1015, 1016, 2000, 2999, 5000, 65_535)
    {
        my $socket = websocket();
        $socket->send_close($code);
        closes($socket, 1002, "$code may not be sent");
    }

    my $socket = websocket();
    $socket->send_close;
    closes($socket, 1005, 'one without a code is answered without');
    ok $socket->{http}->closed, 'and ends the connection';

    closes(frame(8, "\x03"), 1002, 'half a code');
    closes(frame(8, pack('n', 1000) . "\xff"), 1007, 'a reason not in UTF-8');
    closes(frame(8, pack('n', 1000) . 'x' x 123), 1000, 'the longest reason');

    $socket = websocket();
    $socket->send_raw(frame(8, pack 'n', 1000) . frame(1, event(30)));
    closes($socket, 1000, 'what follows a close');
    ok !$socket->frame_in(0.2), 'is not answered';

    $socket = websocket();
    $socket->send_raw(frame(1, 'half of', fin => 0) . frame(8, pack 'n', 1000));
    closes($socket, 1000, 'a close in the middle of a message');
};

subtest 'pings of the client' => sub {
    my $socket = websocket();

    for my $payload ('', 'x', "\0\xff\x80 any bytes", 'x' x 125) {
        $socket->send_frame(9, $payload);
        my $frame = $socket->frame_in;
        is $frame->{opcode}, 10, 'a pong';
        is $frame->{payload}, $payload, 'with the same payload';
        is "$frame->{fin}$frame->{rsv}", '10', 'in one frame';
    }
    $socket->send_frame(10, 'unasked');
    ok $socket->ask(ping => 1), 'a pong that nobody asked for does no harm';
};

subtest 'pings of the server' => sub {
    my $began = time;
    my ($silent, $lively, $busy)
        = map { websocket(path => '/brisk', pong => 0) } 1 .. 3;
    is $silent->{connected}{data}{pingInterval}, 1000,
        'the interval is told at the beginning';
    $lively->{pong} = 1;

    my $frame = $silent->frame_in(3);
    is $frame->{opcode}, 9, 'an idle socket is pinged';
    ok time - $began > 0.9, 'after the interval';
    $lively->event_in(0.1);

    is $silent->close_code(3), 1001, 'one that does not answer is closed';
    ok time - $began < 3, 'soon';
    ok $lively->ask(ping => 1), 'one that does is not';
    is $lively->{pings}, 1, 'it was pinged once';

    $busy->send_raw(substr frame(1, event(30)), 0, 3);
    $frame = $busy->frame_in(3);
    is $frame->{opcode}, 9, 'half a frame is no silence';
    closes($busy, 1001, 'but no answer either');
};

ok $stubborn->{http}->closed(7),
    'who does not answer a Close is not waited for long';

$server->finish;
done_testing;
