# lib/dates.sh knows the calendar.

. checks/lib.sh

dates() {
    sh -uc '. "$0/lib/dates.sh" && "$@"' "$root" "$@"
}

run dates date_today
exits 0
prints 2026-03-05

# Day numbers count from 1 January 1970, and turn back into the same day.
for pair in 1970-01-01=0 1970-12-31=364 2000-02-29=11016 2000-03-01=11017 2026-03-05=20517 \
    2100-03-01=47541 9999-12-31=2932896; do
    run dates date_number "${pair%=*}"
    exits 0
    prints "${pair#*=}"
    run dates date_of_number "${pair#*=}"
    exits 0
    prints "${pair%=*}"
done

for day in 2024-02-29 2026-08-08 2026-09-30; do
    run dates date_number "$day"
    exits 0
done
for day in 2026-02-29 2100-02-29 2026-04-31 2026-00-10 2026-13-01 2026-01-00 \
    26-1-1 2026-1-01 2026-01-01x x '' "2026-01-01
2026-01-02"; do
    run dates date_number "$day"
    exits 1
    prints ''
done

# Without TODO_TODAY it is the real date.
unset TODO_TODAY
first=$(date +%Y-%m-%d)
run dates date_today
exits 0
case $(cat "$tmp/out") in
    "$first" | "$(date +%Y-%m-%d)") ;;
    *) wrong "the date of this moment, $first" ;;
esac
