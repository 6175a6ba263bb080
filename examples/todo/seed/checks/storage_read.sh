# lib/store.sh reads the task file.

. checks/lib.sh

store() {
    sh -uc '. "$0/lib/store.sh" && "$@"' "$root" "$@"
}

run store store_rows
exits 0
prints ''
run store store_next_id
exits 0
prints 1

tasks '1|open|-|-|Buy milk
12|done|A|2026-03-01|Say "hi" & \n to $HOME
7|archived|-|-|Seven'
run store store_rows
exits 0
holds "$(tr '\t' '|' <"$tmp/out")"
run store store_next_id
prints 13
run store store_text 12
exits 0
prints 'Say "hi" & \n to $HOME'

run store store_require 1 7 12
exits 0
run store store_require 1 3
exits 1
says 'todo: there is no task 3; see: todo list all'
for id in two -1 1x '' '1 7'; do
    run store store_require "$id"
    exits 1
    says "todo: '$id' is not the number of a task"
done

run store store_clean '  two  words' "$(printf 'a\tb\nc')" '\t*  '
exits 0
prints 'two  words a b c \t*'
