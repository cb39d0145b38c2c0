#!/usr/bin/env bash
# Runs a command without root's rights, in the mount namespace of the caller. The PATHs, which the command needs,
# may be below a directory that only root can enter, such as root's home.
#
#   as_user.sh UID PATH... -- COMMAND...
set -eu
uid=$1
shift

mount --make-rprivate /
while [ "$1" != -- ]; do
  path=$1 closed='' directory=$1
  while [ "$directory" != / ]; do
    case $(stat -c %A "$directory") in
      *x | *t) ;;
      *) closed=$directory ;;
    esac
    directory=$(dirname "$directory")
  done
  if [ -n "$closed" ]; then
    exec {below}<"$path"
    mountpoint -q "$closed" || mount -t tmpfs -o mode=755 tmpfs "$closed"
    mkdir -p "$path"
    mount --no-canonicalize --bind "/proc/self/fd/$below" "$path"
    exec {below}<&-
  fi
  shift
done
shift
exec setpriv --reuid "$uid" --regid "$uid" --clear-groups "$@"
