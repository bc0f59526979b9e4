/**
 * The waiting parent of a run: a script of POSIX sh, because it must outlive the daemon and be there where the daemon
 * is one executable that is not Node. It starts the command in a session of its own and writes its exit code down.
 *
 * The first process writes down who it and its parent are before anything else and stands still, so that a daemon that
 * dies at any moment finds it again; SIGCONT starts it. It is a child in the foreground: in the background sh would
 * make it ignore SIGINT. Tools are found on a path of the script's own; the command gets the one it shall have.
 */
export const waitingParentScript = `#!/bin/sh
# parent FOLDER EXIT STDOUT STDERR PATH COMMAND...
role=$1 folder=$2 exit=$3 stdout=$4 stderr=$5 path=$6
PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
case $role in
parent)
  shift
  setsid /bin/sh "$0" first "$@"
  code=$?
  printf '%s\\n' "$code" >"$exit.part"
  sync "$exit.part"
  mv -f "$exit.part" "$exit"
  ;;
first)
  shift 6
  umask 022
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
