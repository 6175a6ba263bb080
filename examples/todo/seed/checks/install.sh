# `sh install.sh PREFIX` installs, and what it installs works for a whole day: Thursday, 5 March 2026.

. checks/lib.sh

prefix="$tmp/my programs"
run sh "$root/install.sh" "$prefix"
exits 0
prints "Installed $prefix/bin/todo; add $prefix/bin to your PATH."

# Once more, with a command there that todo no longer has, and found by PATH.
printf '#: old | gone since\n' >"$prefix/lib/todo/cmd_old.sh"
PATH=$prefix/bin:$PATH
mkdir "$tmp/elsewhere"
cd "$tmp/elsewhere" || exit 1
run sh "$root/install.sh" "$prefix"
exits 0
prints "Installed $prefix/bin/todo."

# The program by its name, not the function of checks/lib.sh.
unset -f todo
unset TODO_FILE
run todo old
exits 2
says "there is no command 'old'"
run todo help
exits 0
names=$(sed -n 's/^  \([a-z]*\).*/\1/p' "$tmp/out")
# shellcheck disable=SC2086 # One line of words is easier to read.
[ "$(echo $names)" = 'add agenda archive done due edit find help list priority remove undo' ] || wrong 'help on all'

run todo list
prints 'No open tasks.'
todo add 'Buy "oat" milk' >"$tmp/out"
todo add Call Aunt Rosie >"$tmp/out"
todo add Water teh plants >"$tmp/out"
run todo edit 3 Water the plants
prints 'Changed 3: Water the plants'
todo due 2 tomorrow >"$tmp/out"
todo due 1 today >"$tmp/out"
run todo priority 2 A
exits 0
run todo agenda
prints 'Today
  1  [ ]     Buy "oat" milk  (due 2026-03-05)

Next 7 days
  2  [ ] (A) Call Aunt Rosie  (due 2026-03-06)

1 open task has no day.'
run todo done 1 3
exits 0
run todo archive
prints 'Archived: 1 Buy "oat" milk
Archived: 3 Water the plants'
run todo find milk
exits 1
run todo remove 2
exits 0
run todo undo
exits 0
run todo list all
prints '  2  [ ] (A) Call Aunt Rosie  (due 2026-03-06)
  1  [x]     Buy "oat" milk  (due 2026-03-05)
  3  [x]     Water the plants'
TODO_FILE=$HOME/.local/share/todo/tasks.tsv
holds '1|archived|-|2026-03-05|Buy "oat" milk
2|open|A|2026-03-06|Call Aunt Rosie
3|archived|-|-|Water the plants'

run sh "$root/install.sh" "$TODO_FILE"
exits 1
says "cannot install to $TODO_FILE"
