#!/bin/bash
#
# scripts/deps.sh run|test|lint
#
# Installs what is missing on this machine for building and running, for the
# tests, or for the checks, and says what.  Asks nothing, starts no service and
# creates no database cluster.  Silent when everything is there.  Where it may
# not install, it names the packages and fails.

set -euo pipefail

export PATH=$PATH:/usr/sbin:/sbin

# package, and a file or program that shows that it is there
run_packages() {
    cat <<'END'
gcc                     program gcc
libc6-dev               header  stdio.h
make                    program make
pkg-config              program pkg-config
perl                    perl    Time::HiRes
nginx                   program nginx
nginx-dev               nginx-source
libhiredis-dev          header  hiredis/hiredis.h
libpq-dev               header  libpq-fe.h postgresql/libpq-fe.h
libyajl-dev             header  yajl/yajl_parse.h
libjwt-dev              header  jwt.h
libssl-dev              header  openssl/evp.h
libuv1-dev              header  uv.h
libcrypt-dev            header  crypt.h
redis-server            program redis-server
redis-tools             program redis-cli
postgresql              postgres
postgresql-client       program psql
curl                    program curl
END
}

test_packages() {
    run_packages
    cat <<'END'
libcmocka-dev           header  cmocka.h
libmojolicious-perl     perl    Mojolicious
faketime                program faketime
END
}

lint_packages() {
    run_packages
    cat <<'END'
clang-format            program clang-format
clang-tidy              program clang-tidy
cppcheck                program cppcheck
shellcheck              program shellcheck
libcmocka-dev           header  cmocka.h
END
}

has_header() {
    local header dir

    for header; do
        for dir in /usr/include /usr/local/include \
            "/usr/include/$(uname -m)-linux-gnu"; do
            [ -e "$dir/$header" ] && return 0
        done
    done

    return 1
}

has() {
    local kind=$1
    shift

    case $kind in
    program) command -v "$1" >/dev/null ;;
    header) has_header "$@" ;;
    perl) perl "-M$1" -e 1 2>/dev/null ;;
    nginx-source)
        [ -n "${NGINX_SRC:-}" ] || [ -e /usr/share/nginx/src/conf_flags ]
        ;;
    postgres)
        command -v initdb >/dev/null \
            || compgen -G '/usr/lib/postgresql/*/bin/initdb' >/dev/null
        ;;
    esac
}

missing_packages() {
    local package test

    while read -r package test; do
        # shellcheck disable=SC2086 # a kind and one or more names
        has $test || echo "$package"
    done
}

as_root() {
    if [ "$(id -u)" = 0 ]; then
        env "$@"
    else
        sudo -n env "$@"
    fi
}

can_install() {
    command -v apt-get >/dev/null || return 1
    [ "$(id -u)" = 0 ] || sudo -n true 2>/dev/null
}

apt() {
    as_root DEBIAN_FRONTEND=noninteractive UCF_FORCE_CONFFOLD=1 \
        NEEDRESTART_SUSPEND=1 apt-get -qq -y \
        -o Dpkg::Use-Pty=0 \
        -o DPkg::Lock::Timeout=300 -o Dpkg::Options::=--force-confold "$@" \
        </dev/null
}

policy=/usr/sbin/policy-rc.d
cluster=/etc/postgresql-common/createcluster.conf

# While packages are unpacked: no service starts, no cluster is created.
hold_services() {
    if [ ! -e "$policy" ]; then
        printf '#!/bin/sh\nexit 101\n' | as_root tee "$policy" >/dev/null
        as_root chmod 755 "$policy"
        made_policy=1
    fi

    if [ ! -e "$cluster" ] && ! dpkg -s postgresql-common >/dev/null 2>&1; then
        as_root mkdir -p "${cluster%/*}"
        echo 'create_main_cluster = false' | as_root tee "$cluster" >/dev/null
    fi
}

release_services() {
    [ -z "${made_policy:-}" ] || as_root rm -f "$policy"
    made_policy=
}

# What came with these packages is not to start at the next boot either.
disable_services() {
    local package

    for package; do
        case $package in
        nginx | redis-server | postgresql)
            as_root update-rc.d "$package" disable >/dev/null 2>&1 || :
            ;;
        esac
    done
}

install_packages() {
    hold_services
    trap release_services EXIT
    trap 'exit 130' INT
    trap 'exit 143' TERM

    compgen -G '/var/lib/apt/lists/*Packages*' >/dev/null || apt update
    apt install --no-install-recommends "$@" \
        || { apt update && apt install --no-install-recommends "$@"; }

    disable_services "$@"
    release_services
}

