# `todo priority ID A|B|C|none` says how important a task is.

. checks/lib.sh

todo add Buy milk >"$tmp/out"
todo add Pay the rent >"$tmp/out"
todo add Rest >"$tmp/out"

run todo priority 2 A
exits 0
prints 'Priority A: 2 Pay the rent'
run todo priority 3 b
exits 0
prints 'Priority B: 3 Rest'
run todo list
prints '  2  [ ] (A) Pay the rent
  3  [ ] (B) Rest
  1  [ ]     Buy milk'
run todo priority 3 C
prints 'Priority C: 3 Rest'
run todo priority 3 none
exits 0
prints 'Priority none: 3 Rest'

for word in D - AB '*' high; do
    run todo priority 1 "$word"
    exits 1
    says "todo: '$word' is not a priority; try A, B, C or none"
done
run todo priority 7 A
exits 1
says 'todo: there is no task 7; see: todo list all'
run todo priority 1
exits 2
says 'todo: which task, and how important? For example: todo priority 3 A'
holds '1|open|-|-|Buy milk
2|open|A|-|Pay the rent
3|open|-|-|Rest'
