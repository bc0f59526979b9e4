/**
 * The waiting parent of a run: a script of POSIX sh, because it must outlive the daemon and be there where the daemon
 * is one executable that is not Node. It starts the command in a session of its own and writes its exit code down.
 *
 * The first process writes down who it and its parent are before anything else and stands still, so that a daemon that
 * dies at any moment finds it again; SIGCONT starts it. It is a child in the foreground: in the background sh would
 * make it ignore SIGINT. Tools are found on a path of the script's own; the command gets the one it shall have.
 *
 * JOIN: the files of the run's cgroup that its processes write themselves into, with blanks between; empty: it has none.
 * OOM: the file in which the kernel counts whom it killed there for want of memory; looked at while the cgroup is there.
 */
export const waitingParentScript = `#!/bin/sh
# parent FOLDER EXIT STDOUT STDERR PATH JOIN OOM COMMAND...
# beside JOIN COMMAND...
join() {
  for file in $1; do
    echo $$ >"$file" || exit 125
  done
}
if [ "$1" = beside ]; then
  join "$2"
  shift 2
  exec "$@"
fi
role=$1 folder=$2 exit=$3 stdout=$4 stderr=$5 path=$6 joined=$7 oom=$8
PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
case $role in
parent)
  shift
  setsid /bin/sh "$0" first "$@"
  code=$?
  killed=0
  [ ! -r "$oom" ] || while read -r name count; do
    [ "$name" != oom_kill ] || killed=$count
  done <"$oom"
  printf '%s %s\\n' "$code" "$killed" >"$exit.part"
  sync "$exit.part"
  mv -f "$exit.part" "$exit"
  ;;
first)
  shift 8
  umask 022
  join "$joined"
  read -r own <"/proc/$$/stat" && read -r above <"/proc/$PPID/stat" || exit 125
  printf '%s\\n%s\\n' "$own" "$above" >"$folder/process.part" || exit 125
  mv -f "$folder/process.part" "$folder/process" || exit 125
  echo ready
  kill -STOP $$
  PATH=$path
  export PATH
  exec "$@" </dev/null >>"$stdout" 2>>"$stderr"
  ;;
esac
`;
