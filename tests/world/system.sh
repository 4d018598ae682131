#!/bin/sh
# `make system`: installs from Debian what `make test-all` runs besides Python and Go, and leaves no service running.
set -eu

say() { echo "make system: $*" >&2; }

# Not on everybody's PATH, and three of these programs are there.
PATH=$PATH:/usr/sbin:/sbin

missing() {
    for program in prometheus promtool prometheus-pushgateway chromium node npm \
        buildah podman runc debootstrap update-ca-certificates; do
        command -v "$program" >/dev/null || printf ' %s' "$program"
    done
}

# Purely virtual names and names that only other packages mention pass `apt-cache show` without a line.
known() { apt-cache show "$1" 2>/dev/null | grep -q .; }

# A program's package has its name as a rule; until Debian 13 promtool came with prometheus.
packages() {
    for name in $wanted; do
        case $name in
            node) printf ' nodejs' ;;
            update-ca-certificates) printf ' ca-certificates' ;;
            # Elsewhere than in Debian, debootstrap only recommends the keys by which it knows Debian.
            debootstrap) printf ' debootstrap debian-archive-keyring' ;;
            promtool) if known promtool; then printf ' promtool'; fi ;;
            *) printf ' %s' "$name" ;;
        esac
    done
}

all_known() { for name in $(packages); do known "$name" || return 1; done; }

apt() { DEBIAN_FRONTEND=noninteractive apt-get -qq -o DPkg::Lock::Timeout=300 -o Dpkg::Use-Pty=0 "$@" </dev/null >&2; }

# shellcheck disable=SC2046 # a list of names
install() { apt install --yes --no-install-recommends $(packages); }

# dpkg asks this file before it starts a service. A machine that has one keeps its own.
hold_services() {
    policy=/usr/sbin/policy-rc.d
    ours=
    trap 'silence_services; rm -f "$ours"' EXIT
    trap 'exit 1' HUP INT TERM
    if [ -e "$policy" ]; then return; fi
    ours=$policy
    printf '#!/bin/sh\nexit 101\n' >"$ours"
    chmod 755 "$ours"
}

services() {
    for name in $(packages); do
        case $name in
            prometheus | prometheus-pushgateway) printf ' %s' "$name" ;;
            podman) printf ' podman.socket podman.service podman-restart.service podman-auto-update.timer' ;;
        esac
    done
}

# Neither now, if the machine's own policy let them start, nor after the next boot.
silence_services() {
    for name in $(services); do
        service "$name" stop || true
        if command -v systemctl; then systemctl disable --now "$name" || true; else update-rc.d "$name" disable || true; fi
    done >/dev/null 2>&1
}

wanted=$(missing)
if [ -z "$wanted" ]; then exit 0; fi
if ! command -v apt-get >/dev/null; then
    say "there is no apt-get here: install by other means:$wanted"
    exit 1
fi
if [ "$(id -u)" != 0 ]; then
    if ! command -v sudo >/dev/null; then
        say "needs root or sudo to install:$wanted"
        exit 1
    fi
    exec sudo -- sh "$0"
fi

all_known || apt update
hold_services
install || { apt update && install; } # lists can name versions that the mirror no longer has

left=$(missing)
if [ -n "$left" ]; then
    say "installed, but still not there:$left"
    exit 1
fi
