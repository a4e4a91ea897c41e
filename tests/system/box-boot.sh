#!/bin/sh
# SPDX-License-Identifier: MIT
# Run by box.sh, not by hand.
#   enter NAME LAYER SHARE   goes into control groups of its own and new name spaces, there:
#   root NAME LAYER SHARE    makes the root of the box, leaves that of the machine, and becomes its systemd
set -eu
what=$1 name=$2 layer=$3 share=$4

hierarchies() { awk -v type="$1" '$3 == type { print $2 }' /proc/mounts | sort -u; }

enter() {
    for hierarchy in $(hierarchies cgroup) $(hierarchies cgroup2 | head -n 1); do
        mkdir -p "$hierarchy/$name"
        for file in cpuset.cpus cpuset.mems; do # empty ones would take no process
            [ ! -e "$hierarchy/$file" ] || [ ! -e "$hierarchy/$name/$file" ] || cat "$hierarchy/$file" >"$hierarchy/$name/$file" || :
        done
        echo 0 >"$hierarchy/$name/cgroup.procs"
    done
    exec unshare --mount --uts --ipc --net --cgroup --pid --fork --kill-child --propagation private \
        sh "$0" root "$name" "$layer" "$share"
}

# The machine's files below, a tmpfs above for what changes.
mount_root() {
    over=/run
    mount -t tmpfs -o mode=755 box $over
    mkdir $over/upper $over/work $over/root
    cp -a "$layer/." $over/upper/
    chown 0:0 $over/upper && chmod 755 $over/upper
    root=$over/root
    mount -t overlay -o "lowerdir=/,upperdir=$over/upper,workdir=$over/work" box $root
    # Nothing that the machine has enabled, and nothing that is about hardware.
    rm -rf "$root"/etc/systemd/system/*.wants "$root"/etc/systemd/system/*.requires
    # They look for disks, terminals and the like at each daemon-reload.
    rm -rf "$root"/usr/lib/systemd/system-generators "$root"/lib/systemd/system-generators
    for unit in sys-kernel-debug.mount sys-kernel-tracing.mount sys-kernel-config.mount sys-fs-fuse-connections.mount dev-hugepages.mount \
        dev-mqueue.mount systemd-udevd.service systemd-modules-load.service kmod-static-nodes.service systemd-firstboot.service; do
        ln -sf /dev/null "$root/etc/systemd/system/$unit"
    done
    cat >"$root/etc/systemd/system/box.target" <<END
[Unit]
Requires=basic.target box-up.service
After=basic.target
AllowIsolate=yes
END
    cat >"$root/etc/systemd/system/box-up.service" <<END
[Unit]
After=basic.target
[Service]
Type=oneshot
ExecStart=/bin/touch /box/up
END
}

# What acts on the machine is read-only.
mount_kernel() {
    mount -t proc -o nosuid,noexec,nodev proc "$root/proc"
    for file in sys sysrq-trigger; do
        [ -e "$root/proc/$file" ] || continue
        mount --bind "$root/proc/$file" "$root/proc/$file"
        mount -o remount,ro,bind "$root/proc/$file"
    done
    mount -t sysfs -o ro,nosuid,noexec,nodev sysfs "$root/sys"
    if [ -n "$(hierarchies cgroup)" ]; then
        mount -t tmpfs -o mode=755 tmpfs "$root/sys/fs/cgroup"
        mkdir "$root/sys/fs/cgroup/unified" "$root/sys/fs/cgroup/systemd"
        mount -t cgroup2 cgroup2 "$root/sys/fs/cgroup/unified"
        mount -t cgroup -o none,name=systemd cgroup "$root/sys/fs/cgroup/systemd"
        for controller in memory pids devices; do
            [ -d "/sys/fs/cgroup/$controller" ] || continue
            mkdir "$root/sys/fs/cgroup/$controller"
            mount -t cgroup -o $controller cgroup "$root/sys/fs/cgroup/$controller"
        done
    else
        mount -t cgroup2 cgroup2 "$root/sys/fs/cgroup"
    fi
}

mount_devices() {
    mount -t tmpfs -o mode=755,size=4m tmpfs "$root/dev"
    for device in null zero full random urandom tty; do
        touch "$root/dev/$device"
        mount --bind "/dev/$device" "$root/dev/$device"
    done
    mkdir "$root/dev/pts" "$root/dev/shm"
    mount -t devpts -o newinstance,ptmxmode=0666,mode=620,gid=5 devpts "$root/dev/pts"
    ln -s pts/ptmx "$root/dev/ptmx"
    mount -t tmpfs tmpfs "$root/dev/shm"
    ln -s /proc/self/fd "$root/dev/fd"
    ln -s fd/0 "$root/dev/stdin"
    ln -s fd/1 "$root/dev/stdout"
    ln -s fd/2 "$root/dev/stderr"
}

become_root() {
    read -r leader rest </proc/self/stat # /proc is still that of the machine: the number that nsenter(1) needs
    mount_root
    mount_kernel
    mount_devices
    mount -t tmpfs -o mode=755 tmpfs "$root/run"
    mount -t tmpfs -o mode=1777 tmpfs "$root/tmp"
    mkdir -p "$root/box" "$root/.machine"
    mount --bind "$share" "$root/box"
    hostname box
    ip link set lo up
    echo "$leader" >"$share/leader"
    cd "$root"
    pivot_root . .machine
    # Shared, as systemd wants it for the mounts that a unit passes on (credentials).
    exec chroot . /bin/sh -c 'umount -l /.machine && rmdir /.machine && mount --make-rshared / &&
        exec env -i container=box PATH=/usr/sbin:/usr/bin:/sbin:/bin SYSTEMD_LOG_TARGET=journal /lib/systemd/systemd --system --unit=box.target'
}

case $what in
enter) enter ;;
root) become_root ;;
esac
