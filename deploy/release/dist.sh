#!/bin/sh
# Lays out a release in target/dist, of the release binary that is built: an archive, a Debian package, the bill of materials
# (CycloneDX), the licences of all libraries that are compiled in, and the checksums of all these.
set -eu
cd "$(dirname "$0")/../.."

binary=${CARGO_TARGET_DIR:-target}/release/scim-rotator
host=$(rustc -vV | sed -n 's/^host: //p')
version=$(sed -n 's/^version = "\(.*\)"$/\1/p' Cargo.toml)
name=scim-rotator-$version-$host
SOURCE_DATE_EPOCH=$(deploy/release/commit.sh time)
export SOURCE_DATE_EPOCH PYTHONDONTWRITEBYTECODE=1
dist=target/dist

rm -rf "$dist"
mkdir -p "$dist/$name"
deb=$(deploy/debian/package.sh)

cp "$binary" README.md CHANGELOG.md LICENSE-MIT LICENSE-APACHE "$dist/$name/"
gzip -dc target/package/THIRD-PARTY-LICENSES.gz >"$dist/$name/THIRD-PARTY-LICENSES"
mkdir -p "$dist/$name/man" "$dist/$name/completions" "$dist/$name/config" "$dist/$name/systemd"
cp target/package/man/*.1 "$dist/$name/man/"
cp target/package/scim-rotator target/package/_scim-rotator target/package/scim-rotator.fish "$dist/$name/completions/"
cp config/scim-rotator.toml config/*.schema.json "$dist/$name/config/"
cp deploy/systemd/* deploy/debian/scim-rotator.sysusers "$dist/$name/systemd/"
# The same commit makes the same archive, to the byte.
tar --create --directory "$dist" --sort=name --mtime="@$SOURCE_DATE_EPOCH" --owner=0 --group=0 --numeric-owner "$name" |
    gzip -9n >"$dist/$name.tar.gz"
cp "$dist/$name/THIRD-PARTY-LICENSES" "$dist/"
rm -r "${dist:?}/$name"
cp "$deb" "$dist/"

# It writes beside Cargo.toml, and nowhere else.
cargo cyclonedx --quiet --format json --spec-version 1.5 --target "$host" --no-build-deps --override-filename "$name.cdx"
deploy/release/bill.py "$host" <"$name.cdx.json" >"$dist/$name.cdx.json"
rm "$name.cdx.json"

(cd "$dist" && sha256sum -- * >SHA256SUMS && cat SHA256SUMS)
