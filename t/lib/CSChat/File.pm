# Files as a whole.

package CSChat::File;

use strict;
use warnings;

use Exporter qw(import);

our @EXPORT_OK = qw(read_file write_file);

sub read_file {
    my ($path) = @_;

    open my $fh, '<', $path or die "$path: $!\n";
    local $/;
    return scalar(<$fh>) // '';
}

# Makes the file, or replaces what is in it: its path.
sub write_file {
    my ($path, @content) = @_;

    open my $fh, '>', $path or die "$path: $!\n";
    print $fh @content;
    close $fh or die "$path: $!\n";
    return $path;
}

1;
