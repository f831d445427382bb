# Sourced by the scripts beside it: a line for each check, and the count of them at the end.
# shellcheck shell=bash
passed=0 failed=0

# check SENTENCE COMMAND…: it holds if the command succeeds. What that says is shown where it does not.
check() {
    local said
    if said=$("${@:2}" 2>&1); then
        passed=$((passed + 1))
        printf 'ok      %s\n' "$1"
    else
        failed=$((failed + 1))
        printf 'FAILED  %s\n' "$1"
        printf '%s\n' "$said" | sed 's/^/        | /'
    fi
}

# refused SENTENCE COMMAND…: it holds if the command fails.
refused() {
    check "$1" not "${@:2}"
}

not() {
    if "$@"; then return 1; fi
}

same() {
    diff <(printf '%s\n' "$1") <(printf '%s\n' "$2")
}

conclude() {
    printf '%d passed, %d failed\n' "$passed" "$failed"
    [ "$failed" -eq 0 ]
}