ensure() {
    local missing list

    mapfile -t missing < <("${1}_packages" | missing_packages)
    [ "${#missing[@]}" -gt 0 ] || return 0
    list="${missing[*]}"

    if ! can_install; then
        echo "deps: missing, and only root or sudo can install them:" \
            "apt-get install $list" >&2
        return 1
    fi

    echo "deps: installing $list"
    install_packages "${missing[@]}"

    mapfile -t missing < <("${1}_packages" | missing_packages)
    if [ "${#missing[@]}" -gt 0 ]; then
        echo "deps: still missing: ${missing[*]}" >&2
        return 1
    fi
}

# Test::Nginx from Debian's next release, where this one lacks it: one package
# that is all Perl, through a sources list and folders of its own, so that
# nothing else of the machine changes.
test_nginx_from_unstable() {
    local dir archive options file

    # shellcheck disable=SC2016 # apt's own expression
    archive=$(apt-get indextargets --format '$(REPO_URI)' \
        'Created-By: Packages' | grep -v -e security -e '^file:' \
        | sort -u | head -1)
    [ -n "$archive" ] || return 1

    dir=$(mktemp -d)
    mkdir -p "$dir/lists/partial" "$dir/cache/archives/partial"
    echo "deb [check-valid-until=no] $archive unstable main" >"$dir/list"
    options=(-q -o "Dir::Etc::sourcelist=$dir/list"
        -o Dir::Etc::sourceparts=/dev/null
        -o "Dir::State::lists=$dir/lists" -o "Dir::Cache=$dir/cache"
        -o APT::Sandbox::User=root -o Acquire::Languages=none)

    (
        cd "$dir"
        as_root apt-get "${options[@]}" update
        as_root apt-get "${options[@]}" download libtest-nginx-perl
    ) >"$dir/log" 2>&1 || {
        tail -2 "$dir/log" >&2
        as_root rm -rf "$dir"
        return 1
    }

    file=$(compgen -G "$dir/libtest-nginx-perl*.deb")
    chmod 755 "$dir"
    apt install --no-install-recommends "$file"
    as_root rm -rf "$dir"
}

ensure_test_nginx() {
    ! has perl Test::Nginx::Socket || return 0

    if ! can_install; then
        echo "deps: Test::Nginx is missing (libtest-nginx-perl, or CPAN)" >&2
        return 1
    fi

    echo "deps: installing Test::Nginx"
    apt install --no-install-recommends libtest-nginx-perl >/dev/null 2>&1 \
        || test_nginx_from_unstable \
        || as_root PERL_MM_USE_DEFAULT=1 cpan -T Test::Nginx </dev/null \
        || :

    has perl Test::Nginx::Socket || {
        echo "deps: Test::Nginx can't be had; its tests will be skipped" >&2
    }
}

# Node and its WebSocket for the JavaScript client: Debian's, or what npm has
# put beside the client, or Node's own from 22 on.
has_node() {
    command -v node >/dev/null || return 1
    [ -e /usr/share/nodejs/ws ] || [ -e "${0%/*}/../clients/js/node_modules/ws" ] \
        || node -e 'process.exit(globalThis.WebSocket ? 0 : 1)'
}

ensure_node() {
    local packages=(node-ws)

    ! has_node || return 0
    command -v node >/dev/null || packages+=(nodejs)

    if can_install; then
        echo "deps: installing ${packages[*]}"
        apt install --no-install-recommends "${packages[@]}" >/dev/null 2>&1 || :
    fi

    has_node || {
        echo "deps: nodejs or node-ws is missing; tests of the JavaScript" \
            "client will be skipped" >&2
    }
}

# Chromium, and what drives it, for the pages.
has_browser() {
    command -v chromium >/dev/null \
        && [ -e t/browser/node_modules/playwright-core ] \
        && [ -e t/browser/node_modules/axe-core ]
}

ensure_browser() {
    local packages=()

    ! has_browser || return 0
    command -v chromium >/dev/null || packages+=(chromium)
    command -v npm >/dev/null || packages+=(npm)

    if [ ${#packages[@]} -gt 0 ] && can_install; then
        echo "deps: installing ${packages[*]}"
        apt install --no-install-recommends "${packages[@]}" >/dev/null 2>&1 || :
    fi
    if command -v npm >/dev/null; then
        (cd t/browser && npm ci --no-audit --no-fund --fetch-retries=1 \
            --fetch-timeout=20000 >/dev/null 2>&1) || :
    fi

    has_browser || {
        echo "deps: chromium, or the npm packages of t/browser, are missing;" \
            "tests of the pages will be skipped" >&2
    }
}

case ${1:-} in
run | lint)
    ensure "$1"
    ;;
test)
    ensure test
    ensure_test_nginx
    ensure_node
    ensure_browser
    ;;
*)
    echo "usage: $0 run|test|lint" >&2
    exit 2
    ;;
esac
