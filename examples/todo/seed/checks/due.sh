# `todo due ID DAY` says by when a task should be done; `never` takes that back.

. checks/lib.sh

todo add Buy milk >"$tmp/out"
todo add Pay the rent >"$tmp/out"

run todo due 2 tomorrow
exits 0
prints 'Due 2026-03-06: 2 Pay the rent'
run todo due 1 Monday
prints 'Due 2026-03-09: 1 Buy milk'
run todo list
prints '  2  [ ]     Pay the rent  (due 2026-03-06)
  1  [ ]     Buy milk  (due 2026-03-09)'
run todo due 1 never
exits 0
prints 'Due never: 1 Buy milk'

run todo due 2 2026-02-30
exits 1
says "todo: '2026-02-30' is not a day"
run todo due 7 today
exits 1
says 'todo: there is no task 7; see: todo list all'
for words in '' 2 '2 next friday'; do
    # shellcheck disable=SC2086 # The words are meant to be split.
    run todo due $words
    exits 2
    says 'todo: which task, and by when? For example: todo due 3 tomorrow'
done
holds '1|open|-|-|Buy milk
2|open|-|2026-03-06|Pay the rent'
