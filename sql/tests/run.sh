#!/bin/bash
#
# Tests migrations and functions against a private PostgreSQL, which lives in
# a directory of its own and ends with this script:
#
#     prove -e bash sql/tests/run.sh
#
# Every *.sql file runs in a database of its own with the schema in place,
# every *.sh file with an empty one; their output is TAP without numbers.

set -euo pipefail
shopt -s nullglob

here=$(cd "$(dirname "$0")" && pwd)
bin=$(pg_config --bindir 2>/dev/null || true)
if [ ! -x "$bin/initdb" ]; then
    bin=$(printf '%s\n' /usr/lib/postgresql/*/bin | sort -V | tail -1)
fi
dir=$(mktemp -d "${TMPDIR:-/tmp}/cs-chat-sql.XXXXXX")

# PostgreSQL refuses to run as root.
as_postgres=()
if [ "$(id -u)" -eq 0 ]; then
    chown postgres "$dir"
    as_postgres=(runuser -u postgres --)
fi

# shellcheck disable=SC2317 # called by the trap
finish() {
    "${as_postgres[@]}" "$bin/pg_ctl" -D "$dir/pg" -m immediate stop \
        >/dev/null 2>&1 || true
    rm -rf "$dir"
}
trap finish EXIT
trap 'exit 1' INT TERM

cd "$dir"
"${as_postgres[@]}" "$bin/initdb" -N -A trust -E UTF8 --locale=C.UTF-8 \
    -U postgres -D "$dir/pg" >/dev/null
"${as_postgres[@]}" "$bin/pg_ctl" -D "$dir/pg" -l "$dir/log" -w \
    -o "-c listen_addresses= -k $dir -c fsync=off -c autovacuum=off" start >/dev/null

export PGHOST=$dir PGUSER=postgres PGDATABASE=postgres
# As the worker's sessions have it.
export PGOPTIONS='-c client_min_messages=warning -c timezone=UTC
-c plan_cache_mode=force_generic_plan -c enable_seqscan=off
-c enable_bitmapscan=off -c enable_hashjoin=off -c enable_mergejoin=off'
export SQL_TESTS=$here

# A file's lines, numbered; one that does not end well is a failure of its own.
number=0
failed=0

report() {
    local line

    while IFS= read -r line; do
        case $line in
        'ok - '* | 'not ok - '*)
            number=$((number + 1))
            case $line in not*) failed=1 ;; esac
            echo "${line%% - *} $number - $name: ${line#* - }"
            ;;
        '' | '|'*) ;; # rows of calls without a result
        *) echo "# ${line#\# }" ;;
        esac
    done
}

psql -Xq -c 'CREATE DATABASE model'
PGDATABASE=model bash "$here/apply.sh"
PGDATABASE=model psql -Xq -v ON_ERROR_STOP=1 -f "$here/support/tap.sql" \
    >/dev/null

for file in "$here"/[0-9]*.sql "$here"/[0-9]*.sh; do
    name=$(basename "$file")
    name=${name%.*}
    database=test_${name//[^a-z0-9]/_}
    status=0

    case $file in
    *.sql)
        psql -Xq -c "CREATE DATABASE $database TEMPLATE model"
        PGDATABASE=$database psql -XqAt -v ON_ERROR_STOP=1 -f "$file" \
            >"$dir/out" 2>&1 || status=$?
        ;;
    *)
        psql -Xq -c "CREATE DATABASE $database"
        PGDATABASE=$database bash "$file" >"$dir/out" 2>&1 || status=$?
        ;;
    esac

    report <"$dir/out"
    if [ $status -ne 0 ]; then
        report <<<"not ok - ended with status $status"
    fi
done

echo "1..$number"
exit $failed
