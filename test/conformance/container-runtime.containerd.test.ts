/** The containerd driver under the container runtime's conformance suite: real containerd, runc and busybox. */
import { describe, test } from 'vitest';
import { missingForContainerd, startContainerd } from '../kit/containerd.ts';
import { containerCreate } from '../kit/container-create.ts';
import {
  containerRuntimeConformance,
  type Behaviour,
  type ContainerRuntimeArm,
} from './container-runtime.ts';
import { commandOf, execs, shell } from './container-runtime/commands.ts';

function imageOf(behaviour: Behaviour): string {
  if (behaviour.of === 'missing-image') return 'not-here';
  return behaviour.of === 'foreign-image' ? 'box-s390x' : 'box';
}

async function makeArm(): Promise<ContainerRuntimeArm> {
  const containerd = await startContainerd();
  try {
    await containerd.addImage('box:latest');
    await containerd.addImage('box-s390x:latest', { architecture: 's390x' });
  } catch (error) {
    await containerd.stop();
    throw error;
  }
  let count = 0;
  const container = async (behaviour: Behaviour) => {
    const create = containerCreate(++count, { image: imageOf(behaviour), command: commandOf(behaviour) });
    return { ...create, ...(await containerd.logFiles(create.id)) };
  };
  return {
    runtime: containerd.runtime(),
    container,
    command: (behaviour) => execs[behaviour],
    reopen: () => Promise.resolve(containerd.runtime()),
    outOfMemory: async () => {
      const create = containerCreate(++count, {
        image: 'box',
        command: shell('x=$(yes | head -c 200m); echo $x'),
        resources: { limits: { memoryBytes: 16_777_216 } },
      });
      const files = await containerd.logFiles(create.id);
      return { create: { ...create, ...files } };
    },
    close: () => containerd.stop(),
  };
}

const missing = missingForContainerd();
if (missing) {
  describe('container runtime: containerd', () => {
    test('is skipped', ({ skip }) => skip(missing));
  });
} else {
  containerRuntimeConformance('containerd', makeArm);
}
