# shellcheck shell=bash
# Sourced by the scripts beside it: a line for each check, which is a sentence and a command, and the count of them at the end.
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
        printf '%s\n' "${*:2} says:" "$said" | tail -n 60 | sed 's/^/        | /'
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

# Whether what a command says holds this pattern, however it ends.
says() {
    local said
    said=$("${@:2}" 2>&1) || true
    grep -qE -e "$1" <<<"$said" || {
        printf '%s\n' "nothing like $1 is in:" "$said"
        return 1
    }
}

# Whether a command succeeds and says nothing.
is_silent() {
    local said
    if ! said=$("$@" 2>&1) || [ -n "$said" ]; then
        printf '%s\n' "it says:" "$said"
        return 1
    fi
}

# Waits until a command succeeds, for a minute or for SECONDS_TO_WAIT at most. What it says last is said if it never does.
SECONDS_TO_WAIT=60
until_so() {
    local end=$((SECONDS + SECONDS_TO_WAIT)) said
    until said=$("$@" 2>&1); do
        if [ "$SECONDS" -ge "$end" ]; then
            printf '%s\n' "$said" "(waited for it for $SECONDS_TO_WAIT seconds)"
            return 1
        fi
        sleep 0.1
    done
    printf '%s\n' "$said"
}

# ended_with CODE: a script that breaks off has a check that failed.
ended_with() {
    [ "$1" -eq 0 ] || check "$(basename "$0") goes through to its end" false
}

# The last line, and whether all is well.
conclude() {
    printf '%d passed, %d failed\n' "$passed" "$failed"
    [ "$failed" -eq 0 ]
}
