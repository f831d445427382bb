#!/bin/sh
# Bends each line of the given files of src/domain and src/engine once, and asks the fast tests which of it they notice.
#
# To build the whole program for each of a thousand mutants would take a night. So a crate is made of what is asked alone:
# of src/domain for its own files (a second each), and of src/domain, src/engine and the simulated world for the others
# (a few seconds each). Both stand in target/mutants, with the lists of what was missed.
#
#   tests/mutants/run.sh src/domain/attempts.rs 'src/engine/*.rs'
set -eu
cd "$(dirname "$0")/../.."
home=$(pwd)
out=$home/target/mutants

# What a mutant is built with: nothing is looked at in a debugger, and to build takes longer than to run.
export CARGO_TARGET_DIR="$home/target" CARGO_PROFILE_DEV_DEBUG=0 CARGO_PROFILE_DEV_OPT_LEVEL=0
# A sample of the enumerated readings of the far side: a rotation in a gap, and one in the midst of a cycle.
export SIM_READING="${SIM_READING:-1,205}" RUST_BACKTRACE=0

# A crate $1 of the modules named after it.
crate() {
    crate=$out/$1
    shift
    rm -rf "$crate"
    mkdir -p "$crate/src"
    # The manifest without its binary, test and example targets.
    awk '/^\[/ { skip = /^\[\[/ } !skip' Cargo.toml >"$crate/Cargo.toml"
    printf '\n[workspace]\n' >>"$crate/Cargo.toml"
    cp Cargo.lock "$crate/"
    {
        echo '//! Parts of scim-rotator, to be bent.'
        echo 'extern crate self as scim_rotator;'
    } >"$crate/src/lib.rs"
    for module in "$@"; do
        case $module in
        tests/*)
            mkdir -p "$crate/tests"
            cp -R "$module" "$crate/tests/"
            printf '#[cfg(test)]\n#[path = "../%s/mod.rs"]\nmod %s;\n' "$module" "$(basename "$module")"
            ;;
        *)
            cp -R "src/$module" "$crate/src/"
            printf 'pub mod %s;\n' "$(basename "$module" .rs)"
            ;;
        esac >>"$crate/src/lib.rs"
    done
}

# Bends the files $2 and on in the crate $1.
bend() {
    crate=$out/$1
    shift
    for file in "$@"; do
        shift
        set -- "$@" --file "$file"
    done
    # 2 is for mutants that were missed, 3 for those that ran for too long: both are findings, and no failure.
    (cd "$crate" && cargo mutants --in-place --timeout "${TIMEOUT:-60}" --config "$home/tests/mutants/config.toml" --output "$crate" "$@") ||
        [ $? -le 3 ]
}

domain=
engine=
for file in "$@"; do
    case $file in
    src/domain/*) domain="$domain $file" ;;
    src/engine/*) engine="$engine $file" ;;
    *)
        echo "$file: only src/domain and src/engine are bent" >&2
        exit 1
        ;;
    esac
done
set -f
if [ -n "$domain" ]; then
    crate domain domain messages.rs
    # shellcheck disable=SC2086
    bend domain $domain
fi
if [ -n "$engine" ]; then
    crate engine domain engine messages.rs ports.rs sane_clock.rs words.rs tests/world tests/sim
    # shellcheck disable=SC2086
    bend engine $engine
fi
