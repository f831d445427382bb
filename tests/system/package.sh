#!/usr/bin/env bash
# The Debian package, and what it is made by; tried on a clean Debian that holds its base alone, to which apt brings what it needs.
#
#   package.sh PACKAGE      a .deb, by a path within this checkout
#
# As root, with Debian's mirror at hand. No systemd runs there: for that see systemd.sh.
set -euo pipefail
cd "$(dirname "$0")/../.."
. tests/system/checks.sh
package=$1
# A base is made once.
kept=target/clean
work=$(mktemp -d /dev/shm/scim-rotator-clean.XXXXXX)
end() {
    local code=$?
    if mountpoint -q "$work/root/proc"; then umount "$work/root/proc"; fi
    if mountpoint -q "$work/root"; then umount "$work/root"; fi
    rm -rf "$work"
    ended_with "$code"
    conclude
}
trap end EXIT

check "the scripts are clean" shellcheck -x tests/apt.sh tests/system/{package,systemd,machine,checks}.sh \
    deploy/debian/{package.sh,postinst,postrm,prerm} deploy/release/{commit,dist}.sh

## What it is made by

# changelog VERSION: what Debian is told of the changelog that comes in.
changelog() { SOURCE_DATE_EPOCH=86400 deploy/debian/changelog.py "$1" 'Somebody <somebody@example.com>'; }
released='## [0.2.0] - 2026-05-01

Made for those who wait.

- Without a group.

### Fixed
- One thing, which
  takes two lines.
- Another.

[Unreleased]: https://example.com/compare
[0.2.0]: https://example.com/0.2.0'
of_release='  Made for those who wait.
  * Without a group.
  [ Fixed ]
  * One thing, which takes two lines.
  * Another.

 -- Somebody <somebody@example.com>  Fri, 01 May 2026 00:00:00 +0000'
entry() { printf 'scim-rotator (%s) unstable; urgency=medium\n\n%s\n' "$1" "$2"; }
# tells ENTRIES VERSION UNRELEASED: an entry ends with a line that is empty.
tells() { same "$1" "$(printf '# Changelog\n\n## [Unreleased]\n%s\n\n%s\n' "$3" "$released" | changelog "$2" 2>&1)"; }
undated=' -- Somebody <somebody@example.com>  Fri, 02 Jan 1970 00:00:00 +0000'
older=$(entry 0.2.0-1 "$of_release")
check "a release is told once, with its prose, and without the links below" tells "$older" 0.2.0-1 ''
check "another package of it says that it is no more" \
    tells "$(entry 0.2.0-2 "  * Nothing has changed but the package.

$undated")

$older" 0.2.0-2 ''
check "what is not released is told under the version that is packaged" \
    tells "$(entry 0.3.0-1 "  [ Added ]
  * More.

$undated")

$older" 0.3.0-1 $'\n### Added\n- More.'
check "a version that nothing is told of is not packaged" \
    tells "CHANGELOG.md tells nothing of 0.3.0" 0.3.0-1 ''
check "nor is a released one that something is told of since" \
    tells "CHANGELOG.md has 0.2.0 released, and tells of what is not: the next version goes into Cargo.toml" 0.2.0-1 $'\n- More.'

# A copy without a repository of its own, below somebody else's.
copy=$work/release/deploy/release
mkdir -p "$copy"
cp deploy/release/commit.sh "$copy/"
theirs() { git -C "$work" -c user.name=somebody -c user.email=somebody@example.com "$@"; }
theirs init --quiet
theirs commit --quiet --allow-empty --message theirs
time_of() { env "$@" "$copy/commit.sh" time; }
refused "without a repository of its own a release has no time" time_of -u SOURCE_DATE_EPOCH
check "which is told with its remedy" says 'say so in SOURCE_DATE_EPOCH' time_of -u SOURCE_DATE_EPOCH
check "said so, it has one" same 86400 "$(time_of SOURCE_DATE_EPOCH=86400)"
mv "$work/.git" "$work/release/.git"
check "with one, it has that of the commit" same "$(git -C "$work/release" log -1 --format=%ct)" "$(time_of -u SOURCE_DATE_EPOCH)"
refused "what is not committed is not released" "$copy/commit.sh" is-all
check "which is told" says 'made of what is committed, and this is not' "$copy/commit.sh" is-all
rm -r "$work/release"

## On a clean system

clean_system() {
    [ -s "$kept/base.tar" ] || {
        mkdir -p "$kept"
        mmdebstrap --quiet --aptopt='Acquire::Retries "5"' --format=tar --variant=minbase bookworm "$kept/base.tar.new"
        mv "$kept/base.tar.new" "$kept/base.tar"
    }
    mkdir "$work"/{base,upper,work,root}
    tar --extract --file "$kept/base.tar" --directory "$work/base"
    mount -t overlay overlay -o "lowerdir=$work/base,upperdir=$work/upper,workdir=$work/work" "$work/root"
    mount -t proc proc "$work/root/proc"
    cp /etc/resolv.conf "$work/root/etc/"
    cp "$package" "$work/root/root/package.deb"
}
inside() {
    chroot "$work/root" env --ignore-environment PATH=/usr/sbin:/usr/bin:/sbin:/bin DEBIAN_FRONTEND=noninteractive \
        LC_ALL=C.UTF-8 ${http_proxy:+http_proxy="$http_proxy"} "$@"
}
apt() { inside apt-get --quiet --quiet --option Acquire::Retries=5 --assume-yes --no-install-recommends "$@"; }
all_of_it() {
    inside find / -xdev -name '*scim*rotator*'
    inside getent group scim-rotator-admin || true
}
check "a Debian of its base alone is there" clean_system
# Nothing below holds without it.
mountpoint -q "$work/root/proc"
check "it knows what there is" apt update
check "apt installs the package, with all that it needs" apt install /root/package.deb
# There is no manual page reader.
check "systemd has nothing to say about the units there" is_silent inside systemd-analyze verify --man=no \
    /usr/lib/systemd/system/scim-rotator{.service,-once.service,-once.timer}
check "the program runs there" says '^scim-rotator [0-9]' inside scim-rotator --version
check "the group of those who may give orders is there" inside getent group scim-rotator-admin
check "the secrets are open to root alone" says '^700 root$' inside stat --format='%a %U' /etc/scim-rotator/secrets
licences() { inside gzip -dc /usr/share/doc/scim-rotator/THIRD-PARTY-LICENSES.gz; }
check "the licences hold that of Rust's standard library" says '^  the standard library of rustc ' licences
check "and none of what is not compiled in" not says '^  (ring|quinn) ' licences
inside touch /etc/scim-rotator/secrets/hpe
check "it is removed" apt remove scim-rotator
check "which leaves the secrets" inside test -e /etc/scim-rotator/secrets/hpe
check "it is installed again" apt install /root/package.deb
check "over what was left" inside test -e /etc/scim-rotator/secrets/hpe
check "it is purged" apt purge scim-rotator
check "which leaves nothing" is_silent all_of_it
