# The metrics page, read as strictly as its format is described: a line that
# Prometheus would refuse, or only put up with, is a fault here.
#
#   my $metrics = CSChat::Metrics->get($server);
#   $metrics->value('cs_chat_errors_total', code => 'NOT_FOUND');
#   $metrics->sum('cs_chat_deliveries_total');

package CSChat::Metrics;

use strict;
use warnings;

use CSChat::HTTP;
use CSChat::Process qw(wait_until);

my $NAME = qr/[a-zA-Z_:][a-zA-Z0-9_:]*/;
my $LABEL = qr/[a-zA-Z_][a-zA-Z0-9_]*/;
my $NUMBER = qr/(?:0|[1-9]\d*)(?:\.\d+)?/;

# %o: machine, or an HTTP connection
sub get {
    my ($class, $server, %o) = @_;
    my $connection = $o{connection}
        // CSChat::HTTP->new($server->{address}, $server->port($o{machine}));
    my $answer = $connection->request('GET', '/metrics');

    die "metrics: $answer->{status}\n" if $answer->{status} != 200;
    return $class->parse($answer->{body});
}

# Waits until a condition holds of the metrics: those, or undef.
sub wait_for {
    my ($class, $server, $condition, $seconds) = @_;
    my $metrics;

    # a connection may end with its process
    return wait_until($seconds // 10, sub {
        $metrics = eval { $class->get($server) } or return 0;
        return $condition->($metrics);
    }) ? $metrics : undef;
}

sub parse {
    my ($class, $text) = @_;
    my $self = bless {families => [], types => {}, values => {}}, $class;
    my ($family, $type, @samples);

    die "no line feed at the end\n" unless $text =~ /\n\z/;
    for my $line (split /\n/, $text) {
        if ($line =~ /^# HELP ($NAME) (\S.*)$/) {
            die "help without samples: $family\n" if defined $family && !@samples;
            $self->check_family($family, $type, @samples) if defined $family;
            ($family, $type, @samples) = ($1, undef);
            die "a family twice: $family\n" if exists $self->{types}{$family};
            die "a bad escape: $line\n" if $2 =~ /\\(?![\\n])/;
            $self->{types}{$family} = undef;

        } elsif ($line =~ /^# TYPE ($NAME) (counter|gauge|histogram)$/) {
            die "a type out of place: $line\n"
                if !defined $family || $1 ne $family || defined $type || @samples;
            $type = $self->{types}{$family} = $2;
            push @{$self->{families}}, $family;

        } elsif ($line =~ /^($NAME)(?:\{(.+)\})? ($NUMBER)$/) {
            die "a sample without a type: $line\n" unless defined $type;
            push @samples, [$1, labels($2 // ''), $3];

        } else {
            die "a bad line: $line\n";
        }
    }
    $self->check_family($family, $type, @samples);
    return $self;
}

sub labels {
    my ($text) = @_;
    my %labels;

    while (length $text) {
        $text =~ s/^($LABEL)="((?:[^"\\\n]|\\[\\"n])*)"(?:,(?=.)|\z)//
            or die "bad labels: $text\n";
        die "a label twice: $1\n" if exists $labels{$1};
        $labels{$1} = $2;
    }
    return \%labels;
}

sub key {
    my (%labels) = @_;

    return join ',', map {"$_=$labels{$_}"} sort keys %labels;
}

sub check_family {
    my ($self, $family, $type, @samples) = @_;

    die "the name of a counter: $family\n"
        if ($type eq 'counter') != ($family =~ /_total$/);
    for (@samples) {
        my ($name, $labels, $value) = @$_;
        my $suffixes = $type eq 'histogram' ? qr/_bucket|_sum|_count/ : qr//;
        die "$name among $family\n" unless $name =~ /^$family$suffixes$/;
        die "$name: le\n" if exists $labels->{le} != ($name =~ /_bucket$/ && $type eq 'histogram');
        my $values = $self->{values}{$name} //= {};
        my $key = key(%$labels);
        die "a sample twice: $name $key\n" if exists $values->{$key};
        $values->{$key} = $value;
    }
    $self->check_histogram($family, @samples) if $type eq 'histogram';
    return;
}

# Buckets of each histogram stand together, rise in bound and number, and the
# last one is all.
sub check_histogram {
    my ($self, $family, @samples) = @_;
    my (%last, %bound);

    for (grep { $_->[0] =~ /_bucket$/ } @samples) {
        my (undef, $labels, $value) = @$_;
        my %rest = %$labels;
        my $le = delete $rest{le};
        my $key = key(%rest);
        my $number = $le eq '+Inf' ? 9**9**9 : $le;
        die "$family: bounds fall\n" if defined $bound{$key} && $number <= $bound{$key};
        die "$family: buckets fall\n" if $value < ($last{$key} // 0);
        ($bound{$key}, $last{$key}) = ($number, $value);
    }
    for my $key (keys %last) {
        die "$family: no +Inf\n" if $bound{$key} != 9**9**9;
        die "$family: sum is missing\n" unless defined $self->{values}{"${family}_sum"}{$key};
        die "$family: count\n" if $self->{values}{"${family}_count"}{$key} != $last{$key};
    }
    return;
}

sub families { return @{$_[0]{families}} }
sub type { return $_[0]{types}{$_[1]} }

# The names that a query may use: of a histogram its three.
sub names {
    my ($self) = @_;

    return keys %{$self->{values}};
}

sub value {
    my ($self, $name, %labels) = @_;

    return $self->{values}{$name}{key(%labels)};
}

# The sum of all samples of a name that have these labels.
sub sum {
    my ($self, $name, %labels) = @_;
    my $sum = 0;

    for my $key (keys %{$self->{values}{$name} // {}}) {
        my %own = map { split /=/, $_, 2 } split /,/, $key;
        $sum += $self->{values}{$name}{$key}
            unless grep { ($own{$_} // '') ne $labels{$_} } keys %labels;
    }
    return $sum;
}

# The values that a label has in samples of a name.
sub label {
    my ($self, $name, $label) = @_;

    my %seen = map { $_ => 1 }
        map { /(?:^|,)$label=([^,]*)/ ? $1 : () }
        keys %{$self->{values}{$name} // {}};
    return sort keys %seen;
}

1;
