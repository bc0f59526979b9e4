/**
 * A store and a node in miniature, for properties of the app room's decisions: transactions are compared and applied
 * as a store does it, and slots report what a node would. No actors, no time.
 */
import { expect } from 'vitest';
import { decideCommand, type AppCommand, type Verdict } from '../../../protocols/apps/commands.ts';
import type { AppRecord, AppSpec, Assignment, ServiceSpec } from '../../../protocols/apps/model.ts';
import { reconcileApp, type Desk, type Writes } from '../../../protocols/apps/reconcile.ts';
import type { SlotStatus } from '../../../protocols/apps/status.ts';
import { limits } from '../../../protocols/limits.ts';
import { keys } from '../../../protocols/state/keys.ts';
import { advance, emptyMirror, modRevisionOf, under, type Mirror } from '../../../protocols/state/mirror.ts';
import type { StoreEvent } from '../../../protocols/state/model.ts';

export const node = 'n1';

export function serviceOf(name: string, more: Partial<ServiceSpec> = {}): ServiceSpec {
  return {
    name,
    image: `${name}:1`,
    environment: {},
    ports: [],
    mounts: [],
    dependsOn: [],
    restart: { condition: 'always' },
    replicas: 1,
    networkMode: 'app',
    stopGraceMs: 10_000,
    ...more,
  };
}

export function appOf(
  name: string,
  services: readonly ServiceSpec[],
  volumes: readonly string[] = [],
): AppSpec {
  return {
    name,
    services: Object.fromEntries(services.map((service) => [service.name, service])),
    volumes: Object.fromEntries(volumes.map((volume) => [volume, { name: volume }])),
  };
}

/** Throws when a guard does not hold: nobody else writes here. */
export function commit(mirror: Mirror, writes: Writes): Mirror {
  expect(writes.then.length).toBeLessThanOrEqual(limits.storeTxnOps);
  expect(writes.compare.length).toBeLessThanOrEqual(limits.storeTxnOps);
  for (const { key, field, equals } of writes.compare)
    expect([key, field === 'modRevision' ? modRevisionOf(mirror, key) : -1]).toEqual([key, equals]);
  const revision = mirror.position.revision + 1;
  const events = writes.then.map((op): StoreEvent => {
    if (op.op === 'delete') return { type: 'delete', key: op.key, modRevision: revision };
    const kv = { key: op.key, value: op.value, createRevision: revision, modRevision: revision, version: 1 };
    return { type: 'put', kv };
  });
  return advance(mirror, events, { epoch: 1, revision });
}

export class Town {
  mirror: Mirror = emptyMirror;
  observed: Record<string, SlotStatus> = {};

  get desk(): Desk {
    return { node, mirror: this.mirror, observed: this.observed };
  }

  apps(): AppRecord[] {
    return under<AppRecord>(this.mirror, keys.apps).map((row) => row.value);
  }

  assignments(app?: string): Assignment[] {
    return under<Assignment>(this.mirror, keys.assignments(node))
      .map((row) => row.value)
      .filter((row) => app === undefined || row.app === app);
  }

  command(command: AppCommand): Verdict {
    const verdict = decideCommand(this.desk, command);
    if ('writes' in verdict && verdict.writes.then.length > 0)
      this.mirror = commit(this.mirror, verdict.writes);
    return verdict;
  }

  deploy(spec: AppSpec, digests: Readonly<Record<string, string>> = {}): Verdict {
    return this.command({ type: 'app.deploy', spec, digests, at: 1 });
  }

  /** One round of the first app that differs. */
  round(): Writes | undefined {
    for (const app of this.apps()) {
      const writes = reconcileApp(this.desk, app);
      if (writes.then.length === 0) continue;
      this.mirror = commit(this.mirror, writes);
      return writes;
    }
    return undefined;
  }

  /** Rounds until nothing differs. */
  settle(): number {
    for (let rounds = 0; rounds < 500; rounds++) if (!this.round()) return rounds;
    throw new Error('reconciling never ends');
  }

  /** What is ready has settled, unless `settled` says otherwise. */
  report(
    slot: string,
    more: Partial<SlotStatus> = {},
    settled = (more.readiness ?? 'ready') === 'ready',
  ): void {
    const assignment = this.assignments().find((row) => row.slot === slot);
    if (!assignment) {
      delete this.observed[slot];
      return;
    }
    const { app, service, index, placement, revision, specHash, spec } = assignment;
    this.observed = {
      ...this.observed,
      [slot]: {
        ...{ slot, app, service, index, node, placement, revision, specHash },
        ...{ run: 1, phase: 'running', readiness: 'ready', image: spec.image, ports: spec.ports },
        ...{ restarts: 0, since: 1, ...(settled ? { settled } : {}) },
        ...more,
      },
    };
  }

  /** Every slot runs what it was assigned, and what is not assigned is gone. */
  run(): void {
    this.observed = {};
    for (const { slot } of this.assignments()) this.report(slot);
  }

  /** Rounds and reports until all is as wished. */
  converge(): void {
    for (let turns = 0; turns < 500; turns++) {
      const rounds = this.settle();
      this.run();
      if (rounds === 0 && this.settle() === 0) return;
    }
    throw new Error('it never converges');
  }
}
