#!/bin/sh
# Installs the servers that the tests start, where it may: as root, or with a sudo that does not
# ask. No service of theirs is started. Elsewhere it says what to type, and the tests that need a
# missing server are skipped (or fail, with CI=true).
set -eu

missing=""
for pair in mosquitto:mosquitto mosquitto_sub:mosquitto-clients influxd:influxdb chromium:chromium strace:strace npm:npm docker-compose:docker-compose zbarimg:zbar-tools; do
    command -v "${pair%%:*}" >/dev/null 2>&1 || PATH="$PATH:/usr/sbin" command -v "${pair%%:*}" >/dev/null 2>&1 \
        || missing="$missing ${pair#*:}"
done
[ -n "$missing" ] || exit 0

line="apt-get install --no-install-recommends$missing"
if ! command -v apt-get >/dev/null 2>&1; then
    echo "tests: not installed here:$missing; the tests that need them are skipped" >&2
    exit 0
fi
if [ "$(id -u)" = 0 ]; then
    sudo=""
elif command -v sudo >/dev/null 2>&1 && sudo -n true 2>/dev/null; then
    sudo="sudo -n"
else
    echo "tests: for the tests of real servers type: sudo $line" >&2
    exit 0
fi

echo "tests: installing$missing"
# Exit code 101 forbids Debian's packages to start their service; an existing policy is kept.
policy=/usr/sbin/policy-rc.d
made=""
if [ ! -e "$policy" ]; then
    printf '#!/bin/sh\nexit 101\n' | $sudo tee "$policy" >/dev/null
    $sudo chmod 755 "$policy"
    made=yes
fi
trap '[ -z "$made" ] || $sudo rm -f "$policy"' EXIT
$sudo apt-get update -qq || echo "tests: apt-get update failed; trying with the lists that are here" >&2
# shellcheck disable=SC2086 # a list of words
$sudo env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing >/dev/null \
    || echo "tests: could not install$missing; type: $line" >&2
