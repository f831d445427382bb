# shellcheck shell=bash
# A machine of its own: a real systemd, booted by nspawn over an overlay of this one's root, which is not changed by it. Its
# only network is its own loopback.

# A place in memory: systemd writes a lot, and an overlay cannot lie upon another.
machine=$(mktemp -d /dev/shm/scim-rotator-machine.XXXXXX)
leader=

# boot: until systemd says that it runs. This checkout is /src in it.
boot() {
    mkdir "$machine"/{upper,work,root}
    mount -t overlay overlay -o "lowerdir=/,upperdir=$machine/upper,workdir=$machine/work" "$machine/root"
    : >"$machine/root/etc/machine-id"
    echo scim-rotator-test >"$machine/root/etc/hostname"
    mkdir -p "$machine/root/src"
    # What this machine has been taught to start is no matter of the test.
    rm -rf "$machine"/root/etc/systemd/system/*.wants "$machine/root/usr/sbin/policy-rc.d"
    # To index all manual pages takes a minute.
    rm -f "$machine/root/var/lib/man-db/auto-update"
    ln -sf /lib/systemd/system/basic.target "$machine/root/etc/systemd/system/default.target"
    systemd-nspawn --quiet --register=no --keep-unit --directory="$machine/root" --bind-ro="$PWD:/src" --boot \
        --private-network >"$machine/console" 2>&1 </dev/null &
    nspawn=$!
    until_so has_first_process >/dev/null
    leader=$(first_process)
    until_so runs >/dev/null
    inside ip link set lo up
}

first_process() { pgrep --parent "$nspawn" | head -n 1; }
has_first_process() { [ -n "$(first_process)" ]; }
runs() { [[ $(inside systemctl is-system-running) =~ ^(running|degraded)$ ]]; }

# A command as root of that machine.
inside() {
    nsenter --target "$leader" --mount --pid --uts --ipc --net --cgroup --root env --chdir=/ --ignore-environment \
        PATH=/usr/sbin:/usr/bin:/sbin:/bin DEBIAN_FRONTEND=noninteractive LC_ALL=C.UTF-8 "$@"
}

# Whatever has happened, nothing of it stays.
switch_off() {
    if [ -n "${nspawn:-}" ] && kill -0 "$nspawn" 2>/dev/null; then
        [ -z "$leader" ] || inside systemctl poweroff --force >/dev/null 2>&1 || true
        SECONDS_TO_WAIT=20 until_so has_ended >/dev/null || kill -KILL "$leader" "$nspawn" 2>/dev/null || true
        wait "$nspawn" 2>/dev/null || true
    fi
    if mountpoint -q "$machine/root"; then umount "$machine/root"; fi
    rm -rf "$machine"
}

has_ended() { ! kill -0 "$nspawn" 2>/dev/null; }
