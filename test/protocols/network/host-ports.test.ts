/** Host ports that nobody named: assigned at the deploy, kept from revision to revision, never somebody else's. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { assignablePorts, type BusyPort } from '../../../protocols/apps/host-ports.ts';
import type { PortSpec } from '../../../protocols/apps/model.ts';
import { keys } from '../../../protocols/state/keys.ts';
import type { RevisionRecord } from '../../../protocols/apps/model.ts';
import { under } from '../../../protocols/state/mirror.ts';
import { limits } from '../../../protocols/limits.ts';
import { appOf, serviceOf, Town } from '../apps/town.ts';

const first = limits.portRangeFirst;
const port = (hostPort: number, more: Partial<PortSpec> = {}): PortSpec => ({
  hostAddress: '0.0.0.0',
  hostPort,
  containerPort: 80,
  protocol: 'tcp',
  ...more,
});
const any = (containerPort = 80, more: Partial<PortSpec> = {}): PortSpec =>
  port(0, { containerPort, ...more });

class Ports extends Town {
  /** The host ports that `app/web` has after it, or the code of the refusal. */
  put(
    app: string,
    ports: readonly PortSpec[],
    busy: readonly BusyPort[] = [],
    replicas = 1,
  ): readonly number[] | string {
    const spec = appOf(app, [serviceOf('web', { ports, replicas })]);
    const verdict = this.command({ type: 'app.deploy', spec, busy, at: 1 });
    if ('refusal' in verdict) return verdict.refusal.code;
    const newest = under<RevisionRecord>(this.mirror, keys.revisions(app)).at(-1)!.value;
    return newest.spec.services['web']!.ports.map(({ hostPort }) => hostPort);
  }
}

describe('a port that nobody named', () => {
  it('gets the first of the range that nobody publishes or listens on, of its protocol', () => {
    const town = new Ports();
    expect(town.put('a', [port(first)])).toEqual([first]);
    expect(town.put('b', [any(), any(81), any(82, { protocol: 'udp' })])).toEqual([
      first + 1,
      first + 2,
      first,
    ]);
    const busy = [first + 3, first + 4].map((hostPort) => ({ hostPort, protocol: 'tcp' as const }));
    expect(town.put('c', [any(), port(first + 5, { containerPort: 81 }), any(82)], busy)).toEqual([
      first + 6,
      first + 5,
      first + 7,
    ]);
  });

  it('keeps it while it is asked for, whatever else changes, and is the same revision when nothing does', () => {
    const town = new Ports();
    expect(town.put('a', [any(80), any(81)])).toEqual([first, first + 1]);
    expect(town.put('a', [any(80), any(81)])).toEqual([first, first + 1]);
    expect(town.apps()[0]!.revision).toBe(1);
    expect(town.put('a', [any(79), any(81)])).toEqual([first, first + 1]);
    expect(town.put('a', [any(81), any(79)])).toEqual([first + 1, first]);
    expect(town.put('a', [any(81, { protocol: 'udp' }), any(81)])).toEqual([first, first + 1]);
  });

  it('moves when something else listens there by now, and when somebody names it', () => {
    const town = new Ports();
    town.put('a', [any()]);
    expect(town.put('a', [any()], [{ hostPort: first, protocol: 'tcp' }])).toEqual([first + 1]);
    expect(town.put('b', [port(first + 1)])).toBe('HM-PORT-TAKEN');
    expect(town.put('a', [any(), port(first + 1, { containerPort: 90 })])).toEqual([first, first + 1]);
  });

  it('is not what an app that is being removed still serves', () => {
    const town = new Ports();
    town.put('a', [any()]);
    town.command({ type: 'app.remove', app: 'a', volumes: false });
    expect(town.put('b', [any()])).toEqual([first + 1]);
  });

  it('is refused when there is none left', () => {
    const busy = assignablePorts(appOf('a', [serviceOf('web', { ports: [any()] })]));
    expect(new Ports().put('a', [any()], busy)).toBe('HM-PORT-RANGE');
    expect(new Ports().put('a', [any(53, { protocol: 'udp' })], busy)).toEqual([first]);
  });

  it('never has a port of another, over any deploys', () => {
    const wish = fc.record({
      app: fc.constantFrom('a', 'b', 'c'),
      ports: fc.array(
        fc.record({
          hostAddress: fc.constantFrom('0.0.0.0', '127.0.0.1'),
          hostPort: fc.oneof(fc.constant(0), fc.integer({ min: first, max: first + 4 })),
          containerPort: fc.integer({ min: 1, max: 4 }),
          protocol: fc.constantFrom('tcp' as const, 'udp' as const),
        }),
        { maxLength: 4 },
      ),
      busy: fc.array(
        fc.record({
          hostPort: fc.integer({ min: first, max: first + 6 }),
          protocol: fc.constantFrom('tcp' as const, 'udp' as const),
        }),
      ),
    });
    fc.assert(
      fc.property(fc.array(wish, { maxLength: 8 }), (wishes) => {
        const town = new Ports();
        const held = new Map<string, ReadonlySet<string>>();
        for (const { app, ports, busy } of wishes) {
          const got = town.put(app, ports, busy);
          if (typeof got === 'string') continue;
          expect(got).not.toContain(0);
          const names = got.map((hostPort, nth) => `${hostPort}/${ports[nth]!.protocol}`);
          const own = names.filter((_, nth) => ports[nth]!.hostPort === 0);
          expect(new Set(own).size).toBe(own.length);
          for (const { hostPort, protocol } of busy) expect(own).not.toContain(`${hostPort}/${protocol}`);
          for (const [other, theirs] of held)
            if (other !== app) for (const name of own) expect(theirs.has(name)).toBe(false);
          held.set(app, new Set(names));
        }
      }),
    );
  });
});

