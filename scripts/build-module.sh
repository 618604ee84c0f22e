#!/bin/bash
#
# Builds build/ngx_http_cs_chat_module.so for the nginx that is installed, from
# the headers of Debian's nginx-dev.
#
#   NGINX_SRC=DIR        build for the nginx source tree in DIR instead
#   NGINX_CONFIGURE=...  further arguments for its configure
#   NGINX=FILE           the nginx that will load it (default: nginx)
#   SANITIZE=1           with ASan and UBSan, into build-asan/

set -euo pipefail

root=$(cd "$(dirname "$0")/.." && pwd)
build=$root/${BUILD:-build}
objs=$build/nginx
packaged=/usr/share/nginx/src
export PATH=$PATH:/usr/sbin:/sbin
nginx=${NGINX:-nginx}

fail() {
    echo "build: $*" >&2
    exit 1
}

# Whatever changes the outcome of configure, in one line.
fingerprint() {
    cat "$root/config" "$root/common/sources.mk" "$0"
    echo "$src" "$version" "$root" "${flags[*]}"
}

find_source() {
    flags=()

    if [ -n "${NGINX_SRC:-}" ]; then
        src=$(cd "$NGINX_SRC" 2>/dev/null && pwd) \
            || fail "NGINX_SRC=$NGINX_SRC is no directory"
        flags+=(--with-compat)
        # shellcheck disable=SC2206 # several arguments in one variable
        flags+=(${NGINX_CONFIGURE:-})
    else
        src=$packaged
        [ -e "$src/conf_flags" ] || fail "nginx's headers are missing:" \
            "install nginx-dev or set NGINX_SRC to an nginx source tree"
        # shellcheck disable=SC1091
        . "$src/conf_flags"
        flags+=("${NGX_CONF_FLAGS[@]}")
    fi

    [ -e "$src/src/core/nginx.h" ] || fail "$src is no nginx source tree"
    version=$(sed -n 's/^#define NGINX_VERSION *"\(.*\)"/\1/p' \
        "$src/src/core/nginx.h")

    configure=$src/configure
    [ -e "$configure" ] || configure=$src/auto/configure
}

# A module only loads into the very version it was built for.
check_version() {
    local installed

    installed=$("$nginx" -v 2>&1 | sed -n 's|.*nginx/\([0-9.]*\).*|\1|p') \
        || true

    if [ -n "$installed" ] && [ "$installed" != "$version" ]; then
        [ -n "${NGINX_SRC:-}" ] || fail "nginx is $installed but nginx-dev is" \
            "$version: set NGINX_SRC to the source of nginx $installed"
        echo "build: note: for nginx $version, the installed one is $installed"
    fi
}

configure_once() {
    local print

    if [ -n "${SANITIZE:-}" ]; then
        local san="-fsanitize=address,undefined"
        flags+=("--with-cc-opt=-O1 -g -fno-omit-frame-pointer $san"
            "--with-ld-opt=$san")
    fi
    if [ -n "${CC:-}" ]; then
        flags+=("--with-cc=$CC")
    fi

    print=$(fingerprint | sha256sum)
    if [ -e "$objs/Makefile" ] \
        && [ "$(cat "$objs/fingerprint" 2>/dev/null)" = "$print" ]; then
        return
    fi

    echo "build: configuring for nginx $version"
    rm -rf "$objs"
    mkdir -p "$objs"
    (
        cd "$src"
        ASAN_OPTIONS=detect_leaks=0 bash "$configure" "${flags[@]}" \
            --builddir="$objs" --add-dynamic-module="$root"
    ) >"$build/nginx-configure.log" 2>&1 || {
        tail -5 "$build/nginx-configure.log" >&2
        fail "configure failed, see $build/nginx-configure.log"
    }
    echo "$print" >"$objs/fingerprint"
}

compile() {
    local log=$build/nginx-make.log so=ngx_http_cs_chat_module.so

    make -s -C "$src" -f "$objs/Makefile" modules >"$log" 2>&1 || {
        grep -v '^make' "$log" >&2 || true
        fail "the module does not compile"
    }
    grep -i 'warning' "$log" >&2 || true

    if ! cmp -s "$objs/$so" "$build/$so"; then
        # renamed, so that a running nginx keeps the file it has mapped
        cp "$objs/$so" "$build/$so.new"
        mv "$build/$so.new" "$build/$so"
        echo "build: ${build#"$root"/}/$so"
    fi
}

[ -e "$root/config" ] || fail "no module here: $root/config is missing"
mkdir -p "$build"
exec 9>"$build/.module.lock"
flock 9
unset MAKEFLAGS MFLAGS MAKELEVEL

find_source
check_version
configure_once
compile
