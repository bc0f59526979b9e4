/**
 * What every ContainerRuntime does, told once and run against each of them. Written against the port alone:
 * an arm brings a runtime, containers that behave in a named way, and commands for execs. Nothing here waits for
 * time; events and conditions are awaited, with a bounded deadline.
 */
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect } from 'vitest';
import { until } from '../kit/until.ts';
import { changeTests } from './container-runtime/changes.ts';
import { endTests } from './container-runtime/ends.ts';
import { execTests } from './container-runtime/execs.ts';
import { fileTests } from './container-runtime/files.ts';
import { lifeTests } from './container-runtime/life.ts';
import { observationTests } from './container-runtime/observations.ts';
import { refusalTests } from './container-runtime/refusals.ts';
import {
  call,
  watchEvents,
  type ContainerRuntimeArm,
  type Given,
  type Watch,
} from './container-runtime/rig.ts';

export type { Behaviour, ContainerRuntimeArm } from './container-runtime/rig.ts';

export function containerRuntimeConformance(name: string, makeArm: () => Promise<ContainerRuntimeArm>): void {
  describe(`container runtime: ${name}`, () => {
    let arm: ContainerRuntimeArm;
    let watch: Watch;
    const seen = new Set<string>();
    beforeAll(async () => {
      arm = await makeArm();
      watch = watchEvents(arm.runtime);
      await until('the first resync', () => watch.events.some((event) => event.type === 'resync'));
    }, 120_000);
    beforeEach(({ task, skip }) => {
      seen.add(task.name);
      const why = arm.exempt?.[task.name];
      if (why !== undefined) skip(why);
    });
    afterEach(async () => {
      const { containers } = await arm.runtime.list({}, call());
      for (const { id } of containers) await arm.runtime.remove({ id }, call());
    });
    afterAll(async () => {
      watch?.stop();
      await arm?.close();
      // A case that is not there cannot be exempt from.
      if (seen.size > 10) expect([...seen]).toEqual(expect.arrayContaining(Object.keys(arm.exempt ?? {})));
    }, 60_000);

    const given = (): Given => ({ arm, runtime: arm.runtime, watch });
    lifeTests(given);
    refusalTests(given);
    endTests(given);
    changeTests(given);
    execTests(given);
    fileTests(given);
    observationTests(given);
  });
}
