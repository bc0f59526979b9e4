/** The scripted machine's ports under the probe's conformance suite. */
import type { ContainerScript } from '../../../runtime/drivers/container/scripted/script.ts';
import { ScriptedMachine } from '../../../runtime/drivers/container/scripted/machine.ts';
import { scriptedProbe } from '../../../runtime/drivers/probe/scripted-probe.ts';
import { realClock } from '../../../runtime/world/real-clock.ts';
import { seededRandom } from '../../../runtime/world/seeded-random.ts';
import { containerCreate } from '../../kit/container-create.ts';
import { probeConformance, type Behaviour } from './suite.ts';

const port = 80;
const scripts: Readonly<Record<Behaviour, ContainerScript>> = {
  good: { ports: { [port]: [{ fromMs: 0, code: 0, output: 'SERVING' }] } },
  bad: { ports: { [port]: [{ fromMs: 0, code: 1, output: 'answered 503, NOT_SERVING' }] } },
  silent: { ports: { [port]: [{ fromMs: 0, code: 0, tookMs: 3_600_000 }] } },
  endless: { ports: { [port]: [{ fromMs: 0, code: 1, output: 'x'.repeat(100_000) }] } },
  absent: {},
};

probeConformance('scripted', () => {
  const machine = new ScriptedMachine(realClock, seededRandom(1));
  return Promise.resolve({
    probe: scriptedProbe(machine, realClock),
    stand: (type, behaviour) => {
      const create = containerCreate(1, {});
      machine.scriptOf = () => scripts[behaviour];
      machine.make(create);
      machine.task(create.id);
      machine.start(create.id);
      const action = type === 'http' ? ({ type, port, path: '/', scheme: 'http' } as const) : { type, port };
      return Promise.resolve({ id: create.id, address: '10.42.0.2', action });
    },
    close: () => Promise.resolve(),
  });
});
