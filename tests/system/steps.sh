# shellcheck shell=bash
# What the checks under tests/system share: each is a sentence and a command, and prints one line.

passed=0
failed=0

# check "SENTENCE" COMMAND…: whether it succeeds. What it says is shown if it does not.
check() {
    local sentence=$1 said
    shift
    if said=$("$@" 2>&1); then
        passed=$((passed + 1))
        echo "ok    $sentence"
    else
        failed=$((failed + 1))
        echo "FAIL  $sentence"
        printf '%s\n' "$* says:" "$said" | sed 's/^/        /' | tail -n 40
    fi
}

# Waits until a command succeeds, for a minute or for SECONDS at most. What it says last is said if it never does.
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

# Whether what a command says holds this pattern.
says() {
    local pattern=$1 said
    shift
    said=$("$@" 2>&1) || true
    grep -qE -e "$pattern" <<<"$said" || {
        printf '%s\n' "nothing like $pattern is in:" "$said"
        return 1
    }
}

not() { ! "$@"; }

# The last line, and the code to end with. What has broken off counts as one that failed.
conclude() {
    if [ "$1" -ne 0 ]; then
        failed=$((failed + 1))
        echo "FAIL  $(basename "$0") goes through to its end"
    fi
    echo "$passed passed, $failed failed"
    [ "$failed" -eq 0 ]
}
