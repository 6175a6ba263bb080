# The words that the checks are written in. Sourced by each of them, in the root of the project:
#
#   run COMMAND...    runs a command and keeps what it printed and its exit code
#   exits CODE        fails unless that was the exit code
#   prints TEXT       fails unless that is all it printed on stdout
#   says TEXT         fails unless its stderr contains the text
#   tasks TEXT        makes that the task file, where `|` stands for the tab between fields
#   holds TEXT        fails unless that is all the task file holds
#
# Each check has a directory of its own, $tmp, that is gone afterwards, and 5 March 2026, a Thursday, for today.

set -u

check=$0
root=$PWD
tmp=$(mktemp -d) || exit 1
trap 'rm -rf "$tmp"' EXIT
trap 'exit 129' HUP
trap 'exit 130' INT
trap 'exit 143' TERM

HOME=$tmp
TODO_FILE="$tmp/my tasks.tsv"
TODO_TODAY=2026-03-05
export HOME TODO_FILE TODO_TODAY
unset TODO_LIB XDG_DATA_HOME CDPATH

newline='
'
last=nothing
code=0
: >"$tmp/out"
: >"$tmp/err"

todo() {
    "$root/todo" "$@"
}

run() {
    last=$*
    code=0
    "$@" >"$tmp/out" 2>"$tmp/err" </dev/null || code=$?
}

# Shows what was expected and ends the check.
wrong() {
    printf '%s: after: %s\n  expected %s\n' "$check" "$last" "$1"
    printf '  exit code %s\n  stdout:\n' "$code"
    sed 's/^/    /' "$tmp/out"
    printf '  stderr:\n'
    sed 's/^/    /' "$tmp/err"
    exit 1
}

exits() {
    [ "$code" -eq "$1" ] || wrong "exit code $1"
}

prints() {
    [ "$(cat "$tmp/out")" = "$1" ] || wrong "on stdout:$newline$1"
}

says() {
    case $(cat "$tmp/err") in
        *"$1"*) ;;
        *) wrong "on stderr: $1" ;;
    esac
}

tasks() {
    printf '%s\n' "$1" | tr '|' '\t' >"$TODO_FILE"
}

holds() {
    [ "$(tr '\t' '|' <"$TODO_FILE")" = "$1" ] || wrong "in the task file:$newline$1"
}
