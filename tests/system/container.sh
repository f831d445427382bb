#!/usr/bin/env bash
# The image, built of the Dockerfile and run as docs/containers.md says: what is in it, that it rotates against the sandbox with a
# root that it cannot write, that its health check is green and red, and that it ends in time in the midst of a rotation.
#
# No image is pulled: a Debian with a C compiler stands in for a mirror of Rust's own image, with the toolchain and the registry of
# this machine put into it while it builds. As root. `make test-container` has installed what this needs.
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

served='' names=''
end() {
    podman rm --all --force --time 0 >/dev/null 2>&1 || true
    for one in $served $names; do kill "$one" 2>/dev/null || true; done
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
        mmdebstrap --quiet --aptopt='Acquire::Retries "5"' --format=tar --variant=minbase --include=gcc,libc6-dev,ca-certificates \
            bookworm "$kept/debian.tar.new"
        mv "$kept/debian.tar.new" "$kept/debian.tar"
    }
    local container
    container=$(buildah from scratch)
    buildah add --quiet "$container" "$kept/debian.tar" /
    buildah config --env PATH=/opt/rust/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin --env CARGO_NET_OFFLINE=true "$container"
    buildah commit --quiet --rm "$container" mirror.example/library/rust:1-bookworm
    # A base of somebody's own, which holds a word.
    container=$(buildah from scratch)
    echo ours >"$work/whose"
    buildah add --quiet "$container" "$work/whose" /etc/
    buildah commit --quiet --rm "$container" mirror.example/base
}

# The image, called $1.
build() {
    buildah bud --quiet --layers --pull-never --isolation chroot --format docker --volume "$toolchain:/opt/rust:ro" \
        --volume "$registry:/root/.cargo/registry:ro" --build-arg BUILDER=mirror.example/library/rust:1-bookworm \
        --build-arg SCIM_ROTATOR_COMMIT=0123456789abcdef0123456789abcdef01234567 --build-arg SOURCE_DATE_EPOCH=1785000000 \
        --tag "$1" "${@:2}" .
}

of_image() {
    podman image inspect --format "$1" scim-rotator
}

# What is in the image $1, as an archive.
content() {
    local container
    container=$(podman create "$1")
    podman export "$container"
    podman rm "$container" >/dev/null
}

# All files in it. Those of each container are left aside.
files() {
    content scim-rotator | tar -t | grep -vE '/$|^(dev|proc|sys)/|^run/\.containerenv$|^etc/(hosts|hostname|resolv\.conf|mtab)$' | sort
}

# As docs/containers.md says, but for the network, where the sandbox is, and for what Docker leaves out without being told.
told=$(sed -n '/^docker run/,/[^\\]$/{s/\\$//; p}' docs/containers.md | xargs)
here=(podman run --network host --read-only-tmpfs=false)

# A daemon of the image, called $1, over the folders in $2.
daemon() {
    local line=${told/docker run/${here[*]}}
    (cd "$2" && bash -c "${line/--name scim-rotator/--name $1}")
}

# The file for Compose, as that line.
composed() {
    sed -n '/^services:/,/^```/p' docs/containers.md | grep -v '^```' | target/system/bin/python -c '
import sys, yaml
[[name, it]] = yaml.safe_load(sys.stdin)["services"].items()
print("docker run --detach --name", name, "--hostname", it["hostname"], "--restart", it["restart"], "--stop-timeout", it["stop_grace_period"].rstrip("s"),
      "--read-only" * it["read_only"], "--tmpfs", *it["tmpfs"], "--cap-drop", *it["cap_drop"], "--security-opt", *it["security_opt"],
      *(f"--volume {volume}" for volume in it["volumes"]), it["image"])'
}

# Serves a sandbox, $2 times as fast as life, and puts what a daemon needs to know of it into the folders $1/config and $1/secrets.
serve() {
    "$demo" --serve "$1" "$2" >"$1.story" 2>&1 &
    served=$!
    until_it grep '^served on' "$1.story"
    mkdir "$1/config"
    mv "$1/sandbox/ca.pem" "$1/scim-rotator.toml" "$1/config/"
    mv "$1/sandbox" "$1/secrets"
    sed -i 's,\./sandbox/ca.pem,ca.pem,; s,\./sandbox/,/run/secrets/scim-rotator/,' "$1/config/scim-rotator.toml"
    chown -R 65532 "$1/secrets" && chmod -R u=rX,go= "$1/secrets"
}

# Serves one as a pod has it, in $1: the secrets are root's, for the group to read; real names and time, and no CA but the system's.
serve_pod() {
    serve "$1" 1
    chown -R 0:65532 "$1/secrets" && chmod -R u=rX,g=rX "$1/secrets"
    sed -i -e '/^\[sandbox\]/,/^$/d' -e '/^ca_file/d' -e 's/^\[azure\]/&\nvault_suffix = "vault.sandbox.test"/' "$1/config/scim-rotator.toml"
    target/system/bin/python tests/system/names.py >"$1.names" &
    names=$!
    until_it grep served "$1.names"
}

