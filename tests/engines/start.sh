#!/usr/bin/env bash
# Runs the dockerd of another operating system on this kernel, in the mount and network namespace of the caller.
# A chroot would not do: containers would start in the root of the host.
#
#   start.sh ROOT SHARED        as root
#   start.sh ROOT SHARED UID    rootless, as this user
#
# SHARED is at the same path inside and outside; the socket is SHARED/run/docker.sock.
set -eu
root=$1 shared=$2 uid=${3:-}

mount --make-rprivate /
mount --bind "$root" "$root"
mkdir -p "$root$shared" "$root/old"
mount --bind "$shared" "$root$shared"
for tree in proc sys dev; do
  mount --rbind "/$tree" "$root/$tree"
  mount --make-rprivate "$root/$tree"
done
if [ -n "$uid" ]; then
  # Every user may create a network device in a namespace of their own; some hosts keep the file to root.
  mkdir -p "$root/dev/net"
  mount -t tmpfs tmpfs "$root/dev/net"
  mknod -m 666 "$root/dev/net/tun" c 10 200
fi
mount -t tmpfs tmpfs "$root/run"
cd "$root"
pivot_root . old

# shellcheck disable=SC2016  # $0 and $1 belong to the inner shells
if [ -z "$uid" ]; then
  exec chroot . sh -c 'umount -l /old
    exec dockerd --data-root "$0/data" --exec-root "$0/exec" --pidfile "$0/pid" --host "unix://$0/run/docker.sock" \
      --cgroup-parent /stackctl-lab-engine' "$shared"
fi
# shellcheck disable=SC2016
exec chroot . sh -c 'umount -l /old
  exec setpriv --reuid "$1" --regid "$1" --clear-groups env -i \
    HOME="$0/home" XDG_RUNTIME_DIR="$0/run" PATH=/usr/sbin:/usr/bin:/sbin:/bin \
    /usr/share/docker.io/contrib/dockerd-rootless.sh --data-root "$0/data"' "$shared" "$uid"
