#!/bin/sh
# What a release is made of: commit.sh time, commit.sh is-all
#
#   time    when it was committed, in seconds since 1970; or whatever SOURCE_DATE_EPOCH says
#   is-all  fails where something lies here that is not committed
set -eu
cd "$(dirname "$0")/../.."

# A repository further up is somebody else's.
is_repository() { [ "$(git rev-parse --show-toplevel 2>/dev/null)" = "$(pwd -P)" ]; }

case "${1:-}" in
time)
    if [ -n "${SOURCE_DATE_EPOCH:-}" ]; then
        echo "$SOURCE_DATE_EPOCH"
    elif is_repository; then
        git log -1 --no-show-signature --format=%ct
    else
        echo "There is no git repository here that tells of which time this is: say so in SOURCE_DATE_EPOCH, in seconds since 1970." >&2
        exit 1
    fi
    ;;
is-all)
    if is_repository && changed=$(git status --porcelain) && [ -n "$changed" ]; then
        printf '%s\n' "A release is made of what is committed, and this is not (UNCOMMITTED=yes makes one to try):" "$changed" >&2
        exit 1
    fi
    ;;
*)
    echo "usage: commit.sh time | is-all" >&2
    exit 64
    ;;
esac
