# `todo edit ID TEXT...` replaces the text of a task and nothing else.

. checks/lib.sh

todo add Buy milk >"$tmp/out"
tasks "$(tr '\t' '|' <"$TODO_FILE")
2|done|B|2026-03-09|Second"

run todo edit 1 Buy '"oat" milk' '& \n' -n
exits 0
prints 'Changed 1: Buy "oat" milk & \n -n'
run todo edit 2 "$(printf 'two\tparts')"
exits 0
holds '1|open|-|-|Buy "oat" milk & \n -n
2|done|B|2026-03-09|two parts'

run todo edit 3 x
exits 1
says 'todo: there is no task 3; see: todo list all'
run todo edit 1 '  '
exits 2
says 'todo: what should task 1 say? For example: todo edit 1 Buy oat milk'
run todo edit
exits 2
says 'todo: which task should change? For example: todo edit 3 Buy oat milk'
holds '1|open|-|-|Buy "oat" milk & \n -n
2|done|B|2026-03-09|two parts'
