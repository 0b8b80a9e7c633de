# The first process of a pretend host. It runs as "bash host.sh NAME DIR KVM" in new network, mount and UTS
# namespaces, builds the host's own file systems, says "ready", and waits until its standard input ends, which it does
# when the test is over and also when the test was killed. Then it ends every other process of the host.
set -euo pipefail
name=$1 dir=$2 kvm=$3
trap '' INT TERM HUP

hostname "$name"
mount --make-rprivate /
ip link set lo up
# Addresses of IPv6 are there at once, and not a second or two later when nobody has objected.
for f in /proc/sys/net/ipv6/conf/{all,default}/accept_dad; do
    if [ -e "$f" ]; then echo 0 >"$f"; fi
done

# Takes away what is mounted on and below a folder, in this host only. libvirt goes through the table of mounts, and what
# lies hidden below another mount confuses it.
clear_mounts() {
    while mountpoint -q "$1"; do umount -l "$1"; done
}

# A sysfs of this network namespace, or /sys/class/net would show another host's links. The control groups stay hidden:
# two hosts' guests would meet in the same ones.
clear_mounts /sys
mount -t sysfs sysfs /sys

clear_mounts /run
mount -t tmpfs -o mode=0755 run /run
mkdir -p /run/netns /run/libvirt /run/lock

# A small /dev, so that no guest ever meets a /dev/kvm that does not work.
[ "$kvm" = 0 ] || kvm=$(stat -c '%t %T' /dev/kvm)
umask 000
mount -t tmpfs -o mode=0755,size=16m dev "$dir/dev"
mknod -m 666 "$dir/dev/null" c 1 3
mknod -m 666 "$dir/dev/zero" c 1 5
mknod -m 666 "$dir/dev/full" c 1 7
mknod -m 666 "$dir/dev/random" c 1 8
mknod -m 666 "$dir/dev/urandom" c 1 9
mknod -m 666 "$dir/dev/tty" c 5 0
mkdir -m 755 "$dir/dev/net" "$dir/dev/pts"
mkdir -m 1777 "$dir/dev/shm"
mknod -m 666 "$dir/dev/net/tun" c 10 200
ln -s /proc/self/fd "$dir/dev/fd"
ln -s /proc/self/fd/0 "$dir/dev/stdin"
ln -s /proc/self/fd/1 "$dir/dev/stdout"
ln -s /proc/self/fd/2 "$dir/dev/stderr"
ln -s pts/ptmx "$dir/dev/ptmx"
mount -t devpts -o newinstance,gid=5,mode=620,ptmxmode=666 devpts "$dir/dev/pts"
mount -t tmpfs -o mode=1777 shm "$dir/dev/shm"
if [ "$kvm" != 0 ]; then
    mknod -m 660 "$dir/dev/kvm" c "0x${kvm% *}" "0x${kvm#* }"
    chgrp kvm "$dir/dev/kvm"
fi
umask 022
clear_mounts /dev
mount --move "$dir/dev" /dev

# libvirt keeps its definitions, state, caches and logs apart for each host. A folder the machine does not have is one
# that nothing here needs.
mkdir -p "$dir/etc/libvirt" "$dir/var/lib/libvirt" "$dir/var/cache/libvirt" "$dir/var/log/libvirt"
if [ -d /etc/libvirt ]; then
    cp -a /etc/libvirt/. "$dir/etc/libvirt/"
    rm -rf "$dir"/etc/libvirt/qemu/* "$dir/etc/libvirt/storage" "$dir/etc/libvirt/secrets"
    # Confinement by the machine's AppArmor profiles would refuse this host's paths.
    echo 'security_driver = "none"' >>"$dir/etc/libvirt/qemu.conf"
    printf 'log_outputs="2:file:/var/log/libvirt/libvirtd.log"\n' \
        >>"$dir/etc/libvirt/libvirtd.conf"
fi
for d in etc/libvirt var/lib/libvirt var/cache/libvirt var/log/libvirt; do
    if [ -d "/$d" ]; then mount --bind "$dir/$d" "/$d"; fi
done

echo ready
exec >/dev/null
while read -r _; do :; done

# Nobody leaves a UTS namespace, though guests and gateways get namespaces of the other kinds: it tells whose a process is.
found=1
while [ "$found" = 1 ]; do
    found=0
    for p in /proc/[0-9]*; do
        if [ "${p#/proc/}" != $$ ] && [ "$p/ns/uts" -ef "/proc/$$/ns/uts" ]; then
            kill -KILL "${p#/proc/}" 2>/dev/null && found=1
        fi
    done
done
cd /
rm -rf --one-file-system "$dir"
