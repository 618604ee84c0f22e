# What strikes Redis while people chat: nothing that was acknowledged is
# lost, doubled or out of order, and all go on by themselves.

use strict;
use warnings;

use lib 't/lib';
use CSChat::Chaos;
use Test::More;

CSChat::Chaos->new(seed => 1)
    ->run_test(CSChat::Chaos::Faults::named('redis'));
done_testing;
