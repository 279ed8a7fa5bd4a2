# shellcheck shell=bash
# A Docker Engine of our own, for deploy/test-image.sh. To be sourced, after .ci/judges.
#
#   start_engine FOLDER   sets DOCKER_HOST; returns 77 if no engine can be had on this machine
#   stop_engine           ends it with all that runs in it
#   inside COMMAND...     runs a command where the containers' published ports are
#   kill_in_engine PID    kills a process by the number that it has there
#
# It lives in namespaces of its own: for processes, so that nothing of it outlives it; for mounts; and
# for the network, so that the machine's own has no rule and no bridge more, and that nothing in it can
# reach anything outside. What is built in it is built without a network.

engine=

# Debian's, by its path: another that comes first may lack what this one is asked for.
docker=${DOCKER:-/usr/bin/docker}

start_engine() {
    local folder=$1 driver
    have_debian dockerd:docker.io "$docker":docker.io docker-compose:docker-compose iptables:iptables || return 77
    mkdir -p "$folder"
    # The second for machines whose disk is itself such a stack.
    for driver in overlay2 vfs; do
        launch_engine "$folder" "$driver" && return
        stop_engine
        tail -n 5 "$folder/dockerd.log" >&2 || true
    done
    return 77
}

launch_engine() {
    local folder=$1 driver=$2
    export DOCKER_HOST=unix://$folder/docker.sock
    engine_group=/wecom-image-$$
    # Something over /run/containerd, for else it would use the machine's containerd if there is one.
    # shellcheck disable=SC2016 # those are the inner shell's
    unshare --net --mount --pid --fork --kill-child --mount-proc bash -euc '
        ip link set lo up
        mkdir -p /run/containerd
        mount -t tmpfs none /run/containerd
        exec docker-init -- dockerd --host "$1" --data-root "$2/data" --exec-root "$2/run" \
            --pidfile "$2/docker.pid" --storage-driver "$3" --cgroup-parent "$4"
    ' engine "$DOCKER_HOST" "$folder" "$driver" "$engine_group" >"$folder/dockerd.log" 2>&1 </dev/null &
    engine=$!
    for _ in $(seq 300); do
        "$docker" version >/dev/null 2>&1 && return
        kill -0 "$engine" 2>/dev/null || return 1
        sleep 0.1
    done
    return 1
}

stop_engine() {
    [ -n "$engine" ] || return 0
    # Its first process, with which the namespace and all in it ends; unshare itself does not listen.
    local first
    first=$(first_process)
    if [ -n "$first" ]; then
        kill -TERM "$first" 2>/dev/null || true
        for _ in $(seq 150); do
            kill -0 "$engine" 2>/dev/null || break
            sleep 0.1
        done
        kill -KILL "$first" 2>/dev/null || true
    fi
    wait "$engine" 2>/dev/null || true
    engine=
    # Control groups outlive who was in them.
    find /sys/fs/cgroup -depth -type d -path "*$engine_group*" -exec rmdir {} + 2>/dev/null || true
}

inside() {
    nsenter --target "$engine" --net -- "$@"
}

kill_in_engine() {
    nsenter --target "$(first_process)" --pid -- kill -KILL "$1"
}

first_process() {
    tr -d ' ' <"/proc/$engine/task/$engine/children" 2>/dev/null || true
}
