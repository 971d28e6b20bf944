#!/bin/sh
# The programs that the tests drive beside Python and Node: Chromium, nginx, Caddy, faketime. Root gets them by apt-get; anybody
# else is told in one line what to install.
set -eu
missing=""
{ [ -n "${CHROMIUM:-}" ] || command -v chromium || command -v google-chrome; } >/dev/null || missing="$missing chromium"
{ command -v nginx || [ -x /usr/sbin/nginx ]; } >/dev/null || missing="$missing nginx-light"
command -v caddy >/dev/null || missing="$missing caddy"
command -v faketime >/dev/null || missing="$missing faketime"
[ -n "$missing" ] || exit 0
if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
    echo "The tests need programs that are not here; install them: sudo apt-get install$missing" >&2
    exit 1
fi
echo "installing$missing …"
export DEBIAN_FRONTEND=noninteractive RUNLEVEL=1 # runlevel 1: installing a server does not start it
apt-get update -qq
# shellcheck disable=SC2086 # one word for each package
apt-get install -y -qq $missing >/dev/null
