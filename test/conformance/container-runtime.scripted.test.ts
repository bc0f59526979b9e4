/** The scripted containers under the container runtime's conformance suite. Its times are a few milliseconds of a real clock. */
import { ScriptedImages } from '../../runtime/drivers/container/scripted/images.ts';
import { ScriptedMachine } from '../../runtime/drivers/container/scripted/machine.ts';
import { scriptedRuntime } from '../../runtime/drivers/container/scripted/runtime.ts';
import type { ContainerScript } from '../../runtime/drivers/container/scripted/script.ts';
import { realClock } from '../../runtime/world/real-clock.ts';
import { seededRandom } from '../../runtime/world/seeded-random.ts';
import { containerCreate } from '../kit/container-create.ts';
import {
  containerRuntimeConformance,
  type Behaviour,
  type ContainerRuntimeArm,
} from './container-runtime.ts';

const execs: NonNullable<ContainerScript['execs']> = {
  prints: [{ fromMs: 0, code: 0, output: 'hello\n' }],
  'fails-with-3': [{ fromMs: 0, code: 3 }],
  hangs: [{ fromMs: 0, code: 0, tookMs: 3_600_000 }],
  floods: [{ fromMs: 0, code: 0, output: 'x'.repeat(1_048_576) }],
  copies: [{ fromMs: 0, code: 0, echoes: true }],
};

function scriptOf(behaviour: Behaviour | { readonly of: 'out-of-memory' }): ContainerScript {
  const quick = { createMs: 2, startMs: 1, execs };
  switch (behaviour.of) {
    case 'exits':
      return { ...quick, exit: { afterMs: 1, code: behaviour.code } };
    case 'out-of-memory':
      return { ...quick, exit: { afterMs: 1, code: 137, oom: true } };
    case 'ignores-stop':
      return { ...quick, stop: 'ignores' };
    case 'unrunnable':
      return { ...quick, createFails: 'HM-CONTAINER-COMMAND' };
    default:
      return { ...quick, stop: { afterMs: 1 } };
  }
}

function imageOf({ of }: { readonly of: string }): string {
  if (of === 'missing-image') return 'not-here';
  return of === 'foreign-image' ? 'box-s390x' : 'box';
}

function makeArm(): Promise<ContainerRuntimeArm> {
  const clock = realClock;
  const scripts = new Map<string, ContainerScript>();
  const machine = new ScriptedMachine(clock, seededRandom(1), (create) => scripts.get(create.id) ?? {});
  const images = new ScriptedImages(['box']);
  images.add('box-s390x', 'linux/s390x');
  const runtimes = [scriptedRuntime(machine, images, clock)];
  let count = 0;
  const create = (behaviour: Parameters<typeof scriptOf>[0]) => {
    const made = containerCreate(++count, { image: imageOf(behaviour) });
    scripts.set(made.id, scriptOf(behaviour));
    return { ...made, stdoutPath: `/logs/${made.id}.out`, stderrPath: `/logs/${made.id}.err` };
  };
  return Promise.resolve({
    runtime: runtimes[0]!,
    container: (behaviour) => Promise.resolve(create(behaviour)),
    command: (behaviour) => [behaviour],
    reopen: () => {
      const runtime = scriptedRuntime(machine, images, clock);
      runtimes.push(runtime);
      return Promise.resolve(runtime);
    },
    outOfMemory: () => Promise.resolve({ create: create({ of: 'out-of-memory' }) }),
    close: () => {
      for (const runtime of runtimes) runtime.close();
      return Promise.resolve();
    },
  });
}

containerRuntimeConformance('scripted', makeArm);
