#!/bin/sh
# What the tests put into a guest as its agent: it speaks as much of qemu-guest-agent's protocol as libvirt needs to freeze
# file systems. The first freeze succeeds, the second is refused, at the third the agent is late by 15 seconds, and after the
# fourth it goes away when it is to thaw, and comes back. What it does it says on the first serial port.
port=/dev/virtio-ports/org.qemu.guest_agent.0
[ -e $port ] || exec sleep 86400
exec 3<>$port
say() { echo "AGENT-$*" >/dev/ttyS0; }
say UP
freezes=0 thaws=0 left=0
while :; do
    read -r line <&3 || { sleep 0.2; continue; } # the host does not listen
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
            if [ $freezes = 4 ] && [ $left = 0 ]; then
                left=1
                exec 3>&-
                sleep 3
                exec 3<>$port
                say BACK
                continue
            fi
            thaws=$((thaws + 1))
            say THAWED $thaws
            echo '{"return": 1}' >&3 ;;
        *) echo '{"error": {"class": "CommandNotFound", "desc": "unknown"}}' >&3 ;;
    esac
done
