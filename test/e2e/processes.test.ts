/** A node that runs processes of the machine: a service, one that ends while the daemon is away, and a job. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { createServer, type AddressInfo } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  freePort,
  getJson,
  makeDaemon,
  missingForDaemon,
  startDaemon,
  type TestDaemon,
} from '../kit/node/daemon.ts';
import { until } from '../kit/until.ts';

const missing = missingForDaemon();
if (missing) console.log(`skipped: ${missing}`);

const server =
  'require("http").createServer((q, s) => s.end("served by " + process.pid)).listen(+process.env.PORT)';

const app = (port: number, folder: string) => `name: plain
services:
  web:
    x-hivemind:
      process: { command: ['${process.execPath}', '-e', '${server}'] }
      probes: { readiness: { tcp: ${port}, interval: 1s, failures: 1 } }
    environment: { PORT: '${port}' }
    ports: ['127.0.0.1:${port}:${port}']
    restart: always
  ends:
    x-hivemind: { process: { command: ['sh', '-c', 'until [ -f ${folder}/end ]; do sleep 0.1; done; rm ${folder}/end; exit 5'] } }
    restart: on-failure
  once:
    x-hivemind: { process: { command: ['sh', '-c', 'echo done by $$HIVEMIND_SLOT'] } }
    deploy: { mode: replicated-job }
`;

describe.skipIf(missing !== undefined)('a node whose services are processes', () => {
  let daemon: TestDaemon;
  let port: number;
  const slot = async (name: string) => (await daemon.slots()).find((one) => one.slot === `plain/${name}`);
  const pidsOf = async (name: string, at = daemon) => {
    const path = `/v1/containers/plain%2F${name}/processes`;
    const { processes } = await getJson<{ processes: { pid: number }[] }>(at.socketPath, path);
    return processes.map(({ pid }) => pid);
  };
  const deploy = async (text: string) => {
    const file = join(daemon.dir, 'plain.yaml');
    await writeFile(file, text);
    return daemon.cli('deploy', '-f', file, '--progress', 'quiet');
  };

  beforeAll(async () => {
    daemon = await startDaemon({ runtime: 'process' });
    port = await freePort();
    expect(await deploy(app(port, daemon.dir))).toMatchObject({ code: 0 });
    await daemon.converged('plain');
  });
  afterAll(async () => {
    await daemon?.end();
  });

  test('they run, answer, log and take commands, without containerd, bridge or rules', async () => {
    const answer = await (await fetch(`http://127.0.0.1:${port}`)).text();
    expect(await pidsOf('web.1')).toContain(Number(answer.split(' ').at(-1)));
    expect((await slot('once.1'))?.phase).toBe('completed');
    expect((await daemon.cli('logs', 'plain/once')).stdout).toContain('done by plain/once.1');
    expect(await daemon.cli('exec', 'plain/web.1', '--', 'sh', '-c', 'echo $PORT; exit 4')).toMatchObject({
      code: 4,
      stdout: `${port}\n`,
    });
    expect((await daemon.cli('doctor')).stdout).toContain('processes of this machine');
    expect(() => daemon.containerdPid()).toThrow('no containerd');
    expect(readdirSync('/sys/class/net').filter((link) => link.includes(daemon.name))).toEqual([]);
  });

  test('what needs a container is refused at the door, and nothing changes', async () => {
    const before = await pidsOf('web.1');
    const refused = await deploy('name: other\nservices: { web: { image: hello-web } }\n');
    expect(refused.code).not.toBe(0);
    expect(refused.stderr).toContain('HM-RUNTIME-IMAGE');
    const sealed = app(port, daemon.dir).replace('restart: always', 'restart: always\n    read_only: true');
    expect((await deploy(sealed)).stderr).toContain('HM-CONTAINER-SETTING');
    expect(await pidsOf('web.1')).toEqual(before);
  });

  test('a killed daemon finds them again as they were, and hears of what ended meanwhile', async () => {
    const before = await pidsOf('web.1');
    await daemon.stop('SIGKILL');
    expect(await (await fetch(`http://127.0.0.1:${port}`)).text()).toContain('served by');
    await writeFile(join(daemon.dir, 'end'), '');
    const exits = join(daemon.dataDir, 'processes', 'exits');
    await until('one ends', () =>
      readdirSync(exits).some(
        (id) => id.includes('ends') && readFileSync(join(exits, id), 'utf8') === '5 0\n',
      ),
    );
    await daemon.start();
    await daemon.converged('plain');
    expect(await pidsOf('web.1')).toEqual(before);
    expect(await slot('web.1')).toMatchObject({ run: 1, restarts: 0 });
    expect(
      await until('its exit is known', async () => {
        const status = await slot('ends.1');
        return status?.lastExit && status.phase === 'running' ? status : undefined;
      }),
    ).toMatchObject({ lastExit: { code: 5 }, restarts: 1, run: 2 });
    expect(await slot('once.1')).toMatchObject({ phase: 'completed', run: 1 });
  });

  test('a command beside a process does not outlive the daemon that was killed', async () => {
    const asked = daemon.cli('exec', 'plain/web.1', '--', 'sh', '-c', `sleep 54321; : ${daemon.dir}`);
    const left = () =>
      readdirSync('/proc').filter((name) => {
        const command = /^\d+$/.test(name) ? commandOf(name).split('\0') : [];
        return command[0]?.endsWith('/sh') && command.at(-2)?.endsWith(daemon.dir);
      });
    await until('it runs', () => left().length === 1);
    const before = await pidsOf('web.1');
    await daemon.stop('SIGKILL');
    expect((await asked).code).not.toBe(0);
    expect(left()).toHaveLength(1);
    await daemon.start();
    await until('it has ended', () => left().length === 0);
    await daemon.converged('plain');
    expect(before).toEqual(expect.arrayContaining(await pidsOf('web.1')));
    expect(readdirSync(join(daemon.dataDir, 'processes', 'beside'))).toEqual([]);
  });

  test('a port that somebody has is said, and a service that is killed comes back', async () => {
    const [pid = 0] = await pidsOf('web.1');
    process.kill(pid, 'SIGKILL');
    await until('it runs again', async () => (await slot('web.1'))?.restarts === 1);
    await daemon.converged('plain');
    const foreign = createServer().listen(0, '127.0.0.1');
    await once(foreign, 'listening');
    const { port: taken } = foreign.address() as AddressInfo;
    await deploy(app(taken, daemon.dir).replace('name: plain', 'name: second').replaceAll('  ends:', '  x:'));
    const reason = await until('it waits for its port', async () => {
      const status = (await daemon.slots()).find((one) => one.slot === 'second/web.1');
      return status?.reason?.code === 'HM-PORT-TAKEN' ? status.reason : undefined;
    });
    expect(reason.message).toContain(`${taken}`);
    foreign.close();
    expect(await daemon.cli('rm', 'second', '--yes')).toMatchObject({ code: 0 });
  });

  test('two nodes of one machine keep apart what they call alike', async () => {
    const other = await startDaemon({ runtime: 'process' });
    try {
      const before = await pidsOf('web.1');
      const file = join(other.dir, 'plain.yaml');
      await writeFile(file, app(await freePort(), other.dir));
      expect(await other.cli('deploy', '-f', file, '--progress', 'quiet')).toMatchObject({ code: 0 });
      await other.converged('plain');
      const theirs = await pidsOf('web.1', other);
      expect([theirs.length > 0, theirs.filter((pid) => before.includes(pid))]).toEqual([true, []]);
      expect(await other.cli('rm', 'plain', '--yes')).toMatchObject({ code: 0 });
      await until('all of the other are removed', async () => (await other.slots()).length === 0);
    } finally {
      await other.end();
    }
    expect((await (await fetch(`http://127.0.0.1:${port}`)).text()).startsWith('served by')).toBe(true);
  });

  test('a node that is told to stop while it starts ends well, also where its start waits for something', async () => {
    const other = await makeDaemon({ runtime: 'process' });
    const token = join(other.dir, 'token');
    await writeFile(token, `hm1.${'a'.repeat(43)}.${'b'.repeat(16)}.${'c'.repeat(64)}`);
    // Nobody answers there.
    const join_ = ['--join', `127.0.0.1:${await freePort()}`, '--token-file', token];
    const started = other
      .start(['--cluster-address', `127.0.0.1:${await freePort()}`, ...join_])
      .catch(String);
    try {
      await until('it waits', () => other.log().includes('not joined yet'));
      expect(await other.stop('SIGTERM')).toBe(0);
      await started;
    } finally {
      await other.end();
    }
  });

  test('removing ends them, and a purge leaves nothing', async () => {
    expect(await daemon.cli('rm', 'plain', '--yes')).toMatchObject({ code: 0 });
    await until('all are removed', async () => (await daemon.slots()).length === 0);
    expect(readdirSync(join(daemon.dataDir, 'processes', 'runs'))).toEqual([]);
    expect(await deploy(app(port, daemon.dir))).toMatchObject({ code: 0 });
    await daemon.converged('plain');
    await daemon.end();
    expect(existsSync(daemon.dataDir)).toBe(false);
    await expect(fetch(`http://127.0.0.1:${port}`)).rejects.toThrow('fetch failed');
    const left = () =>
      readdirSync('/proc').filter((name) => /^\d+$/.test(name) && commandOf(name).includes(daemon.dir));
    await until('no process is left', () => left().length === 0);
  });
});

function commandOf(pid: string): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8');
  } catch {
    return '';
  }
}
