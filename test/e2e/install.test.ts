/**
 * The ways to install, each in a Debian as just installed: the executable alone, the Debian package under a real
 * systemd, and npm.
 */
import { execFile, execFileSync } from 'node:child_process';
import { cp, readFile, writeFile } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { writeBusyboxArchive } from '../kit/busybox-image.ts';
import {
  makeFreshRoot,
  missingForFreshRoot,
  must,
  type BootedRoot,
  type FreshRoot,
} from '../kit/install/fresh-root.ts';
import { twoNodes } from '../kit/install/two-nodes.ts';
import { freePort } from '../kit/node/daemon.ts';
import { until } from '../kit/until.ts';

const missing = missingForFreshRoot();
if (missing) console.log(`skipped: ${missing}`);
const project = resolve(import.meta.dirname, '../..');

const compose = `name: shop
services:
  web:
    image: busybox
    command: ['sleep', '1000000']
`;

/** Processes of the app; the root has no procps. */
const countSleeps = `n=0; for each in /proc/[0-9]*/cmdline; do
  if tr '\\0' ' ' < $each 2>/dev/null | grep -q '^sleep 1000000'; then n=$((n+1)); fi; done; echo $n`;

const processes = `name: plain
services:
  web:
    x-hivemind: { process: { command: [sleep, '1000001'] } }
    restart: always
`;

/** Prints the process before and after a kill -9 of the node, how often it was restarted, and what stays behind. */
const adoption = (name: string, port: number) => `
flags="--name ${name} --runtime process --data-dir $PWD/data --socket $PWD/api.sock --api-address 127.0.0.1:${port}"
export HIVEMIND_ADDRESS=unix://$PWD/api.sock
try() { n=0; until "$@" >/dev/null 2>&1; do n=$((n+1)); [ $n -lt 600 ] || { cat log; exit 1; }; sleep 0.1; done; }
start() { ./hivemind-node $flags >>log 2>&1 & node=$!; try ./hivemind ps; }
pids() { for each in /proc/[0-9]*; do
  if tr '\\0' ' ' <$each/cmdline 2>/dev/null | grep -q '^sleep 1000001'; then echo \${each#/proc/}; fi; done; }
runs() { ./hivemind ps -o json | grep -q '"phase": "running"'; }
start
./hivemind deploy -f plain.yaml --progress quiet || exit 1
pids
kill -KILL $node; wait $node
start
try runs
pids
./hivemind ps -o json | grep -o '"restarts": [0-9]*'
./hivemind rm plain --yes >/dev/null || exit 1
kill $node; wait $node
./hivemind purge --yes -- $flags >/dev/null || exit 1
echo left: $(pids) $(ls -d data /sys/fs/cgroup/*/hivemind-${name} /sys/fs/cgroup/hivemind-${name} 2>/dev/null)
`;