# A command there, or the daemon: nothing can be written but /run/scim-rotator. The sandbox's CA stands where the image has all others.
as_a_pod() {
    "${here[@]}" --dns 127.0.0.9 --read-only --user 65532:65532 --cap-drop all --security-opt no-new-privileges \
        --mount type=tmpfs,destination=/run/scim-rotator,tmpfs-mode=2777 --volume "$pod/config:/etc/scim-rotator:ro" \
        --volume "$pod/secrets:/run/secrets/scim-rotator:ro" --volume "$pod/config/ca.pem:/etc/ssl/certs/ca-certificates.crt:ro" "$@"
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

# What the image asks of itself, where no daemon is.
health_of_nobody() {
    local command
    read -ra command <<<"$(of_image '{{join (slice .HealthCheck.Test 1) " "}}')"
    [ "${command[0]}" = /usr/bin/scim-rotator ] || return 1
    "${here[@]}" --rm --volume "$1/config:/etc/scim-rotator:ro" --entrypoint "${command[0]}" scim-rotator "${command[@]:1}" >"$work/said" 2>&1
    local status=$?
    cat "$work/said"
    [ "$status" = 1 ] && grep 'no daemon answers in /tmp/scim-rotator' "$work/said"
}

# An order with a word by standard input: who may read what is handed over so has read it.
brings() {
    podman exec --interactive "$1" /usr/bin/scim-rotator adopt overlap --token-file /dev/stdin <<<'this is no token' >"$work/said" 2>&1 || true
    cat "$work/said"
    grep 'holds no token' "$work/said"
}

# Puts a line into the place of $2 as an editor does, by a new file, and has the daemon $1 read it.
edit() {
    sed -i "s/$2/$3/" "$fast/config/scim-rotator.toml" && podman kill --signal HUP "$1"
}

# All that doctor has said in $2 of the hop $1.
only_ok() {
    cat "$2"
    grep -E "^  ok +$1" "$2" && ! grep -E "^  (FAULT|warning|skipped) +$1" "$2"
}

says_health() {
    podman exec "$1" /usr/bin/scim-rotator health | grep -F "$2"
}

check "the scripts are clean" shellcheck -x tests/system/container.sh
check "the Dockerfile is clean" target/system/bin/hadolint Dockerfile
check "a builder stands in for Rust's image" stand_in
check "the image is built" build scim-rotator

size=$(of_image '{{.Size}}')
check "it takes 30 MB at most ($((size / 1000)) kB)" test "$size" -le 30000000
check "it holds the program, certificates, licences, and nothing else" same "$(files)" "etc/ssl/certs/ca-certificates.crt
usr/bin/scim-rotator
usr/share/doc/scim-rotator/LICENSE-APACHE
usr/share/doc/scim-rotator/LICENSE-MIT"
refused "there is no shell in it" podman run --rm --entrypoint /bin/sh scim-rotator -c true
check "its user is a number, and not root's" same 65532:65532 "$(of_image '{{.User}}')"
check "its certificates are those of many CAs" test "$(content scim-rotator | tar -xO etc/ssl/certs/ca-certificates.crt | grep -c '^-----BEGIN')" -ge 100
check "it is built upon another base" build on-another --build-arg RUNTIME=mirror.example/base
check "which stays as it is" same ours "$(content on-another | tar -xO etc/whose)"
check "and runs there" podman run --rm on-another --version
check "Compose runs it as the line does" same "$(composed)" "$told"
check "its labels say of which release it is" same "$(podman run --rm scim-rotator --version | cut -d ' ' -f 2)" "$(of_image '{{index .Labels "org.opencontainers.image.version"}}')"
check "and of which commit" same 0123456789abcdef0123456789abcdef01234567 "$(of_image '{{index .Labels "org.opencontainers.image.revision"}}')"
check "without a configuration it ends by 78" bash -c 'podman run --rm scim-rotator; test $? = 78'

fast=$work/fast slow=$work/slow pod=$work/pod
serve "$fast" 3600
check "its health check is red without a daemon" health_of_nobody "$fast"
check "it starts, read-only and as nobody" daemon fast "$fast"
# Nothing below holds without it.
[ "$failed" = 0 ] || { conclude; exit; }
check "its health check turns green" until_it podman healthcheck run fast
for name in overlap remove-current; do
    check "it gives Entra a new token by $name" until_it grep -E " $name +Entra saves token [3-9]" "$fast.story"
done
check "a command beside it finds it" podman exec fast /usr/bin/scim-rotator status
check "it reads a token that is handed over by standard input" brings fast
check "an editor leaves a bad configuration" edit fast '^check = "0 ' 'check = "bad '
check "which a reload refuses" until_it says_health fast 'the new configuration is refused'
check "and then a good one" edit fast '^check = "bad ' 'check = "0 '
check "which it takes" until_it not says_health fast 'the new configuration is refused'
pid=$(podman inspect --format '{{.State.Pid}}' fast)
kill -STOP "$pid"
check "its health check is red while the daemon hangs" is_red fast
kill -CONT "$pid"
check "and green when it goes on" until_it podman healthcheck run fast
check "it can be stopped" podman stop fast
check "by itself, with 0" same 0 "$(exit_of fast)"
end_of_sandbox
check "no provisioning cycle has failed" same 0 "$well"

# An hour in a minute: a rotation that waits until no cycle can be running any more takes some seconds.
serve "$slow" 60
check "another one starts" daemon slow "$slow"
check "and is well" until_it podman healthcheck run slow
check "its first rotation is under way, with the job paused" until_it grep ' overlap .*the job is paused by' "$slow.story"
check "it is stopped in the midst of it" podman stop slow
check "and ends by itself, with 0" same 0 "$(exit_of slow)"
# At its end it has told all.
end_of_sandbox
check "no pause is left behind" same "$(grep -c ' overlap .*the job is paused by' "$slow.story")" "$(grep -c ' overlap .*the job is started by' "$slow.story")"
check "no provisioning cycle has failed there" same 0 "$well"

serve_pod "$pod"
check "as a pod has it, it starts" as_a_pod --detach --name pod scim-rotator
check "and its health check turns green" until_it podman healthcheck run pod
as_a_pod --rm scim-rotator doctor overlap >"$work/said" 2>&1 || true
for hop in dns tls 'token HPE'; do
    check "all is well there with $hop" only_ok "$hop" "$work/said"
done
check "and it can be stopped" podman stop --time 300 pod
end_of_sandbox
conclude
