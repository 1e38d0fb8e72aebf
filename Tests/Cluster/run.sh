#!/usr/bin/env bash
# A map as jobs of a real Slurm, whose munged, slurmctld and slurmd run on this host in a folder of their own, as root:
# an array of 8 tasks against one process; the same with a task killed, one cancelled and put back, the node drained and
# brought back, and the controller restarted; at last a shared folder that fills. It takes two minutes.
#
#   make test-cluster
#   Tests/Cluster/run.sh [TAP]      another program than .build/release/tap; with BUSY=1 on a host that has other work,
#                                   so that times are printed and not judged; with KEEP=1 the folder stays
#
# Debian's packages slurmctld, slurmd, slurm-client and munge. Where they cannot be started it says so and ends well.
set -uo pipefail
root=$(cd "$(dirname "$0")/../.." && pwd)
tap=$(realpath "${1:-$root/.build/release/tap}")
tasks=8
passed=0 failed=0

skip() { echo "cluster: SKIPPED, $1"; exit 0; }

[ "$(id -u)" = 0 ] || skip "only root starts a node that runs jobs"
for program in munged munge slurmctld slurmd sbatch scontrol; do
  command -v $program > /dev/null || skip "there is no $program; install slurmctld slurmd slurm-client munge"
done
[ -x "$tap" ] || { echo "cluster: there is no $tap; build it first"; exit 1; }

folder=$(mktemp -d "${TMPDIR:-/tmp}/tap-cluster-XXXXXX")
# munged wants a folder that nobody else writes to, and sbatch one that it may enter.
chmod 755 "$folder"
export SLURM_CONF=$folder/slurm.conf

# Ends the daemons by their numbers, and jobs before them; also where this script is interrupted.
finish() {
  trap - EXIT INT TERM HUP
  scancel --user=root 2> /dev/null
  for _ in {1..100}; do [ -z "$(squeue --noheader 2> /dev/null)" ] && break; sleep 0.1; done
  for daemon in slurmctld slurmd munged; do end $daemon; done
  # What would watch over a job that did not end in time: those that know this folder alone.
  local number
  for number in $(pgrep -x slurmstepd); do
    tr '\0' '\n' < "/proc/$number/environ" 2> /dev/null | grep -qF "$folder" && kill -9 "$number"
  done
  mountpoint -q "$folder/full" 2> /dev/null && umount "$folder/full"
  [ -n "${KEEP:-}" ] || rm -rf "$folder"
}

# end DAEMON: by the number in its file, and waits for its end.
end() {
  local number
  number=$(cat "$folder/$1.pid" 2> /dev/null) && [ -n "$number" ] || return 0
  kill "$number" 2> /dev/null
  for _ in {1..100}; do kill -0 "$number" 2> /dev/null || return 0; sleep 0.1; done
  kill -9 "$number" 2> /dev/null
}
trap finish EXIT
trap 'finish; exit 130' INT TERM HUP

# within SECONDS COMMAND...: whether the command comes to succeed.
within() {
  local until=$((SECONDS + $1)); shift
  until "$@"; do [ $SECONDS -lt $until ] || return 1; sleep 0.1; done
}

# check WORDS COMMAND...: counts whether the command succeeds.
check() {
  local words=$1; shift
  if "$@"; then echo "✔ $words"; passed=$((passed + 1)); else echo "✘ $words"; failed=$((failed + 1)); fi
}

# ---- The daemons

# A name that resolves to this host, and ports that nobody listens to.
host=$(hostname -s)
getent hosts "$host" > /dev/null || skip "the name $host of this host does not resolve; name it in /etc/hosts"
free_port() {
  local port=$1
  while (exec 3<> "/dev/tcp/127.0.0.1/$port") 2> /dev/null; do port=$((port + 1)); done
  echo "$port"
}
head -c 1024 /dev/urandom > "$folder/munge.key"
chmod 400 "$folder/munge.key"
mkdir "$folder/state" "$folder/spool"
# A job that was put back waits until its credential has expired, which is two minutes otherwise.
cat > "$SLURM_CONF" <<CONF
ClusterName=tap
SlurmctldHost=$host
SlurmctldPort=$(free_port 27817)
SlurmdPort=$(free_port 27917)
AuthType=auth/munge
AuthInfo=socket=$folder/munge.socket,cred_expire=6
CredType=cred/munge
SlurmUser=root
SlurmdUser=root
StateSaveLocation=$folder/state
SlurmdSpoolDir=$folder/spool
SlurmctldPidFile=$folder/slurmctld.pid
SlurmdPidFile=$folder/slurmd.pid
SlurmctldLogFile=$folder/slurmctld.log
SlurmdLogFile=$folder/slurmd.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
MpiDefault=none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
SchedulerParameters=batch_sched_delay=0,sched_interval=2,sched_min_interval=100000,bf_interval=2
ReturnToService=2
KillWait=2
NodeName=$host CPUs=2 RealMemory=1000 State=UNKNOWN
PartitionName=main Nodes=$host Default=YES MaxTime=INFINITE State=UP
CONF

