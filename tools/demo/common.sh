# What start and stop of the demo share. Everything the demo has lies in $state, except what it builds (bin, .cache).

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
state=${SF_DEMO_STATE:-/var/lib/shakenfist-demo}
cache=$root/.cache/demo

say() { printf '\n\033[1m== %s\033[0m\n' "$*"; }
fail() {
    printf 'demo: %s\n' "$*" >&2
    exit 1
}

# sf is the command line client, talking to the demo's daemon whatever the caller's environment says.
sf() { env -u SHAKENFIST_API_URL -u SHAKENFIST_NAMESPACE -u SHAKENFIST_KEY SHAKENFIST_CONFIG="$state/cloud/client.json" "$root/bin/sf-client" "$@"; }

# alive NAME PROGRAM: whether the process whose number stands in NAME.pid runs that program. After a reboot the number may
# be somebody else's; after a build the program that runs is one that was replaced.
alive() {
    local pid exe
    pid=$(cat "$state/$1.pid" 2>/dev/null) && [ -n "$pid" ] && exe=$(readlink "/proc/$pid/exe") 2>/dev/null &&
        [ "${exe% (deleted)}" = "$(readlink -f "$2")" ]
}

# end NAME PROGRAM: end it and wait, a minute at most.
end() {
    local pid
    if alive "$1" "$2"; then
        pid=$(cat "$state/$1.pid")
        kill "$pid"
        timeout 60 tail --pid="$pid" -f /dev/null || fail "$1 (process $pid) does not end; see $state/$1.log"
    fi
    rm -f "$state/$1.pid"
}

# libvirt_runs: whether a libvirtd answers.
libvirt_runs() { virsh -q -c qemu:///system version >/dev/null 2>&1; }

# start_libvirt: start a libvirtd of the demo's own.
start_libvirt() {
    "$root/tools/demo/libvirt" </dev/null >"$state/libvirt.log" 2>&1 || fail "libvirtd did not start; see $state/libvirt.log"
    cp /run/libvirtd.pid "$state/libvirtd.pid"
    cp /run/virtlogd.pid "$state/virtlogd.pid"
}

# start_daemon: start the daemon on the demo's state and wait until it is ready.
start_daemon() {
    local url
    rm -f "$state/cloud/ready"
    (
        cd /
        exec setsid env -i PATH="$PATH" HOME="$state" "$root/bin/sf-daemon" --config "$state/config" --state "$state/cloud" \
            --listen 127.0.0.1:0 </dev/null >>"$state/daemon.log" 2>&1
    ) &
    echo $! >"$state/daemon.pid"
    for _ in $(seq 300); do
        [ -d "/proc/$(cat "$state/daemon.pid")" ] || break
        url=$(jq -r .apiurl "$state/cloud/client.json" 2>/dev/null || true)
        if [ -n "$url" ] && ready "$url"; then return 0; fi
        sleep 0.2
    done
    tail -n 20 "$state/daemon.log" >&2
    fail "the daemon did not become ready; all it said is in $state/daemon.log"
}

# ready URL: whether GET URL/readyz is answered with 200.
ready() {
    local address=${1#http://} line
    address=${address%%/*}
    {
        exec 3<>"/dev/tcp/${address%:*}/${address##*:}" || return 1
    } 2>/dev/null
    printf 'GET /readyz HTTP/1.0\r\nHost: %s\r\n\r\n' "$address" >&3
    read -r -t 5 line <&3 || line=
    exec 3>&-
    [[ $line == *" 200 "* ]]
}
