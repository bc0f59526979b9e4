/**
 * The Compose files of test/shapes on a real node: each runs, with busybox under the names of its images, or is refused
 * for exactly the reason that is named here. When it is removed, nothing of it is left.
 */
import { spawnSync } from 'node:child_process';
import { appendFile, cp, mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { stringify } from 'yaml';
import type { AppSpec } from '../../protocols/apps/model.ts';
import { openCompose } from '../../runtime/compose/open.ts';
import { writeBusyboxArchive } from '../kit/busybox-image.ts';
import { freePort, missingForDaemon, startDaemon, type TestDaemon } from '../kit/node/daemon.ts';
import { importImage } from '../kit/node/images.ts';
import { until } from '../kit/until.ts';

const missing = missingForDaemon();
if (missing) console.log(`skipped: ${missing}`);
/** Whether a process here may lock all of its memory. */
function raisesLimits(): boolean {
  return spawnSync('sh', ['-c', 'ulimit -l unlimited']).status === 0;
}

/** One that this machine has, for limits of its speed. */
const blockDevice = (): string =>
  readdirSync('/sys/block')
    .map((name) => `/dev/${name}`)
    .find((path) => existsSync(path)) ?? '/dev/sda';

const folder = resolve(import.meta.dirname, '../shapes');

/** Those that do not run here, with the code of the tool and what it must say. All others run. */
const refused: Readonly<Record<string, readonly [code: number, ...told: RegExp[]]>> = {
  'built-here': [1, /services\.web\.build is refused: Hivemind runs images/, /next {2}\S.*build/],
  'every-key': [1, /services\.all\.isolation is refused/, /cpus and cpu_quota say the same in two ways/],
  'home-media': [6, /devices: \/dev\/dri is not a device of this machine/],
  'proxy-backends': [6, /HM-BIND-MISSING/, /routes\.yaml does not exist/],
  // Where root may not raise its own limit: the runtime's word for it.
  ...(raisesLimits() ? {} : { elk: [1, /setting rlimit type 8: operation not permitted/] as const }),
  mistakes: [1, /services\.web\.imgae is not a known key/, /Did you mean image\?/],
};

/** What every image holds under the names that the files use; a program that stays until it is told to go. */
const standIn = {
  stays:
    '#!/bin/sh\n[ "$1" = migrate ] && exit 0\ntrap "exit 0" TERM INT\nwhile :; do sleep 1 & wait; done\n',
  answers: '#!/bin/sh\nexit 0\n',
};

describe.skipIf(missing !== undefined)('a Compose file of a real shape', () => {
  let daemon: TestDaemon;
  const known = new Set<string>();
  beforeAll(async () => {
    daemon = await startDaemon();
    await writeBusyboxArchive(join(daemon.dir, 'stand-in.tar'), {
      name: 'stand-in:1',
      config: { Entrypoint: ['/bin/stays'] },
      programs: {
        'bin/stays': standIn.stays,
        init: standIn.stays,
        ...Object.fromEntries(
          ['pg_isready', 'curl', 'wget', 'rabbitmq-diagnostics', 'hook'].map((name) => [
            `bin/${name}`,
            standIn.answers,
          ]),
        ),
      },
    });
  });
  afterAll(() => daemon?.end());

  const isStandIn = async (image: string): Promise<void> => {
    if (known.has(image)) return;
    known.add(image);
    await importImage(daemon, join(daemon.dir, 'stand-in.tar'), image);
  };

  /** A copy of the shape and, over it, what makes it meet nothing else on this machine: free ports, images without digests. */
  const prepare = async (shape: string): Promise<readonly string[]> => {
    const directory = join(daemon.dir, shape);
    await cp(join(folder, shape), directory, { recursive: true });
    const files = (await readdir(directory)).filter((name) => /^compose.*\.yaml$/.test(name)).toSorted();
    for (const name of files) {
      const text = await readFile(join(directory, name), 'utf8');
      await writeFile(
        join(directory, name),
        text.replaceAll('/dev/sda', blockDevice()).replaceAll(/(["[ ])(\/srv|~)\//g, `$1${directory}$2/`),
      );
    }
    await appendFile(join(directory, '.env'), '\nSECRET=s3cr3t\n');
    const order = files.toSorted((a, b) => b.localeCompare(a)).map((name) => join(directory, name));
    const environment = { HOME: directory, SECRET: 's3cr3t' };
    const wish = { files: order, envFiles: [], profiles: [], services: [], directory, environment };
    const compiled = await openCompose(wish, () => Promise.resolve(''));
    if (!('spec' in compiled)) return order;
    const over = join(daemon.dir, `${shape}.over.yaml`);
    await writeFile(over, await overridesOf(compiled.spec));
    for (const { image } of Object.values(compiled.spec.services)) await isStandIn(image.split('@')[0]!);
    return [...order, over];
  };
  const overridesOf = async (spec: AppSpec): Promise<string> => {
    const services: Record<string, unknown> = {};
    for (const { name, ports, image } of Object.values(spec.services)) {
      const published = await Promise.all(
        ports.map(async (port) => ({
          target: port.containerPort,
          published: String(await freePort()),
          protocol: port.protocol,
          host_ip: port.hostAddress,
        })),
      );
      services[name] = { image: image.split('@')[0], ...(ports.length === 0 ? {} : { ports: published }) };
    }
    return stringify({ services }).replaceAll('ports:\n', 'ports: !override\n');
  };

  /** What of containers is on this machine. */
  const traces = (): readonly string[] => {
    const ports = `/sys/class/net/${`hive-${daemon.name}`.slice(0, 15)}/brif`;
    const links = existsSync(ports) ? readdirSync(ports) : [];
    const mounts = readFileSync('/proc/mounts', 'utf8').split('\n');
    const programs = readdirSync('/proc').filter((pid) => {
      if (!/^\d+$/.test(pid)) return false;
      try {
        return (
          readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes(`${daemon.dir}/`) &&
          readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes('containerd-shim')
        );
      } catch {
        return false;
      }
    });
    return [
      ...links.map((name) => `link ${name}`),
      ...mounts.filter((line) => /\/rootfs |\/grants\//.test(line) && line.includes(daemon.dir)),
      ...programs.map((pid) => `shim ${pid}`),
    ];
  };

  /** The app that the node has, if any. */
  const present = async (): Promise<string> => (await daemon.cli('ls', '-o', 'name')).stdout.trim();

  test.each(readdirSync(folder))('%s', async (shape) => {
    await mkdir(join(daemon.dir, shape), { recursive: true });
    const files = (await prepare(shape)).flatMap((file) => ['-f', file]);
    const project = ['--project-directory', join(daemon.dir, shape)];
    const { code, stderr } = await daemon.cli('deploy', ...files, ...project, '--timeout', '90s');
    const name = await present();
    const converged = name !== '' && (await daemon.app(name)).converged;
    if (name !== '') expect(await daemon.cli('rm', '-y', '--volumes', name)).toMatchObject({ code: 0 });
    const [wrong, ...told] = refused[shape] ?? [0];
    const problems = stderr.split('\n').filter((line) => line.startsWith('✗'));
    expect({ code, converged, ...(wrong === 0 ? { problems } : {}) }).toEqual({
      code: wrong,
      converged: wrong === 0,
      ...(wrong === 0 ? { problems: [] } : {}),
    });
    for (const each of told) expect(stderr).toMatch(each);
    expect([await present(), (await daemon.cli('ps', '-o', 'name')).stdout]).toEqual(['', '']);
    await until('nothing is left', () => traces().length === 0).catch(() => expect(traces()).toEqual([]));
  });
});
