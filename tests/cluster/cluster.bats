#!/usr/bin/env bats
# The recipes of unclip(7) for many machines, on a real sshd and a real slurmd of this machine: `make check-cluster`.
# Both listen on 127.0.0.1 only, in a directory of their own, and are ended with the test.  Where they are not installed
# (Debian: openssh-server, slurm-wlm, parallel), the tests are skipped.
# shellcheck disable=SC2154

bats_require_minimum_version 1.5.0

setup_file() {
    ROOT=$(cd "$BATS_TEST_DIRNAME/../.." && pwd)
    export ROOT PATH=${BIN:-$ROOT/build/bin}:$PATH:/usr/sbin UNCLIP_CACHE=none
    PORT=$((20000 + ($$ * 3) % 20000))
    export PORT
}

teardown() {
    [ -e pids ] || return 0
    while read -r pid; do
        kill "$pid" 2>/dev/null || continue
        for _ in $(seq 50); do kill -0 "$pid" 2>/dev/null || break; sleep 0.1; done
    done <pids
}

# start NAME COMMAND...: in the background, without bats' descriptors
start() {
    "${@:2}" >"$1.out" 2>&1 3>&- 4>&- &
    echo $! >>pids
}

# waits for a command to succeed
until_ok() {
    for _ in $(seq 100); do
        "$@" >until.out 2>&1 && return
        sleep 0.2
    done
    cat ./*.out ./*.log 2>/dev/null
    return 1
}

setup() {
    for c in parallel ssh-keygen; do command -v $c >/dev/null || skip "$c is not installed"; done
    cd "$BATS_TEST_TMPDIR" || return
    mkdir model photos
    cp "$ROOT/tests/golden/clip/micro_hf.safetensors" model/model.safetensors
    cp "$ROOT/tests/golden/clip/micro_hf_config.json" model/config.json
    cp "$ROOT/tests/golden/tok/small_merges.txt" model/merges.txt
    export UNCLIP_MODEL=$PWD/model
    cp "$ROOT"/tests/golden/images/{rgb,la,palette,bit}.png "$ROOT"/tests/golden/images/{422,444,rgb,prog,gray,cmyk}.jpg photos
    find photos -type f -print0 | clip-embed --files0-from=- -o want.clip
    sorted want.clip >want
}

sorted() { record-json "$@" | jq -c '[.id, .data.image_embed]' | sort; }

# The commands of unclip(7) under "Many machines", up to the text $1 and from the text $2
recipe() {
    sed -n '/^\.Ss Many machines/,/^\.Sh/p' "$ROOT/man/unclip.7" | sed -n "/$1/,/^\.Ed/{/^\.Bd/,/^\.Ed/{/^\./!p}}"
}

# Cuts the first part that holds something, changes a picture, and writes into `want` what must come out then.
spoil() {
    for f in part[1-8].clip; do
        if [ -s "$f" ]; then
            truncate -s -50 "$f"
            break
        fi
    done
    cp photos/palette.png photos/rgb.png
    find photos -type f -print0 | clip-embed --files0-from=- -o changed.clip
    sorted changed.clip >want
}

start_sshd() {
    command -v sshd >/dev/null || skip "sshd is not installed"
    ssh-keygen -q -t ed25519 -N '' -f host_key
    ssh-keygen -q -t ed25519 -N '' -f key
    [ "$(id -u)" != 0 ] || mkdir -p /run/sshd    # sshd as root wants it
    cat >sshd_config <<END
Port $PORT
ListenAddress 127.0.0.1
HostKey $PWD/host_key
AuthorizedKeysFile $PWD/key.pub
PidFile none
StrictModes no
UsePAM no
PasswordAuthentication no
PermitRootLogin prohibit-password
SetEnv PATH=$PATH UNCLIP_MODEL=$UNCLIP_MODEL UNCLIP_CACHE=none
END
    cat >ssh_config <<END
Host one two
    HostName 127.0.0.1
    Port $PORT
    IdentityFile $PWD/key
    IdentitiesOnly yes
    UserKnownHostsFile /dev/null
    StrictHostKeyChecking no
    LogLevel ERROR
END
    start sshd "$(command -v sshd)" -D -e -f "$PWD/sshd_config"
    mkdir bin
    printf '#!/bin/sh\nexec %s -F %s "$@"\n' "$(command -v ssh)" "$PWD/ssh_config" >bin/ssh
    chmod +x bin/ssh
    export PATH=$PWD/bin:$PATH PARALLEL_HOME=$PWD/.parallel
    until_ok ssh one true
}

@test "cluster: GNU parallel over ssh, as unclip(7) says, and again after an interruption" {
    start_sshd
    recipe 'By GNU parallel' >run.sh
    grep -q 'parallel -S one,two' run.sh
    mkdir .parallel
    touch .parallel/will-cite
    bash -eu run.sh
    sorted photos.clip | diff want -
    # a part that was cut is done again, and so is a changed picture
    spoil
    bash -eu run.sh
    sorted photos.clip | diff want -
    [ "$(ssh two clip-embed -V | head -1)" = "$(clip-embed -V | head -1)" ]
}

start_slurm() {
    for c in slurmctld slurmd sbatch; do command -v $c >/dev/null || skip "$c is not installed"; done
    local host user
    host=$(hostname -s) user=$(id -un)
    mkdir state spool
    cat >slurm.conf <<END
ClusterName=test
SlurmctldHost=$host(127.0.0.1)
SlurmctldPort=$((PORT + 1))
SlurmdPort=$((PORT + 2))
SlurmUser=$user
SlurmdUser=$user
AuthType=auth/none
CredType=cred/none
StateSaveLocation=$PWD/state
SlurmdSpoolDir=$PWD/spool
SlurmctldPidFile=$PWD/slurmctld.pid
SlurmdPidFile=$PWD/slurmd.pid
SlurmctldLogFile=$PWD/slurmctld.log
SlurmdLogFile=$PWD/slurmd.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
SchedulerParameters=sched_interval=1,batch_sched_delay=0
MpiDefault=none
ReturnToService=2
SlurmdParameters=config_overrides
NodeName=$host NodeAddr=127.0.0.1 CPUs=4 RealMemory=1000
PartitionName=all Nodes=$host Default=YES MaxTime=5 State=UP
END
    export SLURM_CONF=$PWD/slurm.conf
    start slurmctld slurmctld -D
    start slurmd slurmd -D
    until_ok sh -c 'sinfo -h -o %t | grep -qE "^(idle|mix)$"'
}

@test "cluster: an array of Slurm, as unclip(7) says, and again after an interruption" {
    start_slurm
    find photos -type f -print0 >list
    recipe 'By an array of Slurm' >run.sh
    grep -q 'sbatch --array=1-8' run.sh
    sed -i 's/^sbatch /sbatch --wait /' run.sh    # the manual's user looks with squeue
    timeout 120 sh -eu run.sh
    cat part[1-8].clip | sorted | diff want -
    spoil
    timeout 120 sh -eu run.sh
    cat part[1-8].clip | sorted | diff want -
}
