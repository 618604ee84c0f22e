# The console in a real browser: what agents do with chats.

use strict;
use warnings;

use lib 't/lib';
use CSChat::Node;

CSChat::Node::run_browser_tests(qw(console));
