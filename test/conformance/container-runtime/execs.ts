/** Further processes in a running container. */
import { expect, test } from 'vitest';
import { until } from '../../kit/until.ts';
import { call, refusal, started, statusOf, type ExecBehaviour, type Given } from './rig.ts';

export function execTests(given: () => Given): void {
  runTests(given);
  sessionTests(given);
}

function runTests(given: () => Given): void {
  const run = async (behaviour: ExecBehaviour, signal?: AbortSignal) => {
    const { arm, runtime } = given();
    const { id } = await started(given(), { of: 'runs' });
    return runtime.run({ id, args: arm.command(behaviour), terminal: false }, call(signal));
  };

  test('run answers code and output', async () => {
    expect(await run('prints')).toEqual({ code: 0, output: 'hello\n' });
    expect(await run('fails-with-3')).toMatchObject({ code: 3 });
  });

  test('run of a missing command is code 127', async () => {
    expect(await run('missing')).toMatchObject({ code: 127 });
  });

  test('run keeps 4 KiB of the output', async () => {
    const { code, output } = await run('floods');
    expect(code).toBe(0);
    expect(Buffer.byteLength(output)).toBe(4_096);
  });

  test('run is given up when its signal fires, and the container runs on', async () => {
    const { arm, runtime } = given();
    const { id } = await started(given(), { of: 'runs' });
    const patience = new AbortController();
    const asked = runtime.run({ id, args: arm.command('hangs'), terminal: false }, call(patience.signal));
    patience.abort();
    expect(await refusal(asked)).toBe('HM-RUNTIME-TIMEOUT');
    expect(await statusOf(runtime, id)).toMatchObject({ phase: 'running' });
    const next = { id, args: arm.command('prints'), terminal: false };
    expect(await runtime.run(next, call())).toMatchObject({ code: 0 });
  });

  test('nothing can be run in a container that does not run', async () => {
    const { arm, runtime } = given();
    const create = await arm.container({ of: 'runs' });
    await runtime.create(create, call());
    const request = { id: create.id, args: arm.command('prints'), terminal: false };
    expect(await refusal(runtime.run(request, call()))).toBe('HM-CONTAINER-STOPPED');
    expect(await refusal(runtime.exec(request, call()))).toBe('HM-CONTAINER-STOPPED');
  });
}

function sessionTests(given: () => Given): void {
  test('exec hands input in and output out, and its output ends before its exit', async () => {
    const { arm, runtime } = given();
    const { id } = await started(given(), { of: 'runs' });
    const session = await runtime.exec({ id, args: arm.command('copies'), terminal: false }, call());
    let output = '';
    session.onOutput((channel, bytes) => {
      expect(channel).toBe('stdout');
      output += Buffer.from(bytes).toString('utf8');
    });
    session.write(Buffer.from('first '));
    await until('the first word', () => output === 'first ');
    session.write(Buffer.from('second'));
    session.endInput();
    expect(await session.exit).toBe(0);
    expect(output).toBe('first second');
    session.close();
  });

  test('exec answers the exit code, refuses a missing command, and close ends what hangs', async () => {
    const { arm, runtime } = given();
    const { id } = await started(given(), { of: 'runs' });
    const exec = (behaviour: ExecBehaviour) =>
      runtime.exec({ id, args: arm.command(behaviour), terminal: false }, call());
    const failing = await exec('fails-with-3');
    expect(await failing.exit).toBe(3);
    expect(await refusal(exec('missing'))).toBe('HM-CONTAINER-COMMAND');
    const hanging = await exec('hangs');
    hanging.close();
    expect(await hanging.exit).toBe(137);
    expect(await statusOf(runtime, id)).toMatchObject({ phase: 'running' });
  });
}