munged --force --key-file="$folder/munge.key" --socket="$folder/munge.socket" --pid-file="$folder/munged.pid" \
  --log-file="$folder/munged.log" --seed-file="$folder/munged.seed" 2> "$folder/munged.err" \
  || skip "munged does not start: $(tail -n 1 "$folder/munged.err")"
slurmctld -c 2> "$folder/slurmctld.err" || skip "slurmctld does not start: $(tail -n 1 "$folder/slurmctld.err")"
slurmd 2> "$folder/slurmd.err" || skip "slurmd does not start: $(tail -n 1 "$folder/slurmd.err")"
is_idle() { [ "$(sinfo --noheader --format=%t 2> /dev/null)" = idle ]; }
within 30 is_idle || skip "the node does not come up: $(tail -n 1 "$folder/slurmd.log")"

# ---- What is asked

# As many pairs a task as take seconds, so that it still runs when it is to be disturbed, on a host with other work
# too. Recordings are looked up beside the folder of the list; jobs share all of it, and a name with a space.
work="$folder/a shared folder"
mkdir -p "$work/data-manifests" "$work/one"
cp "$root/data-manifests/evaluation.json" "$work/data-manifests/"
ln -s "$root/artifacts" "$work/artifacts"
cd "$work" || exit 1
map=(map --model artifacts/qwen2-audio-small --pairs data-manifests/evaluation.json --split discovery --limit 48
  --sites residual --control)

# submit NAME [COUNT]: the map as an array, into a folder of its own; sets `job` and `merging`.
submit() {
  local said
  said=$("$tap" submit --slurm --tasks "${2:-$tasks}" --cpus 1 --memory 400M -- \
    "${map[@]}" --out "$1/map.json" --figure "$1/map.svg") || { echo "$said"; return 1; }
  job=$(sed -n 's/^job \([0-9]*\) of .*/\1/p' <<< "$said")
  merging=$(sed -n 's/^job .*, job \([0-9]*\) merges .*/\1/p' <<< "$said")
  [ -n "$job" ] && [ -n "$merging" ]
}
state() { scontrol show job "$1" 2> /dev/null | sed -n 's/.*JobState=\([A-Z]*\).*/\1/p' | sort -u | tr '\n' ' '; }
is_in_state() { [[ " $(state "$1")" == *" $2 "* ]]; }
are_same() { cmp -s "$1/map.json" one/map.json && cmp -s "$1/map.svg" one/map.svg; }
is_over() { [ -z "$(squeue --noheader --array 2> /dev/null)" ]; }
has_shard() { [ -e "$1/map.json.shard-$2-of-$tasks" ]; }
has_all_shards() { [ "$(find "$1" -name "*.shard-*-of-$tasks" ! -name '.*' | wc -l)" = $tasks ]; }
has_begun() { [ "$(stat -c %s "$1/.map.json.shard-$2-of-$tasks.journal" 2> /dev/null || echo 0)" -gt 1000 ]; }
process() { pgrep -f -- "^$tap map .* --out $1/map.json .*--shard $2/$tasks\$"; }

# ---- One process, and 8 tasks that nobody disturbs

