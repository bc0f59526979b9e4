/** What the runtime is told to make a container from. */
import type { ContainerValue } from '../life/value.ts';
import { containerName } from '../ids.ts';
import type { ContainerCreate } from '../model.ts';
import { imageToRun } from './pulling.ts';

/** Throws when its files are not there yet: no phase asks for it before. */
export function creation(value: ContainerValue, hostname: string): ContainerCreate {
  const { files, assignment, key } = value;
  if (!files) throw new Error(`${containerName(key)} has no run files`);
  const { logging, process } = assignment.spec;
  // The shim writes nothing then. A terminal needs something that it writes to: what is there is thrown away.
  const isMute = logging?.driver === 'none' && process?.tty !== true;
  return {
    id: value.id,
    key,
    specHash: assignment.specHash,
    spec: { ...assignment.spec, image: imageToRun(assignment) },
    mounts: [...files.mounts, ...value.mounts, ...(value.grants ?? [])],
    hostname,
    extraEnvironment: {
      HIVEMIND_APP: assignment.app,
      HIVEMIND_SERVICE: assignment.service,
      HIVEMIND_SLOT: key.slot,
      HIVEMIND_NODE: value.node,
      HIVEMIND_PLACEMENT: String(key.placement),
      HIVEMIND_RUN: String(key.run),
    },
    ...(value.address === undefined ? {} : { address: value.address }),
    stdoutPath: isMute ? '' : files.stdoutPath,
    stderrPath: isMute ? '' : files.stderrPath,
  };
}
