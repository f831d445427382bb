#!/bin/sh
# Installs what tests need of Debian's packages, as root: apt.sh PACKAGE...
#
# A new machine updates itself, and a mirror may be away for a moment: what fails is tried again for ten minutes. Told to wait for
# locks, apt waits for that of dpkg, and not for those of its lists and its archives. An update that did not get all lists
# succeeds too: so both steps are tried again, until all is installed.
set -eu

[ "$(id -u)" -eq 0 ] || {
    echo "apt.sh: root can install what is missing: $*" >&2
    exit 1
}
export DEBIAN_FRONTEND=noninteractive
tried() { apt-get -q -o DPkg::Lock::Timeout=600 -o Acquire::Retries=5 "$@" </dev/null; }

end=$(($(date +%s) + 600))
until tried update && tried install --assume-yes --no-install-recommends "$@"; do
    if [ "$(date +%s)" -ge "$end" ]; then
        echo "apt.sh: apt could not install $* for ten minutes: see above why" >&2
        exit 1
    fi
    echo 'apt.sh: once more in ten seconds' >&2
    sleep 10
done
