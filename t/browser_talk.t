# Widget and console in a real browser: two people talk, whatever breaks.

use strict;
use warnings;

use lib 't/lib';
use CSChat::Node;

CSChat::Node::run_browser_tests(qw(conversation faults));
