# lib/store.sh changes the task file: all of a change or nothing, and the version before is kept.

. checks/lib.sh

store() {
    sh -uc '. "$0/lib/store.sh" && "$@"' "$root" "$@"
}

# Fails unless that is the version before the last change.
kept() {
    [ "$(tr '\t' '|' <"$TODO_FILE.undo")" = "$1" ] || wrong "in the version before:$newline$1"
}

# The first change makes the file and the directories above it.
TODO_FILE="$tmp/new place/deep/my tasks.tsv"
run store store_edit '{ print } END { print 1, "open", "-", "-", ENVIRON["text"] }' \
    'text=Say "hi" & \n to $HOME'
exits 0
holds '1|open|-|-|Say "hi" & \n to $HOME'
kept ''

run store store_edit '{ print } END { print 2, "open", "-", "-", "Two" }'
exits 0
holds '1|open|-|-|Say "hi" & \n to $HOME
2|open|-|-|Two'
kept '1|open|-|-|Say "hi" & \n to $HOME'

# A program that fails half-way changes nothing and leaves nothing behind.
run store store_edit 'NR == 1 { print } NR == 2 { exit 3 }'
exits 1
holds '1|open|-|-|Say "hi" & \n to $HOME
2|open|-|-|Two'
run ls "$tmp/new place/deep"
prints 'my tasks.tsv
my tasks.tsv.undo'
kept '1|open|-|-|Say "hi" & \n to $HOME'

run store store_set state done 2
exits 0
run store store_set due 2026-03-09 1 2
exits 0
run store store_set priority B 1
exits 0
run store store_set text 'a & b \n' 2
exits 0
holds '1|open|B|2026-03-09|Say "hi" & \n to $HOME
2|done|-|2026-03-09|a & b \n'

# What changes nothing is not a change.
kept '1|open|B|2026-03-09|Say "hi" & \n to $HOME
2|done|-|2026-03-09|Two'
run store store_set state done 2
exits 0
kept '1|open|B|2026-03-09|Say "hi" & \n to $HOME
2|done|-|2026-03-09|Two'
run ls "$tmp/new place/deep"
prints 'my tasks.tsv
my tasks.tsv.undo'

# One bad id and none of them changes.
run store store_set state done 1 3
exits 1
says 'there is no task 3'
holds '1|open|B|2026-03-09|Say "hi" & \n to $HOME
2|done|-|2026-03-09|a & b \n'

# What cannot be written is said, once, in one sentence.
TODO_FILE="$tmp/new place/deep/my tasks.tsv/below a file"
run store store_edit '{ print } END { print "x" }'
exits 1
says "todo: cannot write $TODO_FILE"
[ "$(wc -l <"$tmp/err")" -eq 1 ] || wrong 'one line on stderr'
run store store_set colour red 1
exits 1
says "todo: tasks have no field 'colour'"
