/** What cannot be: coded, explained, and without leftovers. */
import { expect, test } from 'vitest';
import { call, refusal, statusOf, type Given } from './rig.ts';

export function refusalTests(given: () => Given): void {
  test.each([
    ['missing-image', 'HM-IMAGE-MISSING'],
    ['foreign-image', 'HM-IMAGE-PLATFORM'],
  ] as const)('%s is refused with %s and leaves nothing', async (behaviour, code) => {
    const { arm, runtime } = given();
    const create = await arm.container({ of: behaviour });
    expect(await refusal(runtime.create(create, call()))).toBe(code);
    expect((await runtime.list({}, call())).containers).toEqual([]);
  });

  test('a command that does not exist is refused with HM-CONTAINER-COMMAND, at create or at start', async () => {
    const { arm, runtime } = given();
    const create = await arm.container({ of: 'unrunnable' });
    const attempt = async () => {
      await runtime.create(create, call());
      await runtime.start({ id: create.id }, call());
    };
    expect(await refusal(attempt())).toBe('HM-CONTAINER-COMMAND');
    await runtime.remove({ id: create.id }, call());
    expect((await runtime.list({}, call())).containers).toEqual([]);
    // Nothing of the first attempt is in the way of a second one under the same id.
    expect(await refusal(attempt())).toBe('HM-CONTAINER-COMMAND');
  });

  test('what does not exist cannot be started, signalled, killed or entered, but is removed already', async () => {
    const { arm, runtime } = given();
    const id = 'nobody-1.1.1';
    const exec = { id, args: arm.command('prints'), terminal: false };
    expect(await refusal(runtime.start({ id }, call()))).toBe('HM-CONTAINER-UNKNOWN');
    expect(await refusal(runtime.signal({ id }, call()))).toBe('HM-CONTAINER-UNKNOWN');
    expect(await refusal(runtime.kill({ id }, call()))).toBe('HM-CONTAINER-UNKNOWN');
    expect(await refusal(runtime.run(exec, call()))).toBe('HM-CONTAINER-UNKNOWN');
    expect(await refusal(runtime.exec(exec, call()))).toBe('HM-CONTAINER-UNKNOWN');
    expect(await runtime.inspect({ id }, call())).toEqual({});
    expect(await runtime.stats({ ids: [id] }, call())).toEqual({ stats: [] });
    await runtime.remove({ id }, call());
  });

  test('who is to have the network of another container needs it to run, and tells whose network it has', async () => {
    const { arm, runtime } = given();
    const lender = await arm.container({ of: 'runs' });
    const sharer = await arm.container({ of: 'runs' });
    const db = { ...lender, key: { ...lender.key, slot: 'shop/db.2' } };
    const web = {
      ...sharer,
      key: { ...sharer.key, slot: 'shop/web.2' },
      spec: { ...sharer.spec, networkMode: 'service:db' as const },
    };
    expect(await refusal(runtime.create(web, call()))).toBe('HM-CONTAINER-PEER');
    await runtime.create(db, call());
    await runtime.start({ id: db.id }, call());
    const other = { ...web, key: { ...web.key, slot: 'shop/web.1' } };
    expect(await refusal(runtime.create(other, call()))).toBe('HM-CONTAINER-PEER');
    await runtime.create(web, call());
    await runtime.start({ id: web.id }, call());
    expect(await statusOf(runtime, web.id)).toMatchObject({ phase: 'running', lender: 'shop/db.2' });
    expect(await statusOf(runtime, db.id)).not.toHaveProperty('lender');
  });

  test('a call whose signal has fired is given up with HM-RUNTIME-TIMEOUT', async () => {
    const { arm, runtime } = given();
    const create = await arm.container({ of: 'runs' });
    const fired = AbortSignal.abort();
    expect(await refusal(runtime.create(create, call(fired)))).toBe('HM-RUNTIME-TIMEOUT');
    await runtime.remove({ id: create.id }, call());
    await runtime.create(create, call());
    expect(await statusOf(runtime, create.id)).toMatchObject({ phase: 'created' });
  });
}
