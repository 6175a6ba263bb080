# `todo agenda` shows by when the open tasks are due. Today is Thursday, 5 March 2026.

. checks/lib.sh

run todo agenda
exits 0
prints 'Nothing is due.'

tasks '1|open|A|-|No day
2|open|-|-|Late & \n'
run todo agenda
exits 0
prints 'Nothing is due.

2 open tasks have no day.'

todo due 2 2025-12-31 >"$tmp/out"
tasks "$(tr '\t' '|' <"$TODO_FILE")
3|open|-|2026-03-13|Later
4|open|-|2026-03-05|Today
5|open|A|2026-03-12|In a week
6|open|-|2026-03-06|Tomorrow
7|done|-|2026-03-05|Finished
8|open|-|2026-03-05|Today, first
9|archived|-|2026-03-05|Gone"
todo priority 8 B >"$tmp/out"
run todo agenda
exits 0
prints 'Overdue
  2  [ ]     Late & \n  (due 2025-12-31)

Today
  8  [ ] (B) Today, first  (due 2026-03-05)
  4  [ ]     Today  (due 2026-03-05)

Next 7 days
  6  [ ]     Tomorrow  (due 2026-03-06)
  5  [ ] (A) In a week  (due 2026-03-12)

Later
  3  [ ]     Later  (due 2026-03-13)

1 open task has no day.'

# Groups without a task are left out.
todo done 1 2 4 8 6 5 >"$tmp/out"
run todo agenda
prints 'Later
  3  [ ]     Later  (due 2026-03-13)'

run todo agenda today
exits 2
