# A private PostgreSQL cluster: no TCP, its socket in its data directory.

package CSChat::Postgres;

use strict;
use warnings;

use CSChat::Process qw(spawn spawn_and_wait last_line);

# dir: the data directory, log: its log, name: where a symbolic link to the
# socket goes, so that "psql -h" of that directory gets in.
sub new {
    my ($class, %o) = @_;

    return bless {%o, settings => $o{settings} // []}, $class;
}

# PostgreSQL refuses root: this is the user that stands in for it.
sub user {
    return undef if $> != 0;
    return 'postgres' if defined getpwnam 'postgres';
    return 'nobody';
}

# Whether that user can get to what is in a directory.
sub reaches {
    my ($directory) = @_;
    my $user = user();

    return 1 unless defined $user;
    return spawn_and_wait(user => $user, log => '/dev/null',
        command => ['test', '-x', $directory]) == 0;
}

# The directory of the server's programs, of one major version if that is
# asked for.
sub bindir {
    my ($version) = @_;

    for my $dir (
        defined $version ? "/usr/lib/postgresql/$version/bin" : (),
        reverse(sort { version_of($a) <=> version_of($b) }
            glob '/usr/lib/postgresql/*/bin'),
        split /:/, $ENV{PATH})
    {
        return $dir if -x "$dir/initdb" && -x "$dir/postgres";
    }

    die "PostgreSQL's programs (initdb, postgres) are not found\n";
}

sub version_of {
    return $_[0] =~ m{/(\d+)/bin$} ? $1 : 0;
}

sub exists {
    my ($self) = @_;

    return -e "$self->{dir}/PG_VERSION";
}

# Makes the cluster; one that was interrupted in the making is made anew.
sub init {
    my ($self) = @_;
    my $dir = "$self->{dir}.new";

    system 'rm', '-rf', $dir, $self->{dir};
    mkdir $dir, 0700 or die "$dir: $!\n";
    $self->own($dir);

    my $rc = spawn_and_wait(
        user => user(),
        log => $self->{log},
        dir => '/',
        command => [
            bindir() . '/initdb', '-N', '-D', $dir, '-U', 'postgres',
            '-A', 'trust', '-E', 'UTF8', '--locale=C.UTF-8'
        ],
    );
    die 'initdb failed: ' . last_line($self->{log}) . "\n" if $rc != 0;

    rename $dir, $self->{dir} or die "$dir: $!\n";
    return;
}

sub own {
    my ($self, @files) = @_;
    my $user = user();

    chown((getpwnam $user)[2, 3], @files) if defined $user;
    return;
}

sub version {
    my ($self) = @_;

    open my $fh, '<', "$self->{dir}/PG_VERSION" or return undef;
    chomp(my $version = <$fh>);
    return $version;
}

# Starts the server and returns its pid at once.
sub start {
    my ($self) = @_;
    my $dir = $self->{dir};

    $self->forget_stale_pid;
    $self->link_socket if defined $self->{name};

    return spawn(
        user => user(),
        log => $self->{log},
        orphan => 'QUIT',
        dir => '/',
        command => [
            bindir($self->version) . '/postgres', '-D', $dir,
            '-c', 'listen_addresses=',
            '-c', "unix_socket_directories=$dir",
            '-c', 'logging_collector=off',
            map { ('-c', $_) } @{$self->{settings}},
        ],
    );
}

# After a power cut the pid in postmaster.pid may be somebody else's by now,
# which PostgreSQL would take for a server on this directory.
sub forget_stale_pid {
    my ($self) = @_;
    my $file = "$self->{dir}/postmaster.pid";

    open my $fh, '<', $file or return;
    my $pid = <$fh> // '';
    chomp $pid;
    my $directory = readlink "/proc/$pid/cwd";
    my @ours = stat $self->{dir};
    my @theirs = defined $directory ? stat "/proc/$pid/cwd" : ();

    unlink $file
        unless @theirs && $theirs[0] == $ours[0] && $theirs[1] == $ours[1];
    return;
}

sub link_socket {
    my ($self) = @_;
    my $name = "$self->{name}/.s.PGSQL.5432";
    my $target = "$self->{dir}/.s.PGSQL.5432";

    $target =~ s{^\Q$self->{name}\E/}{};
    return if (readlink($name) // '') eq $target;
    unlink $name;
    symlink $target, $name or die "$name: $!\n";
    return;
}

# Runs SQL as the superuser; its exit status as in $?.
sub sql {
    my ($self, $database, $sql, $log) = @_;

    return spawn_and_wait(
        log => $log // $self->{log},
        command => [
            bindir($self->version) . '/psql', '-X', '-q', '-w',
            '-h', $self->{dir}, '-U', 'postgres', '-d', $database,
            '-v', 'ON_ERROR_STOP=1', '-c', $sql
        ],
        env => {PGCONNECT_TIMEOUT => 5, PGOPTIONS => ''},
    );
}

sub answers {
    my ($self) = @_;

    return spawn_and_wait(
        log => '/dev/null',
        command => [
            bindir($self->version) . '/pg_isready', '-q', '-h', $self->{dir}
        ],
    ) == 0;
}

sub has_database {
    my ($self, $database) = @_;

    return $self->sql($database, 'SELECT 1', '/dev/null') == 0;
}

sub url {
    my ($self, $database) = @_;
    my $host = $self->{name} // $self->{dir};

    $host =~ s/([^A-Za-z0-9_.-])/sprintf '%%%02X', ord $1/ge;
    return "postgresql:///$database?host=$host&user=postgres";
}

1;
