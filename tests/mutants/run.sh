#!/bin/sh
# Bends each line of the given files of src/domain, src/engine and src/sane_clock.rs once, and asks the fast tests which of it they
# notice: all of them but the pairs of crashes and the years at random, and a sample of the enumerated readings.
#
# To build the program for each of two thousand mutants would take a night. So a crate is made of what is asked alone (the domain, the
# engine and the simulated world), and all mutants are built into it at once (tests/mutants/bend.py). It stands in target/mutants,
# with what became of each mutant in bent.json. RESUME=yes goes on with what a run that was broken off has not asked.
#
#   tests/mutants/run.sh src/domain/attempts.rs 'src/engine/*.rs'
set -eu
cd "$(dirname "$0")/../.."
home=$(pwd)
out=$home/target/mutants
python=$out/python/bin/python

# Nothing is looked at in a debugger. Two readings: a rotation in a gap between two cycles, and one in the midst of one.
export CARGO_TARGET_DIR="$out/target" CARGO_PROFILE_DEV_DEBUG=0 RUST_BACKTRACE=0 SIM_READING="${SIM_READING:-1,205}"
LEFT_OUT='two_crashes|^sim::random|face_tests'

# A crate of the modules named.
crate() {
    rm -rf "$out/crate"
    mkdir -p "$out/crate/src"
    # The manifest without its binary, test and example targets, and without what it forbids: choices at run time are no good style.
    awk '/^\[/ { skip = /^\[\[/ || /^\[lints/ } !skip' Cargo.toml >"$out/crate/Cargo.toml"
    printf '\n[workspace]\n' >>"$out/crate/Cargo.toml"
    cp Cargo.lock "$out/crate/"
    {
        echo '//! Parts of scim-rotator, to be bent.'
        echo 'extern crate self as scim_rotator;'
    } >"$out/crate/src/lib.rs"
    for module in "$@"; do
        case $module in
        tests/*)
            mkdir -p "$out/crate/tests"
            cp -R "$module" "$out/crate/tests/"
            printf '#[cfg(test)]\n#[path = "../%s/mod.rs"]\nmod %s;\n' "$module" "$(basename "$module")"
            ;;
        *)
            cp -R "src/$module" "$out/crate/src/"
            printf 'pub mod %s;\n' "$(basename "$module" .rs)"
            ;;
        esac >>"$out/crate/src/lib.rs"
    done
}

for file in "$@"; do
    shift
    case $file in
    src/domain/* | src/engine/* | src/sane_clock.rs) set -- "$@" --file "$file" ;;
    *)
        echo "$file: only src/domain, src/engine and src/sane_clock.rs are bent" >&2
        exit 1
        ;;
    esac
done
mkdir -p "$out"
[ "${RESUME:-}" = yes ] || rm -f "$out/bent.json"
cargo mutants --list --json --config tests/mutants/config.toml "$@" >"$out/list.json"
crate domain engine messages.rs ports.rs sane_clock.rs words.rs tests/world tests/sim
"$python" tests/mutants/bend.py build "$out/crate" "$out/list.json"
"$python" tests/mutants/bend.py trace "$out/crate" "$LEFT_OUT"
"$python" tests/mutants/bend.py ask "$out/crate" "$out/bent.json"
