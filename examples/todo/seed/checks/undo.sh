# `todo undo` takes the last change back, and taken twice brings it back.

. checks/lib.sh

run todo undo
exits 1
says 'todo: there is nothing to undo'

todo add Buy milk >"$tmp/out"
todo add 'Call & \n' >"$tmp/out"
todo done 1 >"$tmp/out"
run todo undo
exits 0
prints 'The last change is undone; todo undo brings it back.'
holds '1|open|-|-|Buy milk
2|open|-|-|Call & \n'
run todo undo
exits 0
holds '1|done|-|-|Buy milk
2|open|-|-|Call & \n'

todo remove 1 2 >"$tmp/out"
run todo undo
exits 0
holds '1|done|-|-|Buy milk
2|open|-|-|Call & \n'

todo edit 2 Write >"$tmp/out"
run todo undo
exits 0
run todo list all
prints '  2  [ ]     Call & \n
  1  [x]     Buy milk'

# What failed changed nothing, so it is not what is undone.
todo done 1 7 2>"$tmp/err"
run todo undo
exits 0
holds '1|done|-|-|Buy milk
2|open|-|-|Write'

run todo undo 3
exits 2
run ls "$tmp"
prints 'err
my tasks.tsv
my tasks.tsv.undo
out'