TIMEFORMAT="%R %U %S"
began=$SECONDS
one_time=$({ time "$tap" "${map[@]}" --out one/map.json --figure one/map.svg > /dev/null 2>&1; } 2>&1)
start_time=$({ time "$tap" "${map[@]}" --out one/none.json --shard 1000/1000 > /dev/null 2>&1; } 2>&1)
check "one process" test -s one/map.svg
one_seconds=$((SECONDS - began))
began=$SECONDS
check "an array of $tasks is submitted" submit calm
[ -n "${job:-}" ] || { echo "cluster: $passed passed, $failed failed"; exit 1; }
check "it is merged" within 200 test -e calm/map.json
calm_seconds=$((SECONDS - began))
within 30 is_over
check "result and figure have the bytes of one process" are_same calm
# Processor time beyond the start (opening model and recordings, and which pairs enter), which each task has.
overhead=$(sed -n 's/^shard .*, of processors \(.*\) s and \(.*\) s for the system$/\1 \2/p' calm/*.task-*.log \
  | awk -v one="$one_time" -v start="$start_time" -v tasks=$tasks '
    { all += $1 + $2; n += 1 }
    END {
      split(one, o, " "); split(start, s, " "); o[1] = o[2] + o[3]; s[1] = s[2] + s[3]
      if (n != tasks) { print "999 (" n " of " tasks " times are in the logs)"; exit }
      printf "%.1f %.1f %.1f %.2f\n", 100 * ((all - n * s[1]) / (o[1] - s[1]) - 1), o[1], all, s[1]
    }')
read -r percent one_cpu all_cpu start_cpu <<< "$overhead"
echo "  processors: one process $one_cpu s, $tasks tasks $all_cpu s, each start $start_cpu s: $percent % beyond the starts"
echo "  clock: one process $one_seconds s, array and merge $calm_seconds s, with Slurm's own waits"
if [ -z "${BUSY:-}" ]; then
  check "8 tasks cost less than 10 % more than one process, beyond their starts" \
    awk -v p="$percent" 'BEGIN { exit !(p < 10) }'
fi

# ---- The same, disturbed

check "an array of $tasks is submitted again" submit rough
# A task whose process is killed goes back into the queue by itself.
check "the first task has stored something" within 60 has_begun rough 1
check "its process is killed" kill -9 "$(process rough 1 || echo none)"
check "no half of its file is there" test ! -e "rough/map.json.shard-1-of-$tasks"
# A task that is killed by hand is put back by hand, and the merging job waits for it.
within 60 has_begun rough 2
check "the second task is killed as a whole" scancel --signal=KILL "${job}_2"
check "and is lost" within 20 is_in_state "${job}_2" CANCELLED
check "it is put back" within 20 scontrol requeue "${job}_2"
# No task begins on a drained node.
check "the node is drained" scontrol update NodeName="$host" State=DRAIN Reason=test
is_quiet() { [ -z "$(squeue --noheader --array --states=RUNNING,COMPLETING)" ]; }
within 60 is_quiet
sleep 2
check "a drained node gets no task, and some wait" test -n "$(squeue --noheader --array --states=PENDING)"
check "none runs there" is_quiet
check "the node is brought back" scontrol update NodeName="$host" State=RESUME
is_running() { [ -n "$(squeue --noheader --array --states=RUNNING)" ]; }
check "tasks run again" within 30 is_running
# The controller is away while tasks run and end.
end slurmctld
check "the controller is away" test ! -e /proc/"$(cat "$folder/slurmctld.pid" 2> /dev/null || echo none)"
sleep 3
slurmctld 2> "$folder/slurmctld.err"
knows_jobs() { squeue --noheader > /dev/null 2>&1; }
check "the controller is back" within 30 knows_jobs
check "all tasks end" within 200 has_all_shards rough
check "they are merged" within 60 test -e rough/map.json
# The figure is written behind the result.
within 30 is_over
check "result and figure have the bytes of one process" are_same rough
check "the log tells of the task that went back" grep -q "ended by signal 9, back into the queue" rough/map.json.task-1.log
check "no journal and no temporary file is left" test -z "$(find rough -name '.*' -type f)"

# ---- A shared folder that fills

mkdir full "$folder/full"
if mount -t tmpfs -o size=64k none "$folder/full" 2> /dev/null; then
  tasks=1
  rmdir full && ln -s "$folder/full" full
  map=("${map[@]/48/3}")
  check "a task is submitted into a folder with little room" submit full 1
  check "it fails" within 60 is_in_state "${job}_1" FAILED
  check "its log says why" grep -q "No space left on device" full/map.json.task-1.log
  check "no half of a file is there" test ! -e full/map.json.shard-1-of-1
  check "the merging job does not make a map of less" within 60 is_in_state "$merging" FAILED
  mount -o remount,size=16m "$folder/full"
  check "there is room and it is put back" scontrol requeue "${job}_1"
  check "and a merging job behind it" sbatch --quiet --dependency=afterany:"$job" full/map.json.merge.sbatch
  "$tap" "${map[@]}" --out one/map.json --figure one/map.svg > /dev/null 2>&1
  check "it ends and is merged" within 60 test -e full/map.json
  within 30 is_over
  check "result and figure have the bytes of one process" are_same full
else
  echo "  a folder that fills is left out: nothing may be mounted here"
fi

echo "cluster: $passed passed, $failed failed"
[ $failed -eq 0 ]
