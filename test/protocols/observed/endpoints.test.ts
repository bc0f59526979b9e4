/** Endpoints out of what slots say, and endpoints of other nodes that say something else than their containers. */
import { expect, test } from 'vitest';
import type { SlotStatus } from '../../../protocols/apps/status.ts';
import { endpointOf, type EndpointRecord } from '../../../protocols/observed/endpoints.ts';
import type { Records } from '../../../protocols/observed/model.ts';
import { faultOf } from '../../../protocols/observed/read.ts';
import { statusOf } from '../../kit/cluster/observed-town.ts';

const slot = 'shop/web.1';
const port = (hostPort: number, containerPort: number, protocol: 'tcp' | 'udp' = 'tcp') => ({
  hostAddress: '0.0.0.0',
  hostPort,
  containerPort,
  protocol,
});

test.each<[string, Partial<SlotStatus>, Partial<EndpointRecord> | undefined]>([
  ['runs and is ready', {}, { ready: true, address: '10.42.1.1', placement: 1, run: 1 }],
  ['runs and is not ready yet', { readiness: 'starting' }, { ready: false }],
  ['is out of service', { readiness: 'unready' }, { ready: false }],
  ['is unhealthy', { readiness: 'unhealthy' }, { ready: false }],
  ['ends', { phase: 'stopping' }, undefined],
  ['waits for its next attempt', { phase: 'backoff', readiness: 'none' }, undefined],
  ['has completed', { phase: 'completed', readiness: 'none' }, undefined],
  [
    'is published several times',
    { ports: [port(8_080, 80), port(8_081, 80), port(53, 53, 'udp'), port(54, 53)] },
    {
      ports: [
        { containerPort: 80, protocol: 'tcp' },
        { containerPort: 53, protocol: 'udp' },
        { containerPort: 53, protocol: 'tcp' },
      ],
    },
  ],
])('a container that %s', (_what, more, expected) => {
  const endpoint = endpointOf(statusOf(1, slot, more), undefined);
  if (expected) expect(endpoint).toMatchObject({ slot, ...expected });
  else expect(endpoint).toBeUndefined();
});

test('a container without an address has none', () => {
  const { address: _, ...without } = statusOf(1, slot);
  expect(endpointOf(without, undefined)).toBeUndefined();
});

test('its time stands while only something else of the slot changes', () => {
  const first = endpointOf(statusOf(1, slot, { since: 10 }), undefined)!;
  const later = { since: 20, restarts: 3 };
  expect(endpointOf(statusOf(1, slot, later), first)).toEqual(first);
  expect(endpointOf(statusOf(1, slot, { ...later, readiness: 'unready' }), first)).toEqual({
    ...first,
    ready: false,
    since: 20,
  });
  for (const more of [{ run: 2 }, { placement: 2 }, { address: '10.42.1.9' }, { ports: [port(1, 2)] }])
    expect(endpointOf(statusOf(1, slot, { ...later, ...more }), first)!.since).toBe(20);
});

const container = statusOf(1, slot);
const endpoint = endpointOf(container, undefined)!;
const set = (value: unknown, beside: SlotStatus | undefined = container): Records => ({
  ...(beside ? { [`container/${slot}`]: { sequence: 1, value: beside } } : {}),
  [`endpoint/${slot}`]: { sequence: 1, value },
});

test.each<[string, Records, RegExp | undefined]>([
  ['is good beside its container', set(endpoint), undefined],
  ['may hold what a later version adds', set({ ...endpoint, weight: 3 }), undefined],
  ['is refused alone', { [`endpoint/${slot}`]: { sequence: 1, value: endpoint } }, /not of the container/],
  ['is refused with another address', set({ ...endpoint, address: '10.9.9.9' }), /not of the container/],
  ['is refused of another run', set({ ...endpoint, run: 7 }), /not of the container/],
  ['is refused of another placement', set({ ...endpoint, placement: 7 }), /not of the container/],
  ['is refused of another slot', set({ ...endpoint, slot: 'shop/web.2' }), /not of the container/],
  [
    'is refused when it is ready and its container is not',
    set(endpoint, statusOf(1, slot, { readiness: 'unhealthy' })),
    /not of the container/,
  ],
  ['is refused when its container ends', set(endpoint, statusOf(1, slot, { phase: 'stopping' })), /not of/],
  ['is refused out of form', set({ ...endpoint, ready: 'yes' }), /not in form/],
  ['is refused with ports out of form', set({ ...endpoint, ports: [80] }), /not in form/],
])('an endpoint of another node %s', (_what, records, fault) => {
  const found = faultOf(records, 'n1', {});
  if (fault) expect(found).toMatch(fault);
  else expect(found).toBeUndefined();
});

test('a container that changes under an endpoint that was looked at before is noticed', () => {
  const before = set(endpoint);
  const after = {
    ...before,
    [`container/${slot}`]: { sequence: 2, value: statusOf(1, slot, { readiness: 'unready' }) },
  };
  expect(faultOf(before, 'n1', before)).toBeUndefined();
  expect(faultOf(after, 'n1', before)).toMatch(/not of the container/);
});
