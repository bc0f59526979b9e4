/** Which names and ports follow from what the slots report, and when there is something to push. */
import { expect, it } from 'vitest';
import type { SlotStatus } from '../../../protocols/apps/status.ts';
import {
  freshRegistry,
  publicationsOf,
  registryGuards,
  registrySteps,
  zoneOf,
} from '../../../protocols/discovery/registry.ts';

const port = { hostAddress: '0.0.0.0', hostPort: 8080, containerPort: 80, protocol: 'tcp' as const };
const slot = (service: string, index: number, more: Partial<SlotStatus> = {}): SlotStatus =>
  ({
    slot: `shop/${service}.${index}`,
    app: 'shop',
    service,
    index,
    phase: 'running',
    readiness: 'ready',
    address: `10.42.0.${index + 1}`,
    ports: [port],
    ...more,
  }) as SlotStatus;

const table = (...slots: SlotStatus[]) => Object.fromEntries(slots.map((one) => [one.slot, one]));

it('names the ready ones; whoever has an address may ask (D1, D3)', () => {
  const zone = zoneOf(
    table(slot('web', 1), slot('web', 2, { readiness: 'unhealthy' }), slot('web', 3, { phase: 'stopping' })),
  );
  expect(zone.names).toEqual([{ app: 'shop', service: 'web', index: 1, address: '10.42.0.2' }]);
  expect(zone.clients.map(({ address }) => address)).toEqual(['10.42.0.2', '10.42.0.3', '10.42.0.4']);
});

it('publishes a port with its ready backends, or with none, and for one service only', () => {
  expect(publicationsOf(table(slot('web', 1), slot('web', 2, { readiness: 'unhealthy' })))).toEqual([
    { port, backends: [{ address: '10.42.0.2', port: 80 }] },
  ]);
  expect(publicationsOf(table(slot('web', 1, { phase: 'waiting' })))).toEqual([{ port, backends: [] }]);
  expect(publicationsOf(table(slot('web', 1), slot('api', 2)))).toEqual([
    { port, backends: [{ address: '10.42.0.3', port: 80 }] },
  ]);
});

it('pushes nothing before it knows something, and nothing twice', () => {
  expect(registryGuards.portsChanged(freshRegistry)).toBe(false);
  expect(registryGuards.namesChanged(freshRegistry)).toBe(false);
  const [partly] = registrySteps.note(freshRegistry, { slots: [slot('web', 1)], gone: [] });
  // Another slot may hold a port and not have been adopted yet.
  expect(registryGuards.portsChanged(partly)).toBe(false);
  const [known] = registrySteps.note(partly, { slots: [], gone: [], complete: true });
  expect(registryGuards.portsChanged(known)).toBe(true);
  const [pushing] = registrySteps.pushPorts(known);
  const [pushed] = registrySteps.portsDone(pushing);
  expect(registryGuards.portsChanged(pushed)).toBe(false);
  const [repeated] = registrySteps.note(pushed, { slots: [slot('web', 1)], gone: [] });
  expect(registryGuards.portsChanged(repeated)).toBe(false);
  const [gone] = registrySteps.note(repeated, { slots: [], gone: ['shop/web.1'] });
  expect(registryGuards.portsChanged(gone)).toBe(true);
});

it('says that an endpoint is withdrawn when both tables are without it, and at once when they are', () => {
  const leave = { slot: 'shop/web.1', to: '/c1' };
  const [known] = registrySteps.note(freshRegistry, { slots: [slot('web', 1)], gone: [], complete: true });
  const push = (value: typeof known) =>
    registrySteps.namesDone(
      registrySteps.portsDone(registrySteps.pushNames(registrySteps.pushPorts(value)[0])[0])[0],
    );
  const [shown] = push(known);
  const [asked, nothing] = registrySteps.withdraw(shown, leave);
  expect(nothing).toEqual([]);
  expect(zoneOf(asked.slots).names).toEqual([]);
  // A push that was under way still holds it: only a later one counts.
  const [half, none] = registrySteps.portsDone(registrySteps.pushPorts(asked)[0]);
  expect(none).toEqual([]);
  const [done, said] = registrySteps.namesDone(registrySteps.pushNames(half)[0]);
  expect(said).toMatchObject([{ do: 'send', to: '/c1', event: { type: 'endpoint.withdrawn' } }]);
  expect(registrySteps.withdraw(done, { ...leave, to: '/c2' })[1]).toMatchObject([{ to: '/c2' }]);
  expect(registrySteps.namesDone(done)[1]).toEqual([]);
});
