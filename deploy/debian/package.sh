#!/bin/sh
# Makes a Debian package of the release binary that is built, and prints where it is: package.sh [REVISION]
#
# Manual pages and completions come out of the binary itself, and the changelog out of CHANGELOG.md. The same commit makes
# the same package, to the byte.
set -eu
cd "$(dirname "$0")/../.."

binary=${CARGO_TARGET_DIR:-target}/release/scim-rotator
made=target/package
manifest() { sed -n "s/^$1 = \"\(.*\)\"$/\1/p" Cargo.toml | head -n 1; }
version=$(manifest version)-${1:-1}
SOURCE_DATE_EPOCH=$(deploy/release/commit.sh time)
export SOURCE_DATE_EPOCH PYTHONDONTWRITEBYTECODE=1

rm -rf "$made"
mkdir -p "$made/man"
"$binary" man --dir "$made/man" >/dev/null
"$binary" completions bash >"$made/scim-rotator"
"$binary" completions zsh >"$made/_scim-rotator"
"$binary" completions fish >"$made/scim-rotator.fish"
deploy/debian/changelog.py "$version" "$(manifest maintainer)" <CHANGELOG.md >"$made/changelog"
deploy/release/licences.py "$(rustc -vV | sed -n 's/^host: //p')" | gzip -9n >"$made/THIRD-PARTY-LICENSES.gz"

cargo deb --quiet --locked --no-build --deb-version "$version" --output "$made" >/dev/null
ls "$made"/*.deb
