#!/bin/sh
# What the tests put into a guest as its agent: it speaks as much of qemu-guest-agent's protocol as libvirt needs to freeze
# file systems. The first freeze succeeds, the second is refused, and at the third the agent is late by 15 seconds. What it
# does it says on the first serial port.
[ -e /dev/virtio-ports/org.qemu.guest_agent.0 ] || exec sleep 86400
exec 3<>/dev/virtio-ports/org.qemu.guest_agent.0
say() { echo "AGENT-$*" >/dev/ttyS0; }
say UP
freezes=0 thaws=0
while read -r line <&3; do
    case $line in
        *guest-sync*) echo "$line" | sed 's/.*"id" *: *\([0-9]*\).*/{"return": \1}/' >&3 ;;
        *guest-fsfreeze-freeze*)
            freezes=$((freezes + 1))
            [ $freezes = 3 ] && sleep 15
            if [ $freezes = 2 ]; then
                say REFUSED
                echo '{"error": {"class": "GenericError", "desc": "not now"}}' >&3
            else
                say FROZEN $freezes
                echo '{"return": 1}' >&3
            fi ;;
        *guest-fsfreeze-thaw*)
            thaws=$((thaws + 1))
            say THAWED $thaws
            echo '{"return": 1}' >&3 ;;
        *) echo '{"error": {"class": "CommandNotFound", "desc": "unknown"}}' >&3 ;;
    esac
done
