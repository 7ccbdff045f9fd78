#!/bin/sh
# A machine for a kubelet: processes and mounts of its own. node-machine.sh FOLDER
# Each line of standard input is a command that it starts beside the others. When standard input is closed everything ends.
set -eu
inside='
folder=$1
mount --make-rshared /
# Places whose names are fixed in the programs, each a folder of this machine.
for place in /run/containerd /var/lib/kubelet /var/lib/cni /var/log; do
  mkdir -p "$place" "$folder/machine$place"
  mount --bind "$folder/machine$place" "$place"
done
# A kubelet sets these for the whole kernel; it finds them as it wants them, and the real ones stay as they are.
for one in vm/overcommit_memory=1 vm/panic_on_oom=0 kernel/panic=10 kernel/panic_on_oops=1 \
  kernel/keys/root_maxkeys=1000000 kernel/keys/root_maxbytes=25000000; do
  name=${one%=*}
  mkdir -p "$folder/machine/sysctl/${name%/*}"
  echo "${one#*=}" > "$folder/machine/sysctl/$name"
  mount --bind "$folder/machine/sysctl/$name" "/proc/sys/$name"
done
echo machine is up
while IFS= read -r command; do
  sh -c "$command" </dev/null &
done
'
exec unshare --pid --mount --fork --kill-child=KILL --mount-proc sh -euc "$inside" node-machine "$@"
