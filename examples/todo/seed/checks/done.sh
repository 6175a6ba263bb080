# `todo done ID...` marks tasks as done.

. checks/lib.sh

todo add Buy milk >"$tmp/out"
todo add 'Call Aunt "Rosie" & co' >"$tmp/out"
todo add Third >"$tmp/out"

run todo done 2
exits 0
prints 'Done: 2 Call Aunt "Rosie" & co'
run todo list
prints '  1  [ ]     Buy milk
  3  [ ]     Third'

run todo done 1 9
exits 1
says 'todo: there is no task 9; see: todo list all'
prints ''
run todo done milk
exits 1
says "todo: 'milk' is not the number of a task"
run todo done
exits 2
says 'todo: which task is done? For example: todo done 3'
run todo list done
prints '  2  [x]     Call Aunt "Rosie" & co'

run todo done 1 3
exits 0
prints 'Done: 1 Buy milk
Done: 3 Third'
run todo list
prints 'No open tasks.'
