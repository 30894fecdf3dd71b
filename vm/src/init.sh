#!/bin/busybox sh
# The guest's first process: makes the machine what a host is, runs /job, says how it ended, powers off.
/bin/busybox mkdir -p /bin /sbin /dev /proc /sys /run/netns /run/lock /tmp /mnt /root /var/lib
# What is there already stays, the host's sh above all.
/bin/busybox --install -s /bin 2> /dev/null
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LC_ALL=C.UTF-8
ln -s /run /var/run
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs devtmpfs /dev
mkdir -p /dev/pts /dev/shm
mount -t devpts devpts /dev/pts
mount -t tmpfs tmpfs /dev/shm
mount -t bpf bpf /sys/fs/bpf
mount -t tracefs tracefs /sys/kernel/tracing
mount -t cgroup2 cgroup2 /sys/fs/cgroup
ip link set lo up
ulimit -n 65536
ulimit -l unlimited

# Results go to the second serial port, byte for byte; the first is the console.
stty -F /dev/ttyS1 raw -echo
status=0
while read -r module; do
    insmod "/modules/$module.ko" || { echo "the module $module can't be loaded"; status=125; }
done < /modules/order
if [ $status = 0 ]; then
    cd /root
    /bin/sh /job < /dev/null > /dev/ttyS1 2> /dev/console
    status=$?
fi
# A line of its own, whatever the job left unfinished.
printf '\n%s %d\n' 'job ended:' $status > /dev/ttyS1
poweroff -f
