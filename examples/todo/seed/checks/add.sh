# `todo add TEXT...` adds a task and says its number.

. checks/lib.sh

run todo add Buy milk
exits 0
prints 'Added 1: Buy milk'
holds '1|open|-|-|Buy milk'

run todo add '  Call Aunt "Rosie" & co:' '100% \n *' "\$HOME isn't"
exits 0
prints "Added 2: Call Aunt \"Rosie\" & co: 100% \\n * \$HOME isn't"

run todo add "$(printf 'two\tparts\nand lines')" -n --
exits 0
prints 'Added 3: two parts and lines -n --'
holds "1|open|-|-|Buy milk
2|open|-|-|Call Aunt \"Rosie\" & co: 100% \\n * \$HOME isn't
3|open|-|-|two parts and lines -n --"

# Numbers go on after the highest, wherever it stands.
tasks '41|archived|-|-|Old
7|open|A|2026-03-09|Seven'
run todo add Zwölf Äpfel
exits 0
prints 'Added 42: Zwölf Äpfel'

for text in '' '   ' "$newline"; do
    run todo add "$text"
    exits 2
    says 'todo: what should be added? For example: todo add Buy milk'
done
run todo add
exits 2
holds '41|archived|-|-|Old
7|open|A|2026-03-09|Seven
42|open|-|-|Zwölf Äpfel'
