# `todo remove ID...` deletes tasks.

. checks/lib.sh

for text in One 'Two & \n' Three Four; do
    todo add "$text" >"$tmp/out"
done

run todo remove 2
exits 0
prints 'Removed: 2 Two & \n'
run todo remove 1 5
exits 1
says 'todo: there is no task 5; see: todo list all'
run todo remove
exits 2
says 'todo: which task should go? For example: todo remove 3'
holds '1|open|-|-|One
3|open|-|-|Three
4|open|-|-|Four'

run todo remove 4 1
exits 0
prints 'Removed: 4 Four
Removed: 1 One'
run todo remove 3
exits 0
run todo list all
exits 0
prints 'No tasks.'
