#!/bin/bash
#
# Applies the migrations and the functions to the database that psql reaches
# with its environment, each as the worker does: a migration in a transaction
# of its own, or, where its second line says so, statement by statement; then
# all functions in one transaction.  Given numbers, only those migrations
# ("apply.sh 1 3": the first three) and no functions.

set -euo pipefail

sql=$(cd "$(dirname "$0")/.." && pwd)
first=${1:-1}
last=${2:-9999}
psql=(psql -X -q -v ON_ERROR_STOP=1)

# -c sends one statement a message; a transaction around it would forbid what
# these files do.
apply_single() {
    local statement='' line

    while IFS= read -r line || [ -n "$line" ]; do
        if [ "$line" = '-- next' ]; then
            "${psql[@]}" -c "$statement"
            statement=''
        else
            statement+=$line$'\n'
        fi
    done < "$1"

    "${psql[@]}" -c "$statement"
}

for file in "$sql"/migrations/*.sql; do
    number=$((10#$(basename "$file" | cut -d_ -f1)))
    if [ "$number" -lt "$first" ] || [ "$number" -gt "$last" ]; then
        continue
    fi
    if [ "$(sed -n 2p "$file")" = '-- no-transaction' ]; then
        apply_single "$file"
    else
        "${psql[@]}" -1 -f "$file"
    fi
done

if [ $# -eq 0 ]; then
    cat "$sql"/functions/*.sql | "${psql[@]}" -1 -f -
fi
