/** Devices of CDI files inside real containers: /dev/null under another name stands for a GPU. What is chosen: test/protocols/containers/cdi. */
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import type { ServiceSpec } from '../../protocols/apps/model.ts';
import { gpuRefusal } from '../../protocols/containers/cdi/choose.ts';
import type { ContainerdRuntime } from '../../runtime/drivers/container/containerd/driver.ts';
import { containerCreate } from '../kit/container-create.ts';
import { missingForContainerd, startContainerd, type TestContainerd } from '../kit/containerd.ts';
import { call, inPhase, refusal } from './container-runtime/rig.ts';

const missing = missingForContainerd();

/** Every container may use 1:3; 10:229 (fuse) none, so that only the file can have allowed it. */
const vendorFile = (mark: string) => `
cdiVersion: "0.5.0"
kind: nvidia.com/gpu
devices:
  - name: "0"
    containerEdits:
      env: [GPU=0]
      deviceNodes:
        - { path: /dev/gpu0, hostPath: /dev/null, permissions: rw }
        - { path: /dev/card0, type: c, major: 10, minor: 229, permissions: r, fileMode: 256, uid: 0, gid: 44 }
  - name: "1"
    containerEdits:
      env: [GPU=1]
      deviceNodes: [{ path: /dev/gpu1, hostPath: /dev/zero }]
containerEdits:
  env: [DRIVER=550]
  additionalGids: [44]
  mounts:
    - { hostPath: ${mark}, containerPath: /opt/vendor, options: [ro, nosuid, nodev, bind] }
  hooks:
    - { hookName: createRuntime, path: /bin/sh, args: [sh, -c, "echo hooked > ${mark}/hook"], timeout: 10 }
`;

describe.skipIf(missing !== undefined)('GPUs of CDI files', () => {
  let containerd: TestContainerd;
  let runtime: ContainerdRuntime;
  let dir: string;
  let count = 0;
  beforeAll(async () => {
    dir = await mkdtemp(join(tmpdir(), 'hm-cdi-'));
    await mkdir(join(dir, 'cdi'));
    await mkdir(join(dir, 'vendor'));
    await writeFile(join(dir, 'cdi', 'nvidia.yaml'), vendorFile(join(dir, 'vendor')));
    await writeFile(join(dir, 'cdi', 'broken.json'), '{ "cdiVersion": ');
    containerd = await startContainerd();
    await containerd.addImage('box:latest');
    runtime = containerd.runtime({ cdiFolders: [join(dir, 'none'), join(dir, 'cdi')] });
  }, 120_000);
  afterEach(async () => {
    for (const { id } of (await runtime.list({}, call())).containers) await runtime.remove({ id }, call());
  });
  afterAll(async () => {
    await containerd?.stop();
    await rm(dir, { recursive: true, force: true });
  }, 60_000);

  const given = async (service: Partial<ServiceSpec>) => {
    const create = containerCreate(++count, { image: 'box', ...service });
    return { ...create, ...(await containerd.logFiles(create.id)) };
  };
  async function said(gpus: NonNullable<ServiceSpec['isolation']>['gpus'], script: string): Promise<string> {
    const create = await given({ isolation: { gpus: gpus! }, command: ['/bin/sh', '-c', script] });
    await runtime.create(create, call());
    await runtime.start({ id: create.id }, call());
    await inPhase(runtime, create.id, 'stopped');
    return (await readFile(create.stdoutPath, 'utf8')) + (await readFile(create.stderrPath, 'utf8'));
  }

  test('nodes, variables, groups, mounts and hooks of the one chosen', async () => {
    const b = '/bin/busybox';
    const text = await said(
      [{ driver: 'nvidia', count: 1 }],
      [
        'echo "$GPU $DRIVER"',
        'echo gone > /dev/gpu0 && [ -c /dev/gpu0 ] && echo written',
        `${b} stat -c '%t:%T %a %g' /dev/card0`,
        // Forbidden by the cgroup is EPERM, a kernel without that device says something else.
        'tried() { case "$( (eval "$1") 2>&1 )" in *"not permitted"*) echo refused;; *) echo allowed;; esac; }',
        'tried ": < /dev/card0"',
        'tried ": > /dev/card0"',
        '[ -e /dev/gpu1 ] || echo "no other"',
        'echo x 2>/dev/null > /opt/vendor/x || echo "read-only"',
        'cat /opt/vendor/hook',
        `${b} id -G`,
      ].join('\n'),
    );
    expect(text.trim().split('\n')).toEqual([
      '0 550',
      'written',
      'a:e5 400 44',
      'allowed',
      'refused',
      'no other',
      'read-only',
      'hooked',
      '0 44',
    ]);
  });

  test('all of them, and one by its name', async () => {
    expect(await said([{}], 'ls /dev | grep gpu')).toBe('gpu0\ngpu1\n');
    expect(await said([{ ids: ['1'] }], 'echo $GPU; ls /dev | grep gpu')).toBe('1\ngpu1\n');
  });

  test('what no file describes is refused, and leaves nothing; the broken file is told', async () => {
    const create = await given({ isolation: { gpus: [{ driver: 'amd' }] } });
    expect(await refusal(runtime.create(create, call()))).toBe('HM-CONTAINER-SETTING');
    expect((await runtime.list({}, call())).containers).toEqual([]);
    const { cdi } = await runtime.info({}, call());
    expect(gpuRefusal([{ driver: 'amd' }], cdi!)?.reason.message).toMatch(
      /no device of amd\.com\/gpu is described .*broken\.json: SyntaxError/,
    );
  });
});