describe.skipIf(missing !== undefined)('installed in a fresh Debian', () => {
  let root: FreshRoot;
  let version: string;

  beforeAll(async () => {
    ({ version } = JSON.parse(await readFile(join(project, 'package.json'), 'utf8')) as { version: string });
    // Each takes its time, and neither needs the other.
    const [made, packed] = await Promise.allSettled([
      makeFreshRoot(),
      promisify(execFile)(process.execPath, ['runtime/setup/package.mjs'], { cwd: project }),
    ]);
    if (made.status === 'rejected') throw made.reason;
    root = made.value;
    if (packed.status === 'rejected') throw packed.reason;
    await writeBusyboxArchive(join(root.dir, 'root/busybox.tar'), { name: 'busybox:latest' });
    must(await root.run(`cat > /root/compose.yaml <<'END'\n${compose}END`));
  }, 300_000);
  afterAll(async () => {
    await root?.end();
  }, 120_000);

  test('the executable alone: both programs, without Node', async () => {
    must(await root.run('mkdir /root/alone /root/two'));
    await root.put(join(project, 'dist/executable/hivemind'), 'root/alone/hivemind');
    const output = must(
      await root.run(
        'cd /root/alone; ln -s hivemind hivemind-node; ./hivemind --version; ./hivemind-node --version; command -v node || echo none',
      ),
    );
    expect(output.trim().split('\n')).toEqual([version, version, 'none']);
  });

  test('the executable alone runs processes of the machine; killed and started anew, it adopts them', async () => {
    await writeFile(join(root.dir, 'root/alone/plain.yaml'), processes);
    await writeFile(join(root.dir, 'root/alone/try.sh'), adoption(`x${process.pid}`, await freePort()));
    // Processes of their own: what is left at the end goes with the first.
    const output = must(
      await root.run(
        'cd /root/alone && unshare --pid --fork --kill-child --mount-proc --propagation unchanged sh try.sh',
      ),
    );
    const [before, after, restarts, left] = output.trim().split('\n').slice(-4);
    expect(before).toMatch(/^\d+$/);
    expect([after, restarts, left]).toEqual([before, '"restarts": 0', 'left:']);
  }, 180_000);

  test('two nodes of the executable alone join, and miss the one that is killed: its thread of membership runs', async () => {
    const ports = await Promise.all([freePort(), freePort(), freePort(), freePort()]);
    await writeFile(
      join(root.dir, 'root/two/try.sh'),
      twoNodes('../alone/hivemind', '../alone/hivemind-node', ports),
    );
    const output = must(
      await root.run(
        'cd /root/two && unshare --pid --fork --kill-child --mount-proc --propagation unchanged sh try.sh',
      ),
    );
    expect(output.trim().split('\n').at(-1)).toBe('ended 0 0');
  }, 180_000);

  test('the Debian package brings what it stands on', async () => {
    const deb = `hivemind_${version}_${process.arch === 'x64' ? 'amd64' : process.arch}.deb`;
    await root.put(join(project, 'dist', deb), `root/${deb}`);
    const output = must(
      await root.run(
        `apt-get update -q && apt-get install -y -q --no-install-recommends /root/${deb} systemd dbus && command -v containerd runc nft ip hivemind hivemind-node && hivemind --version`,
      ),
    );
    expect(output.trim().split('\n').at(-1)).toBe(version);
    must(
      await root.run(
        'bash -n /usr/share/bash-completion/completions/hivemind && gzip -t /usr/share/man/man1/hivemind.1.gz',
      ),
    );
  }, 300_000);

  describe('under its systemd', () => {
    let booted: BootedRoot;
    const hive = async (words: string): Promise<string> => must(await booted.run(`hivemind ${words}`));
    const ready = () =>
      until(
        'the node is ready',
        async () => ((await booted.run('hivemind ps')).code === 0 ? true : undefined),
        60_000,
      );
    const slots = async () =>
      JSON.parse(await hive('ps -o json')) as {
        slot: string;
        phase: string;
        restarts: number;
        containerId: string;
      }[];
    const mainPid = async () =>
      Number((await booted.run('systemctl show -p MainPID --value hivemind-node')).stdout);

    beforeAll(async () => {
      booted = await root.boot();
    }, 120_000);

    test('the unit is sound, enabled, and starts with the machine', async () => {
      const verified = await booted.run('systemd-analyze verify hivemind-node.service');
      expect(`${verified.stdout}${verified.stderr}`).not.toContain('hivemind');
      await ready();
      expect(
        must(await booted.run('systemctl is-active hivemind-node && systemctl is-enabled hivemind-node')),
      ).toBe('active\nenabled\n');
    }, 120_000);

    test('an app runs on it', async () => {
      await hive('image import /root/busybox.tar');
      await hive('deploy -f /root/compose.yaml');
      expect(await slots()).toMatchObject([{ slot: 'shop/web.1', phase: 'running', restarts: 0 }]);
    }, 120_000);

    test('kill -9: systemd starts it again, and it adopts', async () => {
      const [before] = await slots();
      const pid = await mainPid();
      must(await booted.run('systemctl kill --kill-who=main -s KILL hivemind-node'));
      await until(
        'another life',
        async () => {
          const now = await mainPid();
          return now !== 0 && now !== pid ? true : undefined;
        },
        60_000,
      );
      await ready();
      await until(
        'it is reported',
        async () => ((await slots())[0]?.phase === 'running' ? true : undefined),
        30_000,
      );
      expect(await slots()).toMatchObject([{ restarts: 0, containerId: before!.containerId }]);
    }, 180_000);

    test('stop ends the daemon alone; removing the package too', async () => {
      const sleeps = async () => must(await booted.run(countSleeps)).trim();
      must(await booted.run('systemctl stop hivemind-node'));
      expect(await sleeps()).toBe('1');
      must(await booted.run('systemctl start hivemind-node'));
      await ready();
      await until(
        'it is reported',
        async () => ((await slots())[0]?.phase === 'running' ? true : undefined),
        30_000,
      );
      expect(await slots()).toMatchObject([{ restarts: 0 }]);
      const removed = must(await booted.run('apt-get remove -y -q hivemind'));
      expect(removed).toContain('hivemind purge');
      expect(await sleeps()).toBe('1');
      expect((await booted.run('command -v hivemind')).code).not.toBe(0);
    }, 180_000);
  });

  test('npm install -g', async () => {
    const npm = dirname(
      dirname(
        execFileSync('readlink', ['-f', execFileSync('which', ['npm'], { encoding: 'utf8' }).trim()], {
          encoding: 'utf8',
        }).trim(),
      ),
    );
    await cp(npm, join(root.dir, 'usr/local/lib/node_modules/npm'), { recursive: true });
    await root.put(process.execPath, 'usr/local/bin/node');
    await root.put(join(project, 'dist', `hivemind-${version}.tgz`), 'root/hivemind.tgz');
    const registry = execFileSync('npm', ['config', 'get', 'registry'], {
      encoding: 'utf8',
      cwd: '/',
    }).trim();
    const output = must(
      await root.run(
        `ln -sf ../lib/node_modules/npm/bin/npm-cli.js /usr/local/bin/npm
         npm install -g --registry ${registry} /root/hivemind.tgz && cd / && hivemind --version && hivemind-node --version && hivemind docs exit-codes`,
      ),
    );
    expect(output).toContain(`\n${version}\n${version}\n`);
  }, 300_000);
});
