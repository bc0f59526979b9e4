/** What every driver of the probe port does, by what stands behind the port that is asked. */
import { afterEach, describe, expect, it } from 'vitest';
import type { NetworkProbe, ProbeRequest } from '../../../protocols/health/model.ts';
import { limits } from '../../../protocols/limits.ts';
import type { Probe } from '../../../protocols/ports.ts';
import { newCall } from '../../kit/port-call.ts';

/** `silent` takes the question and never answers; `endless` answers badly and without end; `absent`: nobody listens. */
export type Behaviour = 'good' | 'bad' | 'silent' | 'endless' | 'absent';

export interface ProbeRig {
  readonly probe: Probe;
  /** Something that behaves so, and how to ask it. */
  stand(type: NetworkProbe['type'], behaviour: Behaviour): Promise<ProbeRequest>;
  close(): Promise<void>;
}

const types = ['tcp', 'http', 'grpc'] as const;

export function probeConformance(name: string, open: () => Promise<ProbeRig>): void {
  describe(`the ${name} probe`, () => {
    let rig: ProbeRig;
    afterEach(() => rig.close());

    it.each(types)('%s passes where it is answered well', async (type) => {
      rig = await open();
      const result = await rig.probe.probe(await rig.stand(type, 'good'), newCall());
      expect(result.passed).toBe(true);
    });

    it.each(types)('%s does not pass where nobody listens, and says so', async (type) => {
      rig = await open();
      const result = await rig.probe.probe(await rig.stand(type, 'absent'), newCall());
      expect(result).toMatchObject({ passed: false, output: expect.stringMatching(/refused/i) });
    });

    it.each(['http', 'grpc'] as const)('%s does not pass with a bad answer, and tells it', async (type) => {
      rig = await open();
      const result = await rig.probe.probe(await rig.stand(type, 'bad'), newCall());
      expect(result.passed).toBe(false);
      expect(result.output).toMatch(type === 'http' ? /503/ : /NOT_SERVING/);
    });

    it('keeps so much of an answer without end, and does not wait for more', async () => {
      rig = await open();
      const result = await rig.probe.probe(await rig.stand('http', 'endless'), newCall());
      expect(result.passed).toBe(false);
      expect(result.output.length).toBeGreaterThan(100);
      expect(result.output.length).toBeLessThanOrEqual(limits.execOutputBytes);
    });

    it.each(['http', 'grpc'] as const)(
      '%s: who is silent has not passed when the time is over',
      async (type) => {
        rig = await open();
        const request = await rig.stand(type, 'silent');
        const over = new AbortController();
        const asked = rig.probe.probe(request, { key: 'silent', signal: over.signal });
        over.abort();
        expect(await asked).toEqual({ passed: false, output: 'no answer in time' });
      },
    );

    it('does not ask when the time is over already', async () => {
      rig = await open();
      const request = await rig.stand('tcp', 'good');
      const result = await rig.probe.probe(request, { key: 'late', signal: AbortSignal.abort() });
      expect(result.passed).toBe(false);
    });
  });
}
