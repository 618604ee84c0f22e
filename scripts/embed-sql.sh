#!/bin/sh
#
# Writes the migrations and functions of sql/ to standard output as C, so that
# the worker needs no files beside itself.

set -eu
export LC_ALL=C

cd "$(dirname "$0")/.."

# A file as string literals, a line each.
literal() {
    awk '{
        gsub(/\\/, "\\\\")
        gsub(/"/, "\\\"")
        gsub(/\?/, "\\?")
        gsub(/\t/, "\\t")
        print "      \"" $0 "\\n\""
    }' "$1"
}

# The files of a folder as an array.
array() {
    echo "const embedded_sql_t $1[] = {"
    for file in "$2"/*.sql; do
        name=$(basename "$file" .sql)
        number=$(expr "$name" : '0*\([0-9][0-9]*\)_' || echo 0)
        echo "    { $number, \"$name\","
        literal "$file"
        echo "    },"
    done
    echo "    { 0, NULL, NULL },"
    echo "};"
    echo
}

echo "/* made by scripts/embed-sql.sh */"
echo
echo "#include <stddef.h>"
echo
echo "#include \"sql_embedded.h\""
echo
array sql_migrations sql/migrations
array sql_functions sql/functions
