/** CDI files as vendors' tools write them: what is read, what is left out and why, which devices are chosen, what the container gets. */
import { describe, expect, test } from 'vitest';
import type { GpuRequest } from '../../../protocols/apps/service-model.ts';
import {
  gpuEdits,
  gpuRefusal,
  stockInWords,
  type CdiStock,
} from '../../../protocols/containers/cdi/choose.ts';
import { readCdi } from '../../../protocols/containers/cdi/document.ts';
import { editedMounts, hooksOf } from '../../../protocols/containers/cdi/edits.ts';
import { runtimeRefusal } from '../../../protocols/containers/making/host-process.ts';
import { containerCreate } from '../../kit/container-create.ts';

const node = (name: string) => ({ name, containerEdits: { deviceNodes: [{ path: `/dev/nvidia${name}` }] } });

/** As `nvidia-ctk cdi generate` writes it. */
const nvidia = {
  cdiVersion: '0.5.0',
  kind: 'nvidia.com/gpu',
  devices: [
    node('0'),
    node('1'),
    node('10'),
    node('2'),
    { ...node('1'), name: 'GPU-6a3b2c1d' },
    {
      name: 'all',
      containerEdits: { deviceNodes: [{ path: '/dev/nvidia0' }, { path: '/dev/nvidia1' }] },
    },
  ],
  containerEdits: {
    env: ['NVIDIA_VISIBLE_DEVICES=void'],
    deviceNodes: [
      { path: '/dev/nvidia-uvm', type: 'c', major: 510, minor: 0, permissions: 'rw', uid: 0, gid: 44 },
      { path: '/dev/nvidiactl', hostPath: '/dev/nvidiactl' },
    ],
    hooks: [
      {
        hookName: 'createContainer',
        path: '/usr/bin/nvidia-cdi-hook',
        args: ['nvidia-cdi-hook', 'create-symlinks', '--link', 'libcuda.so.1::/usr/lib/libcuda.so'],
        env: ['NVIDIA_CTK_DEBUG=false'],
      },
      {
        hookName: 'createContainer',
        path: '/usr/bin/nvidia-cdi-hook',
        args: ['nvidia-cdi-hook', 'update-ldcache'],
        timeout: 10,
      },
    ],
    mounts: [
      {
        hostPath: '/usr/lib/x86_64-linux-gnu/libcuda.so.550.54',
        containerPath: '/usr/lib/x86_64-linux-gnu/libcuda.so.550.54',
        options: ['ro', 'nosuid', 'nodev', 'bind'],
      },
      { hostPath: '/run/nvidia', containerPath: '/run/nvidia', options: ['ro'] },
      { hostPath: 'tmpfs', containerPath: '/scratch', type: 'tmpfs' },
    ],
    additionalGids: [44],
  },
};
const amd = {
  cdiVersion: '0.6.0',
  kind: 'amd.com/gpu',
  devices: [
    {
      name: 'card0',
      containerEdits: { deviceNodes: [{ path: '/dev/dri/card0' }, { path: '/dev/kfd', permissions: 'rwm' }] },
    },
  ],
};
const fpga = { ...amd, kind: 'vendor.com/fpga' };

function stockOf(...documents: readonly unknown[]): CdiStock {
  const readings = documents.map((document, index) => readCdi(`/etc/cdi/${index}.yaml`, document));
  return {
    folders: ['/etc/cdi', '/var/run/cdi'],
    files: readings.flatMap(({ file }) => file ?? []),
    ignored: readings.flatMap(({ ignored }) => ignored),
  };
}
const both = stockOf(amd, nvidia);

describe('a file', () => {
  test('as the vendor wrote it is read whole', () => {
    const { file, ignored } = readCdi('/etc/cdi/nvidia.yaml', nvidia);
    expect(ignored).toEqual([]);
    expect(file).toMatchObject({
      kind: 'nvidia.com/gpu',
      edits: nvidia.containerEdits,
      devices: [
        { name: '0', edits: { env: [], deviceNodes: [{ path: '/dev/nvidia0' }] } },
        ...Array<object>(5).fill({}),
      ],
    });
  });

  test.each<[string, unknown, string]>([
    ['of a later version', { ...amd, cdiVersion: '1.0.0' }, 'cdiVersion: not 0.3.0 to 0.8.0'],
    ['of no kind', { ...amd, kind: 'gpu' }, 'kind: not VENDOR/CLASS'],
    ['without devices', { ...amd, devices: undefined }, 'devices: '],
    [
      'with a hook of no stage',
      { ...amd, containerEdits: { hooks: [{ hookName: 'later', path: '/x' }] } },
      'containerEdits.hooks.0.hookName: ',
    ],
    ['with a device of no name', { ...amd, devices: [{ name: '', containerEdits: {} }] }, 'devices.0.name: '],
    [
      'with a relative node',
      { ...amd, containerEdits: { deviceNodes: [{ path: 'dev' }] } },
      'containerEdits.',
    ],
    ['that is none', 'text', ''],
    ['that is empty', null, ''],
  ])('%s is left out with its reason', (_what, document, why) => {
    const { file, ignored } = readCdi('/etc/cdi/a.yaml', document);
    expect(file).toBeUndefined();
    expect(ignored).toEqual([expect.stringContaining(`/etc/cdi/a.yaml: ${why}`)]);
  });

  test('of which an edit is not known is read without it', () => {
    const containerEdits = { env: ['A=b'], intelRdt: { closID: 'x' } };
    const { file, ignored } = readCdi('/etc/cdi/a.yaml', { ...amd, containerEdits });
    expect(file?.edits.env).toEqual(['A=b']);
    expect(ignored).toEqual(['/etc/cdi/a.yaml: containerEdits.intelRdt is not known']);
  });
});

