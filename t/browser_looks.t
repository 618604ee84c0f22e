# Widget and console in a real browser: accessibility, sizes of screens.

use strict;
use warnings;

use lib 't/lib';
use CSChat::Node;

CSChat::Node::run_browser_tests(qw(accessibility screens));
