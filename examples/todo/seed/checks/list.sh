# `todo list [open|done|archived|all]` shows tasks: open ones first, then by priority, due day and number.

. checks/lib.sh

run todo list
exits 0
prints 'No open tasks.'

tasks '1|open|-|-|Buy milk
2|done|A|2026-03-01|Pay the rent
3|open|C|-|Say "hi" & \n to $HOME
4|open|-|2026-03-09|  indented
5|open|A|2026-04-01|Write
6|open|A|2026-03-09|Think
10|open|A|2026-03-09|Think again
11|archived|-|-|Old'
run todo list
exits 0
prints '  6  [ ] (A) Think  (due 2026-03-09)
 10  [ ] (A) Think again  (due 2026-03-09)
  5  [ ] (A) Write  (due 2026-04-01)
  3  [ ] (C) Say "hi" & \n to $HOME
  4  [ ]       indented  (due 2026-03-09)
  1  [ ]     Buy milk'

run todo list done
exits 0
prints '  2  [x] (A) Pay the rent  (due 2026-03-01)'
run todo list archived
exits 0
prints ' 11  [x]     Old'
run todo list all
exits 0
prints '  6  [ ] (A) Think  (due 2026-03-09)
 10  [ ] (A) Think again  (due 2026-03-09)
  5  [ ] (A) Write  (due 2026-04-01)
  3  [ ] (C) Say "hi" & \n to $HOME
  4  [ ]       indented  (due 2026-03-09)
  1  [ ]     Buy milk
  2  [x] (A) Pay the rent  (due 2026-03-01)
 11  [x]     Old'

tasks '1|open|-|-|Buy milk'
run todo list done
exits 0
prints 'No done tasks.'
run todo list archived
prints 'No archived tasks.'

run todo list everything
exits 2
says "todo: there are no 'everything' tasks; try: todo list [open|done|archived|all]"
run todo list done all
exits 2
