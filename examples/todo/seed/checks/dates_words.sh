# lib/dates.sh understands the words people use for days. Today is Thursday, 5 March 2026.

. checks/lib.sh

dates() {
    sh -uc '. "$0/lib/dates.sh" && "$@"' "$root" "$@"
}

for pair in today=2026-03-05 tomorrow=2026-03-06 Tomorrow=2026-03-06 +0=2026-03-05 +8=2026-03-13 \
    +30=2026-04-04 +365=2027-03-05 fri=2026-03-06 FRIDAY=2026-03-06 sat=2026-03-07 Sun=2026-03-08 \
    mon=2026-03-09 tuesday=2026-03-10 wed=2026-03-11 thu=2026-03-12 thursday=2026-03-12 \
    2026-12-24=2026-12-24 1999-01-01=1999-01-01; do
    run dates date_parse "${pair%%=*}"
    exits 0
    prints "${pair#*=}"
done

for word in '' never yesterday + +x +-1 +08 -1 3 frid 2026-02-30 'fri day' '*'; do
    run dates date_parse "$word"
    exits 1
    prints ''
    says "todo: '$word' is not a day; try today, tomorrow, +3, friday or 2026-03-06"
done

TODO_TODAY=2024-02-28
run dates date_parse tomorrow
prints 2024-02-29
run dates date_parse +2
prints 2024-03-01
