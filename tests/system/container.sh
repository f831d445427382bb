#!/usr/bin/env bash
# The image, built of the Dockerfile and run as docs/containers.md says: what is in it, that it rotates against the sandbox with a
# root that it cannot write, that its health check is green and red, and that it ends in time in the midst of a rotation.
#
# No image is pulled: a Debian with a C compiler stands in for Rust's own image under its name, with the toolchain and the registry
# of this machine put into it while it builds. As root. `make test-container` has installed what this needs.
set -euo pipefail
cd "$(dirname "$0")/../.."
. tests/system/checks.sh

demo=$(realpath "${1:?usage: container.sh DEMO}")
toolchain=${TOOLCHAIN:-$(rustc --print sysroot)}
registry=${CARGO_HOME:-$HOME/.cargo}/registry
kept=$PWD/target/container
work=$(mktemp -d)
mkdir -p "$kept/storage" "$work/run"
cat >"$work/containers.conf" <<'END'
[engine]
cgroup_manager = "cgroupfs"
events_logger = "file"
runtime = "runc"
[containers]
default_ulimits = ["nofile=1024:1024", "nproc=4096:4096"]
END
cat >"$work/storage.conf" <<END
[storage]
driver = "overlay"
graphroot = "$kept/storage"
runroot = "$work/run"
END
export CONTAINERS_CONF=$work/containers.conf CONTAINERS_STORAGE_CONF=$work/storage.conf

served=''
end() {
    podman rm --all --force --time 0 >/dev/null 2>&1 || true
    [ -z "$served" ] || kill "$served" 2>/dev/null || true
    umount "$kept/storage/overlay" 2>/dev/null || true
    rm -rf "$work"
}
trap end EXIT

# Waits until a command succeeds, two minutes at most.
until_it() {
    local _
    for _ in $(seq 600); do
        if "$@" >/dev/null 2>&1; then return; fi
        sleep 0.2
    done
    echo "never came: $*"
    return 1
}

stand_in() {
    [ -s "$kept/debian.tar" ] || {
        mmdebstrap --quiet --variant=minbase --include=gcc,libc6-dev,ca-certificates bookworm "$kept/debian.tar.new"
        mv "$kept/debian.tar.new" "$kept/debian.tar"
    }
    local container
    container=$(buildah from scratch)
    buildah add --quiet "$container" "$kept/debian.tar" /
    buildah config --env PATH=/opt/rust/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin --env CARGO_NET_OFFLINE=true "$container"
    buildah commit --quiet --rm "$container" docker.io/library/rust:1-bookworm
}

build() {
    buildah bud --quiet --layers --pull-never --isolation chroot --format docker --volume "$toolchain:/opt/rust:ro" \
        --volume "$registry:/root/.cargo/registry:ro" --build-arg SCIM_ROTATOR_COMMIT=0123456789abcdef0123456789abcdef01234567 \
        --build-arg SOURCE_DATE_EPOCH=1785000000 --tag scim-rotator .
}

of_image() {
    podman image inspect --format "$1" scim-rotator
}

# Everything in the image, folders aside.
files() {
    local container
    container=$(podman create scim-rotator)
    podman export "$container" | tar -t | grep -v '/$'
    podman rm "$container" >/dev/null
}

# A daemon of the image, called $1, over the sandbox in $2.
daemon() {
    podman run --detach --name "$1" --network host --read-only --read-only-tmpfs=false --user 65532:65532 --cap-drop all \
        --security-opt no-new-privileges --tmpfs /tmp --volume "$2:/etc/scim-rotator:ro" scim-rotator
}

# Serves the sandbox in $1, $2 times as fast as life.
serve() {
    "$demo" --serve "$1" "$2" >"$1.story" 2>&1 &
    served=$!
    until_it grep '^served on' "$1.story"
    chown -R 65532:65532 "$1"
}

# Ends the sandbox, which is well only if no provisioning cycle has failed: $well.
end_of_sandbox() {
    well=0
    kill "$served"
    wait "$served" || well=$?
    served=''
}

exit_of() {
    podman inspect --format '{{.State.ExitCode}}' "$1"
}

is_red() {
    not podman healthcheck run "$1"
}

check "the scripts are clean" shellcheck -x tests/system/container.sh
check "the Dockerfile is clean" target/system/bin/hadolint Dockerfile
check "a builder stands in for Rust's image" stand_in
check "the image is built" build

size=$(of_image '{{.Size}}')
check "it takes 30 MB at most ($((size / 1000)) kB)" test "$size" -le 30000000
check "it holds the program, certificates, licences, and nothing else" same "$(files | grep -vE '^(dev|proc|sys|run/\.containerenv|etc/(hosts|hostname|resolv.conf|mtab))' | sort)" "etc/ssl/certs/ca-certificates.crt
usr/bin/scim-rotator
usr/share/doc/scim-rotator/LICENSE-APACHE
usr/share/doc/scim-rotator/LICENSE-MIT"
refused "there is no shell in it" podman run --rm --entrypoint /bin/sh scim-rotator -c true
check "its user is a number, and not root's" same 65532:65532 "$(of_image '{{.User}}')"
check "its labels say of which release it is" same "$(podman run --rm scim-rotator --version | cut -d ' ' -f 2)" "$(of_image '{{index .Labels "org.opencontainers.image.version"}}')"
check "and of which commit" same 0123456789abcdef0123456789abcdef01234567 "$(of_image '{{index .Labels "org.opencontainers.image.revision"}}')"
check "without a configuration it ends by 78" bash -c 'podman run --rm scim-rotator; test $? = 78'

fast=$work/fast slow=$work/slow
serve "$fast" 3600
check "it starts, read-only and as nobody" daemon fast "$fast"
# Nothing below holds without it.
[ "$failed" = 0 ] || { conclude; exit; }
check "its health check turns green" until_it podman healthcheck run fast
for name in overlap remove-current; do
    check "it gives Entra a new token by $name" until_it grep -E " $name +Entra saves token [3-9]" "$fast.story"
done
check "a command beside it finds it" podman exec fast /usr/bin/scim-rotator status
pid=$(podman inspect --format '{{.State.Pid}}' fast)
kill -STOP "$pid"
check "its health check is red while the daemon hangs" is_red fast
kill -CONT "$pid"
check "and green when it goes on" until_it podman healthcheck run fast
check "it can be stopped" podman stop --time 300 fast
check "by itself, with 0" same 0 "$(exit_of fast)"
check "its health check is red when it is not there" is_red fast
end_of_sandbox
check "no provisioning cycle has failed" same 0 "$well"

# An hour in a minute: a rotation that waits until no cycle can be running any more takes some seconds.
serve "$slow" 60
check "another one starts" daemon slow "$slow"
check "and is well" until_it podman healthcheck run slow
check "its first rotation is under way, with the job paused" until_it grep ' overlap .*the job is paused by' "$slow.story"
check "it is stopped in the midst of it" podman stop --time 300 slow
check "and ends by itself, with 0" same 0 "$(exit_of slow)"
check "no pause is left behind" same "$(grep -c ' overlap .*the job is paused by' "$slow.story")" "$(grep -c ' overlap .*the job is started by' "$slow.story")"
end_of_sandbox
check "no provisioning cycle has failed there" same 0 "$well"
conclude
