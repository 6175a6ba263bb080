# `todo archive` puts done tasks out of sight.

. checks/lib.sh

run todo archive
exits 0
prints 'No done tasks to archive.'

for text in One Two 'Three & \n'; do
    todo add "$text" >"$tmp/out"
done
run todo archive
exits 0
prints 'No done tasks to archive.'

todo done 2 3 >"$tmp/out"
run todo archive
exits 0
prints 'Archived: 2 Two
Archived: 3 Three & \n'
holds '1|open|-|-|One
2|archived|-|-|Two
3|archived|-|-|Three & \n'
run todo list done
prints 'No done tasks.'
run todo list archived
prints '  2  [x]     Two
  3  [x]     Three & \n'

# Archived numbers are not given again.
run todo add Four
prints 'Added 4: Four'

run todo archive 4
exits 2
