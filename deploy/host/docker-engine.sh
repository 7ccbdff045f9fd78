#!/bin/sh
# A Docker engine of our own, for as long as standard input stays open: docker-engine.sh FOLDER [flags of dockerd]
# It listens on FOLDER/docker.sock and keeps its images in FOLDER/docker. It runs in a PID and a mount namespace of its own, so
# that everything it has started ends with it, whatever ends it.
set -eu
inside='
folder=$1; shift
mkdir -p "$folder" /run/containerd
# Sockets and state of this engine alone; nobody outside sees these.
mount -t tmpfs tmpfs /run/containerd
mkdir -p /run/docker
mount -t tmpfs tmpfs /run/docker
exec 3<&0
dockerd --host "unix://$folder/docker.sock" --data-root "$folder/docker" --exec-root /run/docker \
  --pidfile /run/docker/docker.pid --userland-proxy=false "$@" </dev/null 3<&- &
engine=$!
{ cat <&3 >/dev/null; kill "$engine" 2>/dev/null; } &
exec 3<&-
wait "$engine"
'
exec unshare --pid --mount --fork --kill-child=KILL --mount-proc sh -euc "$inside" docker-engine "$@"
