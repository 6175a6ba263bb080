# `todo NAME WORD...` runs lib/cmd_NAME.sh with the words, from anywhere, and refuses what it does not know.

. checks/lib.sh

# A copy with one command of our own, in a place whose name has a space.
place="$tmp/a place"
mkdir -p "$place/lib"
cp todo "$place/" 2>"$tmp/err" || wrong 'a program called todo'
cat >"$place/lib/cmd_greet.sh" <<'END'
#: greet NAME... | say hello
case $1 in
    nobody) fail "nobody is there" ;;
    '') misuse "greet whom?" ;;
esac
printf '%s: ' "$#"
printf '<%s>' "$@"
printf ' %s\n' "${TODO_LIB##*/}"
END
cd "$tmp" || exit 1

run "$place/todo" greet 'Aunt  Rosie' '*' 'a\tb$'
exits 0
prints '3: <Aunt  Rosie><*><a\tb$> lib'

run "a place/todo" greet you
exits 0
prints '1: <you> lib'

run "$place/todo" greet nobody
exits 1
says 'todo: nobody is there'

run "$place/todo" greet ''
exits 2
says 'todo: greet whom?'

for name in frobnicate ../greet greet.sh 'gr*' ''; do
    run "$place/todo" "$name"
    exits 2
    says "todo: there is no command '$name'; see: todo help"
    prints ''
done

run "$place/todo"
exits 2
says 'see: todo help'

# Without its commands it says so.
mkdir alone
cp "$place/todo" alone/
run alone/todo greet you
exits 1
says 'todo: cannot find the commands of alone/todo; set TODO_LIB to their directory'
export TODO_LIB="$place/lib"
run alone/todo greet you
exits 0
unset TODO_LIB

# The other layout, that of an installed program.
mkdir -p installed/bin installed/lib/todo
cp "$place/todo" installed/bin/
cp "$place/lib/cmd_greet.sh" installed/lib/todo/
run installed/bin/todo greet you
exits 0
prints '1: <you> todo'