const given = (requests: readonly GpuRequest[], stock = both): readonly string[] =>
  gpuEdits(requests, stock)
    .deviceNodes.map(({ path }) => path)
    .filter((path) => !/uvm|ctl/.test(path));

test.each<[string, readonly GpuRequest[], readonly string[]]>([
  ['all: the device that stands for them', [{}], ['/dev/nvidia0', '/dev/nvidia1']],
  ['the first, by number', [{ count: 3 }], ['/dev/nvidia0', '/dev/nvidia1', '/dev/nvidia2']],
  ['those named', [{ driver: 'nvidia', ids: ['10', '0'] }], ['/dev/nvidia10', '/dev/nvidia0']],
  ['by identity', [{ ids: ['GPU-6a3b2c1d'] }], ['/dev/nvidia1']],
  ['of another vendor', [{ driver: 'amd' }], ['/dev/dri/card0', '/dev/kfd']],
  ['by qualified names', [{ driver: 'cdi', ids: ['amd.com/gpu=card0'] }], ['/dev/dri/card0', '/dev/kfd']],
  ['one asked for twice once', [{ count: 1 }, { ids: ['0'] }], ['/dev/nvidia0']],
])('chooses %s', (_what, requests, paths) => {
  expect(given(requests)).toEqual(paths);
});

test('where there is no NVIDIA, another kind of GPU is one', () => {
  expect(given([{ count: 1 }], stockOf(fpga, amd))).toEqual(['/dev/dri/card0', '/dev/kfd']);
});

test('a later file goes before an earlier one of the same device, and each file adds its own once', () => {
  const later = { ...amd, devices: [{ name: 'card0', containerEdits: { env: ['LATER=1'] } }] };
  const edits = gpuEdits([{}], stockOf(amd, { ...later, containerEdits: { env: ['FILE=1'] } }));
  expect(edits).toMatchObject({ env: ['FILE=1', 'LATER=1'], deviceNodes: [] });
});

test.each<[string, readonly GpuRequest[], CdiStock, string]>([
  [
    'nothing',
    [{}],
    stockOf(),
    'no device of nvidia.com/gpu, or of another kind …/gpu, is described in the CDI files of /etc/cdi and /var/run/cdi',
  ],
  ['another class', [{}], stockOf(fpga), 'no device of nvidia.com/gpu, or of'],
  ['another vendor', [{ driver: 'nvidia' }], stockOf(amd), 'no device of nvidia.com/gpu is described'],
  ['too few', [{ count: 5 }], both, '5 of nvidia.com/gpu are wanted, and 4 described'],
  ['not that one', [{ ids: ['0', '7'] }], both, 'nvidia.com/gpu has no device 7'],
  ['not that name', [{ driver: 'cdi', ids: ['a.com/gpu=0'] }], both, 'a.com/gpu=0 is not described'],
  [
    'a file that is left out',
    [{}],
    stockOf({ ...nvidia, cdiVersion: '1.0.0' }),
    '(left out: /etc/cdi/0.yaml: cdiVersion: not',
  ],
])('refuses where there is %s', (_what, requests, stock, why) => {
  const reason = gpuRefusal(requests, stock)?.reason;
  expect(reason).toMatchObject({ code: 'HM-CONTAINER-SETTING', evidence: { key: 'gpus' } });
  expect(reason?.message).toContain(why);
  expect(reason?.hint).toContain('nvidia-ctk cdi generate');
  expect(() => gpuEdits(requests, stock)).toThrow(/HM-CONTAINER-SETTING/);
  // And so at the deploy, before anything is stopped for it.
  const { spec } = containerCreate(1, { isolation: { gpus: requests } });
  expect(runtimeRefusal('containerd', spec, undefined, stock)?.reason).toEqual(reason);
});

test('the doctor tells what is described and what is left out, and nothing where there is nothing', () => {
  expect(
    stockInWords(stockOf(amd, { ...amd, containerEdits: { netDevices: [] } }, { ...nvidia, kind: 'gpu' })),
  ).toBe(
    'amd.com/gpu (card0); left out: /etc/cdi/1.yaml: containerEdits.netDevices is not known; ' +
      'left out: /etc/cdi/2.yaml: kind: not VENDOR/CLASS',
  );
  expect(stockInWords(stockOf())).toBeUndefined();
});

test('a service that wants none is not refused, nor one that can have them', () => {
  expect(runtimeRefusal('containerd', containerCreate(1, {}).spec, undefined, stockOf())).toBeUndefined();
  const { spec } = containerCreate(1, { isolation: { gpus: [{ count: 4 }] } });
  expect(runtimeRefusal('containerd', spec, undefined, both)).toBeUndefined();
});

test('mounts bind unless the file says otherwise, outer before inner, and hooks keep their order', () => {
  const edits = gpuEdits([{ count: 1 }], both);
  expect(editedMounts(edits)).toEqual([
    { destination: '/scratch', type: 'tmpfs', source: 'tmpfs', options: [] },
    { destination: '/run/nvidia', type: 'bind', source: '/run/nvidia', options: ['rbind', 'ro'] },
    {
      destination: '/usr/lib/x86_64-linux-gnu/libcuda.so.550.54',
      type: 'bind',
      source: '/usr/lib/x86_64-linux-gnu/libcuda.so.550.54',
      options: ['ro', 'nosuid', 'nodev', 'bind'],
    },
  ]);
  const [first, second] = nvidia.containerEdits.hooks.map(({ hookName: _name, ...hook }) => hook);
  expect(hooksOf(edits)).toEqual({ hooks: { createContainer: [first, second] } });
  expect(hooksOf(undefined)).toEqual({});
});
