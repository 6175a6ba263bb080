# `todo find WORD...` shows the open and done tasks that contain all of the words.

. checks/lib.sh

tasks '1|open|-|-|Buy milk +home
2|done|A|-|Buy a.b* books
3|open|B|2026-03-09|Call Aunt Rosie about milk \n & more
4|archived|-|-|Old milk'

run todo find milk
exits 0
prints '  3  [ ] (B) Call Aunt Rosie about milk \n & more  (due 2026-03-09)
  1  [ ]     Buy milk +home'
run todo find BUY
exits 0
prints '  1  [ ]     Buy milk +home
  2  [x] (A) Buy a.b* books'
run todo find MILK rosie
exits 0
prints '  3  [ ] (B) Call Aunt Rosie about milk \n & more  (due 2026-03-09)'

# Words are taken literally, and look at the text alone.
for word in 'a.b*' 'b*' 'books'; do
    run todo find "$word"
    exits 0
    prints '  2  [x] (A) Buy a.b* books'
done
run todo find '\n &'
exits 0
run todo find +home
exits 0
prints '  1  [ ]     Buy milk +home'
for word in 'm.lk' '.*' open 2026-03-09 Old; do
    run todo find "$word"
    exits 1
    prints ''
    says "todo: no open or done task contains: $word"
done

run todo find
exits 2
says 'todo: what should be found? For example: todo find milk'
