# `todo help` shows every command there is, and `todo help NAME` all about one.

. checks/lib.sh

# A copy with two commands of our own among those that are there already.
place="$tmp/a place"
mkdir -p "$place"
cp -R todo lib "$place/" 2>"$tmp/err" || wrong 'a program called todo and its lib directory'
cat >"$place/lib/cmd_greet.sh" <<'END'
#: greet NAME... | say hello to people & others
# Says it once to each.
#
# For example: todo greet Rosie
set -- "$@"
# Not for readers.
END
printf '#: abc | come first\n' >"$place/lib/cmd_abc.sh"

run "$place/todo" help
exits 0
for line in '^usage: todo COMMAND \[WORD\.\.\.\]$' '^  greet NAME\.\.\.  *say hello to people & others$' \
    '^  abc  *come first$' '^  help \[COMMAND\]  *'; do
    grep -q "$line" "$tmp/out" || wrong "a line like $line"
done
grep '^  ' "$tmp/out" >"$tmp/lines"
LC_ALL=C sort -c "$tmp/lines" 2>"$tmp/err" || wrong 'the commands in order'
# The explanations stand below each other.
column=$(sed -n 's/come first$//p' "$tmp/lines")
other=$(sed -n 's/say hello to people & others$//p' "$tmp/lines")
[ "${#column}" -eq "${#other}" ] || wrong 'the explanations below each other'

cp "$tmp/out" "$tmp/all"
for word in -h --help; do
    run "$place/todo" "$word"
    exits 0
    prints "$(cat "$tmp/all")"
done

run "$place/todo" help greet
exits 0
prints 'usage: todo greet NAME...
say hello to people & others

Says it once to each.

For example: todo greet Rosie'
run "$place/todo" help abc
exits 0
prints 'usage: todo abc
come first'

run "$place/todo" help frobnicate
exits 2
says "todo: there is no command 'frobnicate'; see: todo help"
run "$place/todo" help ../x
exits 2
run "$place/todo" help abc greet
exits 2
