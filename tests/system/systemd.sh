#!/usr/bin/env bash
# The Debian package on a real systemd: installed, configured against the sandbox, run, hung, upgraded and purged.
#
#   systemd.sh PACKAGE NEWER SANDBOX      two .deb of one binary, and the example `demo`, each by a path within this checkout
#
# What needs no systemd is tried by package.sh.
#
# As root, in a machine of its own (machine.sh), whose network is its own loopback. Time runs a minute in a second there.
set -euo pipefail
cd "$(dirname "$0")/../.."
. tests/system/checks.sh
. tests/system/machine.sh
package=$1 newer=$2 sandbox=$3
end() {
    local code=$?
    switch_off
    ended_with "$code"
    conclude
}
trap end EXIT

unit=scim-rotator.service
property() { inside systemctl show --value --property="$1" "${2:-$unit}"; }
is() { [ "$(property "$1" "${3:-$unit}")" = "$2" ] || { inside systemctl status --no-pager "${3:-$unit}"; false; }; }
journal() { inside journalctl --quiet --output=cat --unit="${1:-$unit}"; }
# What the unit has said since it was asked last to forget.
heard() { journal "$unit" | tail -n "+$((told + 1))"; }
forget() { told=$(journal "$unit" | wc -l); }
drop_in() { # UNIT NAME LINES…: a drop-in of a unit, as `systemctl edit` makes one
    local folder=/etc/systemd/system/$1.d file=$2.conf section=${1##*.}
    shift 2
    inside mkdir -p "$folder"
    printf '[%s]\n%s\n' "${section^}" "$*" | inside tee "$folder/$file" >/dev/null
    inside systemctl daemon-reload
}

# What slows a line down below is the kernel's, and loaded out here: a machine of its own has no modules.
slow_line() {
    modprobe sch_tbf
    unshare --net tc qdisc add dev lo root tbf rate 40kbit burst 4kb latency 60s
}
check "the kernel can slow a line down, by its module sch_tbf" slow_line
# Without it the rest is not worth its minutes.
[ "$failed" -eq 0 ]

## The units, as files

hardening() { sed -n '/^DynamicUser/,/^SystemCallErrorNumber/p' "$1"; }
same_hardening() { diff <(hardening deploy/systemd/$unit) <(hardening deploy/systemd/scim-rotator-once.service); }
check "the daemon and the one-shot run are hardened alike" same_hardening

## Installed

# Whatever of the system bears its name. (What a package brings below /usr dpkg takes away itself.)
all_of_it() {
    inside find /etc /var/lib /run /tmp -name '*scim*rotator*' ! -path '/run/credentials/*' | sort
    inside getent group scim-rotator-admin || true
    inside systemctl list-units --all --plain --no-legend 'scim-rotator*'
}

boot
all_of_it >"$machine/before"
check "the package installs on a booted system" inside dpkg --install "/src/$package"
check "nothing is started before it is configured" is ActiveState inactive
check "nothing is enabled either" is UnitFileState disabled
check "systemd has nothing to say about the units" \
    is_silent inside systemd-analyze verify /usr/lib/systemd/system/scim-rotator{.service,-once.service,-once.timer}
for name in scim-rotator scim-rotator-once; do
    check "the exposure of $name is 1.5 at most" \
        inside systemd-analyze security --no-pager --threshold=15 "$name.service"
done
# shellcheck disable=SC2016
check "the configuration is a conffile" says '^ /etc/scim-rotator/scim-rotator.toml ' \
    inside dpkg-query --show --showformat='${Conffiles}\n' scim-rotator
check "each command has its manual page" inside test -s /usr/share/man/man1/scim-rotator-rotate.1.gz
for file in bash-completion/completions/scim-rotator zsh/vendor-completions/_scim-rotator \
    fish/vendor_completions.d/scim-rotator.fish doc/scim-rotator/{copyright,changelog.Debian.gz,THIRD-PARTY-LICENSES.gz}; do
    check "/usr/share/$file is there" inside test -s "/usr/share/$file"
done
check "the version tells the commit and its day" says '^scim-rotator [^ ]+ \([0-9a-f]{12}, [0-9-]{10}\)$' \
    inside scim-rotator --version

## Configured

# One secret is handed over as it is, the others encrypted to this machine.
etc=/etc/scim-rotator
far_side=
play_far_side() { # NAME
    far_side=$1
    inside rm -rf /root/sandbox
    inside systemd-run --quiet --unit="$far_side" --property=KillSignal=SIGTERM "/src/$sandbox" --serve /root/sandbox 60
    until_so inside test -s /root/sandbox/sandbox/hpe-client-secret-b >/dev/null
    inside cp /root/sandbox/sandbox/ca.pem $etc/ca.pem
    inside cp /root/sandbox/sandbox/azure-client-secret $etc/secrets/azure
    inside rm -f $etc/secrets/hpe-a.cred $etc/secrets/hpe-b.cred
    for letter in a b; do
        inside systemd-creds encrypt --with-key=host --name="hpe-$letter" \
            "/root/sandbox/sandbox/hpe-client-secret-$letter" "$etc/secrets/hpe-$letter.cred" 2>/dev/null
    done
}
configure() { # UNIT: what the sandbox wrote, with its secrets where the unit hands them over
    inside sed -e "s|\./sandbox/ca.pem|$etc/ca.pem|" -e "s|\./sandbox/azure-client-secret|/run/credentials/$1/azure|" \
        -e "s|\./sandbox/hpe-client-secret-|/run/credentials/$1/hpe-|" /root/sandbox/scim-rotator.toml |
        inside tee $etc/scim-rotator.toml >/dev/null
    drop_in "$1" credentials "LoadCredential=azure:$etc/secrets/azure
LoadCredentialEncrypted=hpe-a:$etc/secrets/hpe-a.cred
LoadCredentialEncrypted=hpe-b:$etc/secrets/hpe-b.cred"
}
inside useradd admin --groups scim-rotator-admin
inside useradd other
by_options() {
    inside scim-rotator init --force --offline --non-interactive --output $etc/scim-rotator.toml --credential managed-identity \
        --service-principal 00000000-0000-4000-8000-000000000001 --tenant-url https://scim.example.com/scimproxy \
        --vault contoso --hpe-auth glcs --hpe-issuer https://iam.us1.greenlake-hpe.com/oauth2/contoso/aus4x --hpe-client-id 0oa4x \
        --hpe-client-secret-file /run/credentials/$unit/hpe
}
check "init says where a secret is kept that systemd is to hand over" says "/dev/stdin $etc/secrets/hpe\$" by_options
check "what it writes can be read by everybody, as the service has to" inside runuser -u other -- scim-rotator config check
play_far_side far-side
configure $unit
forget

## Started

check "the service starts, which takes its READY" inside systemctl enable --now $unit
check "it is enabled now" is UnitFileState enabled
check "STATUS says how things stand" until_so says '2 connections, all well' property StatusText
# The first token is the one that Entra held before.
rotated() { says "$1 +Entra saves token 2$" journal "$far_side"; }
for name in overlap remove-current; do
    check "$name is rotated, with an encrypted credential" until_so rotated $name
done
check "all is ready by its own account" until_so inside scim-rotator health --ready
limits() { inside cat "/proc/$(property MainPID)/limits"; }
check "it leaves no core" says '^Max core file size +0 +0 ' limits
check "nor is one of its memory piped to anybody" says '^0+$' inside cat "/proc/$(property MainPID)/coredump_filter"
check "it is nobody that has an account" says '^scim-rotator$' inside stat --format=%U /run/scim-rotator/scim-rotator.lock
check "it signs with the name of its host" says '\(as scim-rotator-test/' inside scim-rotator doctor overlap
order() { inside runuser -u "$1" -- scim-rotator hold overlap --for 1day; }
check "whoever is in the group scim-rotator-admin may give orders" order admin
check "and the log tells who it was" until_so says "a command has come.*\"peer.uid\":$(inside id --user admin)," journal
refused "whoever is not may give none" order other
check "for he cannot open the socket" says 'control.sock cannot be opened' order other
inside scim-rotator --quiet release overlap >/dev/null

## Reloaded

pid=$(property MainPID)
forget
inside sed -i 's/^confirm_within = .*/confirm_within = "5h"/' $etc/scim-rotator.toml
check "a reload is carried out" inside systemctl reload $unit
check "the configuration was read again" until_so says 'the configuration was read again' heard
inside cp $etc/scim-rotator.toml /root/good.toml
inside sed -i 's/^confirm_within = .*/confirm_within = "soon"/' $etc/scim-rotator.toml
inside systemctl reload $unit
check "a bad configuration is refused, and STATUS says so" \
    until_so says 'the new configuration is refused' property StatusText
check "the same process goes on" is MainPID "$pid"
inside systemctl restart $unit 2>/dev/null || true
check "started with a bad one it ends with 78" until_so is ExecMainStatus 78
check "and is not started again, nor about to be" until_so is ActiveState failed
check "not once" is NRestarts 0
inside cp /root/good.toml $etc/scim-rotator.toml
check "a good one mends that" inside systemctl restart $unit

## Hung, and killed

# Short enough to be waited for, and longer than a busy machine may stall a process that is well.
drop_in $unit watchdog WatchdogSec=10s
inside systemctl restart $unit
until_so says '2 connections' property StatusText >/dev/null
pid=$(property MainPID)
has_restarted() { [ "$(property NRestarts)" -ge "$1" ] && is ActiveState active && [ "$(property MainPID)" != "$pid" ]; }
inside kill -STOP "$pid"
SECONDS_TO_WAIT=120 check "the watchdog bites a process that hangs" until_so says 'Watchdog timeout' journal $unit
check "and it is started again" until_so has_restarted 1
check "no core was dumped" not says 'code=dumped' journal $unit
pid=$(property MainPID)
inside kill -KILL "$pid"
check "a process that is killed is started again" until_so has_restarted 2
check "and takes its work up" until_so says '2 connections, all well' property StatusText
inside rm -r /etc/systemd/system/$unit.d/watchdog.conf
inside systemctl daemon-reload
inside systemctl restart $unit

## Upgraded in the middle of a rotation

until_so inside scim-rotator health --ready >/dev/null
forget
# A line so slow that a rotation takes some seconds; and once the new token is there, nobody answers until the upgrade has
# told the old process to end.
inside ip link set lo mtu 1500
inside tc qdisc add dev lo root tbf rate 40kbit burst 4kb latency 60s
inside scim-rotator --quiet rotate overlap >"$machine/order" 2>&1 &
order=$!
check "a rotation is under way" until_so says '"step":"(store the new|have Entra test the new|give Entra the new)' heard
inside systemctl kill --signal=STOP "$far_side"
inside dpkg --install "/src/$newer" >"$machine/upgrade" 2>&1 &
upgrade=$!
check "the upgrade tells the old process to end" until_so says 'ending; a rotation under way' heard
inside systemctl kill --signal=CONT "$far_side"
inside tc qdisc del dev lo root
wait $upgrade && upgraded=0 || upgraded=$?
check "the package is upgraded" [ "$upgraded" -eq 0 ]
wait $order && carried_out=0 || carried_out=$?
check "who ordered the rotation is told that it was carried out" [ "$carried_out" -eq 0 ]
ended_before_the_rotation() {
    heard | awk '/"message":"ended"/ { exit } /ending; a rotation/ { told = NR } /"step":"promote/ { done = NR }
        END { exit !(told && told < done) }'
}
check "the old process brought it to its end after that" until_so ended_before_the_rotation
check "in its time" not says 'timed out' journal $unit
check "the new version runs" is ActiveState active
check "the configuration is kept" inside cmp /root/good.toml $etc/scim-rotator.toml
check "STATUS says that all is well" until_so says '2 connections, all well' property StatusText
check "Entra holds a working token" until_so inside scim-rotator doctor overlap

## Stopped

inside /var/lib/dpkg/info/scim-rotator.prerm remove
check "a removal stops it" is ActiveState inactive
inside /var/lib/dpkg/info/scim-rotator.postinst abort-remove 2>/dev/null
check "and starts it again where it is broken off" is ActiveState active
check "it stops when it is told to" inside systemctl stop $unit
check "by itself, and in time" is Result success
check "it leaves no runtime directory" not inside test -e /run/scim-rotator
inside dpkg --install "/src/$package" >/dev/null 2>&1
check "an upgrade starts nothing that does not run" is ActiveState inactive
inside systemctl disable --quiet $unit
inside systemctl stop "$far_side"
for name in overlap remove-current; do
    check "no provisioning cycle of $name has failed in all this" \
        until_so says "^$name +[0-9]+ tokens issued, [0-9]+ provisioning cycles succeeded, 0 failed" journal "$far_side"
done

## By a timer, without a daemon

unit=scim-rotator-once.service
play_far_side another-far-side
configure $unit
check "the timer is started" inside systemctl enable --now scim-rotator-once.timer
# Each hour, a quarter late at most.
comes_soon() {
    local turn
    turn=$(date --date "$(property NextElapseUSecRealtime scim-rotator-once.timer)" +%s)
    echo "in $((turn - $(date +%s))) seconds"
    [ $((turn - $(date +%s))) -gt -60 ] && [ $((turn - $(date +%s))) -le 4500 ]
}
check "its turn comes within the hour" comes_soon
# And never in between, while what it begins is begun by hand.
drop_in scim-rotator-once.timer never $'OnCalendar=\nOnCalendar=2100-01-01'
check "what is due is done" inside systemctl start $unit
check "and done well" is Result success
for name in overlap remove-current; do
    check "$name is rotated" until_so rotated $name
done
# As docs/install.md has it.
by_hand() {
    inside systemd-run --pipe --wait --quiet --collect --unit=scim-rotator-by-hand \
        --property="LoadCredential=azure:$etc/secrets/azure" \
        --property="LoadCredentialEncrypted=hpe-a:$etc/secrets/hpe-a.cred" \
        --property="LoadCredentialEncrypted=hpe-b:$etc/secrets/hpe-b.cred" \
        --property="BindReadOnlyPaths=/run/credentials/scim-rotator-by-hand.service:/run/credentials/$unit" "$@"
}
check "a command by hand can be handed the secrets too" by_hand scim-rotator doctor overlap
refused "which by itself finds none" inside scim-rotator doctor overlap
issued() { journal "$far_side" | grep -c 'HPE makes token'; }
before=$(issued)
# Before systemd 259 a condition is handed no credentials: in doubt, it holds, and the run itself finds nothing to do.
check "a run where nothing is due goes well" inside systemctl start $unit
# A login that needs no secret, as that of a managed identity, can be had by the condition too.
inside install -m 644 /root/sandbox/sandbox/azure-client-secret $etc/azure
inside sed -i "s|/run/credentials/$unit/azure|$etc/azure|" $etc/scim-rotator.toml
is_left_out() { inside systemctl reset-failed $unit && inside systemctl start $unit && is Result exec-condition; }
check "a condition that can see that nothing is due leaves the run out" until_so is_left_out
check "and nothing is issued" [ "$(issued)" -eq "$before" ]
inside systemctl reset-failed $unit
inside sed -i 's/^confirm_within = .*/confirm_within = "soon"/' $etc/scim-rotator.toml
inside systemctl start $unit 2>/dev/null || true
check "a bad configuration fails, and is not silently left out" is Result exit-code

## Removed and purged

# What an administrator may have left: masked, edited in full, wanted by something of his own, and limited by a command.
inside systemctl mask scim-rotator.service 2>/dev/null
inside cp /usr/lib/systemd/system/scim-rotator-once.service /etc/systemd/system/
inside systemctl add-requires timers.target scim-rotator-once.timer 2>/dev/null
inside systemctl set-property scim-rotator-once.service CPUWeight=50
inside systemctl set-property --runtime scim-rotator-once.service CPUWeight=40
check "the package is removed" inside dpkg --remove scim-rotator
check "which stops the timer" is ActiveState inactive scim-rotator-once.timer
check "and leaves the configuration" inside test -s $etc/scim-rotator.toml
check "the package is purged" inside dpkg --purge scim-rotator
check "which leaves nothing" diff "$machine/before" <(all_of_it)
