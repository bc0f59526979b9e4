/** The probe port over a scripted machine: a port answers as the container's script says, and refuses otherwise. */
import type { ProbeResult } from '../../../protocols/health/model.ts';
import { limits } from '../../../protocols/limits.ts';
import type { Clock, Probe } from '../../../protocols/ports.ts';
import type { ScriptedMachine } from '../container/scripted/machine.ts';
import { scriptAt } from '../container/scripted/script.ts';

export function scriptedProbe(machine: ScriptedMachine, clock: Clock): Probe {
  return {
    probe: ({ id, action }, { signal }) => {
      const isUp = machine.find(id)?.phase === 'running';
      const entries = machine.scriptFor(id)?.ports?.[String(action.port)];
      const said = isUp ? scriptAt(entries, machine.upMs(id)) : undefined;
      if (!said) return Promise.resolve({ passed: false, output: 'connection refused' });
      const output = (said.output ?? '').slice(0, limits.execOutputBytes);
      return wait(clock, said.tookMs ?? 0, { passed: said.code === 0, output }, signal);
    },
  };
}

function wait(clock: Clock, ms: number, result: ProbeResult, signal: AbortSignal): Promise<ProbeResult> {
  if (signal.aborted) return Promise.resolve(overdue);
  return new Promise((resolve) => {
    const timer = clock.setTimer(ms, () => {
      signal.removeEventListener('abort', abandoned);
      resolve(result);
    });
    const abandoned = () => {
      clock.clearTimer(timer);
      resolve(overdue);
    };
    signal.addEventListener('abort', abandoned, { once: true });
  });
}

const overdue: ProbeResult = { passed: false, output: 'no answer in time' };
