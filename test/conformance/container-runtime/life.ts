/** From create to running: what is there afterwards, and what doing it twice does. */
import { expect, test } from 'vitest';
import { call, statusOf, type Given } from './rig.ts';

export function lifeTests(given: () => Given): void {
  test('says what it is', async () => {
    const info = await given().runtime.info({}, call());
    expect(info.platform).toMatch(/^linux\/[a-z0-9]+$/);
    expect([1, 2]).toContain(info.cgroups);
    expect(info.version).not.toBe('');
  });

  test('a created container has not run, and is listed with all it was created with', async () => {
    const { arm, runtime } = given();
    const create = await arm.container({ of: 'runs' });
    const { pid } = await runtime.create(create, call());
    expect(pid).toBeGreaterThan(0);
    const status = await statusOf(runtime, create.id);
    expect(status).toMatchObject({
      id: create.id,
      key: create.key,
      specHash: create.specHash,
      phase: 'created',
      pid,
      ...(create.address === undefined ? {} : { address: create.address }),
    });
    expect(status!.createdAt).toBeGreaterThan(0);
    expect((await runtime.list({}, call())).containers).toEqual([status]);
  });

  test('creating what exists answers the same, and starting what runs is done already', async () => {
    const { arm, runtime } = given();
    const create = await arm.container({ of: 'runs' });
    const first = await runtime.create(create, call());
    expect(await runtime.create(create, call())).toEqual(first);
    await runtime.start({ id: create.id }, call());
    await runtime.start({ id: create.id }, call());
    expect(await runtime.create(create, call())).toEqual(first);
    expect(await statusOf(runtime, create.id)).toMatchObject({ phase: 'running', pid: first.pid });
  });

  test('two creates of one id at the same time make one container', async () => {
    const { arm, runtime } = given();
    const create = await arm.container({ of: 'runs' });
    const both = await Promise.all([runtime.create(create, call()), runtime.create(create, call())]);
    expect(both[0]).toEqual(both[1]);
    expect((await runtime.list({}, call())).containers).toHaveLength(1);
  });

  test('many containers are made and removed side by side', async () => {
    const { arm, runtime } = given();
    const creates = await Promise.all(Array.from({ length: 6 }, () => arm.container({ of: 'runs' })));
    await Promise.all(
      creates.map(async (create) => {
        await runtime.create(create, call());
        await runtime.start({ id: create.id }, call());
      }),
    );
    const { containers } = await runtime.list({}, call());
    expect(containers.map(({ id }) => id).sort()).toEqual(creates.map(({ id }) => id).sort());
    expect(new Set(containers.map(({ phase }) => phase))).toEqual(new Set(['running']));
    await Promise.all(creates.map(({ id }) => runtime.remove({ id }, call())));
    expect((await runtime.list({}, call())).containers).toEqual([]);
  });
}
