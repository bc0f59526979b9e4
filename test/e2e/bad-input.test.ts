/**
 * What goes wrong around a node, and what is said of it: a coded reason with the next step, nothing half applied,
 * everything else running, and healing when the cause goes.
 */
import { mkdir, readdir, truncate, stat, writeFile, rm } from 'node:fs/promises';
import { createServer, type Server } from 'node:net';
import { once } from 'node:events';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { freePort, makeDaemon, missingForDaemon, startDaemon, type TestDaemon } from '../kit/node/daemon.ts';
import { importHelloImages } from '../kit/node/images.ts';
import { findProcess } from '../kit/node/processes.ts';
import { until } from '../kit/until.ts';

const missing = missingForDaemon();
if (missing) console.log(`skipped: ${missing}`);

describe.skipIf(missing !== undefined)('bad input', () => {
  let daemon: TestDaemon;
  const deploy = async (name: string, yaml: string) => {
    const file = join(daemon.dir, `${name}.yaml`);
    await writeFile(file, yaml);
    return daemon.cli('deploy', '-f', file, '-p', name, '--timeout', '1m');
  };
  const sleeper = (extra = ''): string =>
    `services:\n  a:\n    image: hello-web\n    command: ['sleep', '1000']\n${extra}`;
  const reasonOf = async (slot: string): Promise<string | undefined> =>
    (await daemon.slots()).find((one) => one.slot === slot)?.reason?.code;

  beforeAll(async () => {
    daemon = await startDaemon();
    await importHelloImages(daemon);
    expect((await deploy('steady', sleeper())).code).toBe(0);
  });
  afterAll(async () => {
    // Whatever happened here, the app that did nothing wrong was left alone.
    await daemon?.end();
  });

  test.each([
    [
      'a wrong type',
      'services:\n  a:\n    image: x\n    deploy:\n      replicas: many\n',
      'HM-COMPOSE-TYPE',
      ':5',
    ],
    ['an unknown key', 'services:\n  a:\n    image: x\n    comand: y\n', 'HM-COMPOSE-KEY', ':4'],
    [
      'a cycle',
      'services:\n  a:\n    image: x\n    depends_on: [b]\n  b:\n    image: x\n    depends_on: [a]\n',
      'HM-COMPOSE-CYCLE',
      'b',
    ],
    ['no YAML', 'services: [\n', 'HM-COMPOSE-SYNTAX', ':'],
  ])(
    'a file with %s is refused by file and line, and nothing of it is applied',
    async (_what, yaml, code, place) => {
      const { code: exit, stderr } = await deploy('broken', yaml);
      expect(exit).not.toBe(0);
      expect(stderr).toContain(code);
      expect(stderr).toContain(`broken.yaml`);
      expect(stderr).toContain(place);
      await expect(daemon.app('broken')).rejects.toThrow('HM-APP-UNKNOWN');
    },
  );

  test('a missing image: the slot says which and how to bring it, and runs once it is there', async () => {
    const pending = deploy(
      'noimage',
      `services:\n  a:\n    image: hello-late\n    command: ['sleep', '1000']\n`,
    );
    await until('the slot says so', async () => (await reasonOf('noimage/a.1')) === 'HM-IMAGE-MISSING');
    expect((await daemon.cli('why', 'noimage/a.1')).stdout).toContain('image import');
    const archive = join(import.meta.dirname, '../../.cache/images/hello-web.tar');
    expect((await daemon.cli('image', 'import', archive, '--name', 'hello-late')).code).toBe(0);
    await daemon.converged('noimage');
    await pending;
  });

  test('a port that is taken: the slot waits, says which port, and starts when it is free', async () => {
    const port = await freePort();
    const holder: Server = createServer();
    holder.listen(port, '127.0.0.1');
    await once(holder, 'listening');
    const pending = deploy('taken', sleeper(`    ports: ['127.0.0.1:${port}:80']\n`));
    await until('the slot says so', async () => (await reasonOf('taken/a.1')) === 'HM-PORT-TAKEN');
    holder.close();
    await once(holder, 'close');
    await daemon.converged('taken');
    await pending;
    const clash = await deploy('clash', sleeper(`    ports: ['127.0.0.1:${port}:80']\n`));
    expect(clash.code).toBe(6);
    expect(clash.stderr).toContain('HM-PORT-TAKEN');
    expect(clash.stderr).toContain('taken/a');
  });

  test('a bind source that is missing: the slot waits and starts when it is made', async () => {
    const source = join(daemon.dir, 'later');
    const pending = deploy(
      'bind',
      sleeper(`    volumes:\n      - type: bind\n        source: ${source}\n        target: /x\n`),
    );
    await until('the slot says so', async () => (await reasonOf('bind/a.1')) === 'HM-BIND-MISSING');
    await mkdir(source);
    await daemon.converged('bind');
    await pending;
  });

  test('a GPU that no file of the machine describes: refused, with where it was looked for and what to do', async () => {
    const { code, stderr } = await deploy('nogpu', sleeper('    gpus: [{ driver: 3dfx }]\n'));
    expect(code).toBe(6);
    expect(stderr).toContain('HM-CONTAINER-SETTING');
    expect(stderr).toContain(
      'no device of 3dfx.com/gpu is described in the CDI files of /etc/cdi and /var/run/cdi',
    );
    expect(stderr).toContain('nvidia-ctk cdi generate');
    await expect(daemon.app('nogpu')).rejects.toThrow('HM-APP-UNKNOWN');
  });

  test('a command that cannot be run is told by deploy, with its slot', async () => {
    const { code, stderr } = await deploy(
      'nocommand',
      `services:\n  a:\n    image: hello-web\n    entrypoint: ['/no/such/thing']\n`,
    );
    expect(code).not.toBe(0);
    expect(stderr).toContain('HM-CONTAINER-COMMAND');
    expect(stderr).toContain('nocommand/a.1');
    await daemon.cli('rm', 'nocommand', '--yes');
  });

  test('a data folder in use is refused with the pid that has it', async () => {
    const second = await makeDaemon({ dataDir: daemon.dataDir });
    try {
      await expect(second.start()).rejects.toThrow(new RegExp(`HM-DATA-LOCKED|${daemon.pid}`));
      expect(second.log()).toContain('HM-DATA-LOCKED');
    } finally {
      await second.stop('SIGKILL');
      await rm(second.dir, { recursive: true, force: true });
    }
  });

  test('a truncated journal: the torn end is told, and every container is adopted', async () => {
    await daemon.converged('steady');
    const pid = findProcess(daemon, 'steady/a.1');
    await daemon.stop('SIGKILL');
    const folder = join(daemon.dataDir, 'journal');
    const [journal] = await readdir(folder);
    const path = join(folder, journal!);
    await truncate(path, (await stat(path)).size - 3);
    await daemon.start();
    await daemon.converged('steady');
    expect(findProcess(daemon, 'steady/a.1')).toBe(pid);
    expect((await daemon.cli('events', '-o', 'jsonl')).stdout).toContain('HM-JOURNAL-TORN');
  });

  test('a store of another cluster stops nothing, says so, and is followed when the operator confirms', async () => {
    const pid = findProcess(daemon, 'steady/a.1');
    await daemon.stop('SIGTERM');
    await rm(join(daemon.dataDir, 'store'), { recursive: true });
    await daemon.start();
    await until('it is said', async () =>
      (await daemon.cli('events', '-o', 'jsonl')).stdout.includes('HM-STORE-FOREIGN'),
    );
    expect(findProcess(daemon, 'steady/a.1')).toBe(pid);
    const refused = await deploy('other', sleeper());
    expect(refused.code).not.toBe(0);
    expect(refused.stderr).toContain('HM-STORE-FOREIGN');
    // Nothing else is written there either.
    const token = await daemon.cli('token', 'create', 'late');
    expect(token.code).not.toBe(0);
    expect(token.stderr).toMatch(/HM-STORE-FOREIGN[^]*doctor --accept-store/);
    expect(findProcess(daemon, 'steady/a.1')).toBe(pid);
    expect((await daemon.cli('doctor', '--accept-store')).code).toBe(0);
    await until(
      'the containers that the new store does not want are gone',
      async () => (await daemon.slots()).length === 0,
      60_000,
    );
    expect((await deploy('other', sleeper())).code).toBe(0);
  });
});