describe('a port out of a range', () => {
  const among = (from: number, to: number): PortSpec => port(0, { range: { first: from, last: to } });
  const scaled = (town: Ports, replicas: number) =>
    town.put('a', [among(8000, 8003)], [{ hostPort: 8001, protocol: 'tcp' }], replicas);

  it('is the first that nobody publishes or listens on, one for each replica, and is kept', () => {
    const town = new Ports();
    expect(town.put('b', [port(8000)])).toEqual([8000]);
    expect(scaled(town, 1)).toEqual([8002]);
    expect(scaled(town, 2)).toEqual([8002, 8003]);
    expect(town.put('c', [among(8003, 8005), port(8004, { containerPort: 81 })])).toEqual([8005, 8004]);
    expect(scaled(town, 3)).toBe('HM-PORT-RANGE');
    town.command({ type: 'app.remove', app: 'b', volumes: false });
    expect(scaled(town, 2)).toEqual([8002, 8003]);
    expect(town.put('a', [among(8003, 8010)], [], 2)).toEqual([8006, 8003]);
  });

  it('is its own replica’s alone, and no other replica is replaced when one more comes', () => {
    const town = new Ports();
    const published = () => town.assignments().map(({ spec }) => spec.ports.map(({ hostPort }) => hostPort));
    scaled(town, 2);
    town.converge();
    const placements = () => town.assignments().map(({ placement }) => placement);
    expect([published(), placements()]).toEqual([
      [[8000], [8002]],
      [1, 1],
    ]);
    scaled(town, 3);
    town.converge();
    expect([published(), placements()]).toEqual([
      [[8000], [8002], [8003]],
      [1, 1, 1],
    ]);
  });

  it('bounds what the service can be scaled to', () => {
    const town = new Ports();
    scaled(town, 2);
    const scale = (replicas: number) =>
      town.command({ type: 'app.scale', app: 'a', service: 'web', replicas });
    expect(scale(3)).toMatchObject({ refusal: { code: 'HM-PORT-RANGE' } });
    expect(scale(1)).not.toHaveProperty('refusal');
  });
});

it('a port at an address where nobody can listen is refused before anything is written', () => {
  for (const hostAddress of ['fe80::1', 'ff02::1', '::ffff:1.2.3.4'])
    expect(new Ports().put('a', [port(80, { hostAddress })])).toBe('HM-PORT-ADDRESS');
});

it('two apps share a port where their addresses do not meet', () => {
  const taken = (one: string, other: string): boolean => {
    const town = new Ports();
    town.put('a', [port(80, { hostAddress: one })]);
    return town.put('b', [port(80, { hostAddress: other })]) === 'HM-PORT-TAKEN';
  };
  const met = [
    ['::1', '::'],
    ['::1', '0.0.0.0'],
    ['::', '0.0.0.0'],
    ['127.0.0.1', '::'],
    ['127.0.0.1', '::1'],
    ['::1', '2001:db8::1'],
  ] as const;
  expect(met.map(([one, other]) => taken(one, other))).toEqual([true, true, true, false, false, false]);
  expect(met.map(([one, other]) => taken(other, one))).toEqual([true, true, true, false, false, false]);
});
