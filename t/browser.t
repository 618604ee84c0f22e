# The widget and the console in a real browser, by t/browser/*.test.js: two
# people who talk, faults in the middle, strangers' HTML, accessibility.

use strict;
use warnings;

use lib 't/lib';
use CSChat::Node;

CSChat::Node::run_tests('t/browser', chromium => 1);
