/** The behaviours that the suite names, as commands: what real runtimes are given. Both have a shell and busybox' or GNU tools. */
import type { Behaviour, ExecBehaviour } from './rig.ts';

export const shell = (script: string) => ['/bin/sh', '-c', script];

export const heedsStop = 'trap "exit 0" TERM; while :; do sleep 60 & wait; done';

/** Of a container's first process. */
export function commandOf(behaviour: Behaviour): readonly string[] {
  switch (behaviour.of) {
    case 'exits':
      return shell(`exit ${behaviour.code}`);
    case 'ignores-stop':
      return shell('trap "" TERM; while :; do sleep 60; done');
    case 'unrunnable':
      return ['/bin/no-such-command'];
    default:
      return shell(heedsStop);
  }
}

export const execs: Readonly<Record<ExecBehaviour, readonly string[]>> = {
  prints: ['echo', 'hello'],
  'fails-with-3': shell('exit 3'),
  missing: ['no-such-command'],
  hangs: ['sleep', '3600'],
  floods: ['head', '-c', '1048576', '/dev/zero'],
  copies: ['cat'],
};
