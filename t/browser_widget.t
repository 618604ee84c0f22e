# The widget in a real browser, in pages of others; what strangers write.

use strict;
use warnings;

use lib 't/lib';
use CSChat::Node;

CSChat::Node::run_browser_tests(qw(widget strangers));
