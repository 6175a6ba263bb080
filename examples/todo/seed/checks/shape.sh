# sh checks/shape.sh NAME: the command file is there, parses, and begins with its line of help.

. checks/lib.sh

file=lib/cmd_$1.sh
run test -f "$file"
exits 0
run sh -n "$file"
exits 0
run sed -n "1s/^#: $1\( [^|]*\)\{0,1\} | [^|]*[^|. ]\$/good/p" "$file"
prints good
