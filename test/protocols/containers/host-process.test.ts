/** Which service runs under which runtime, and what a process of the machine cannot have. */
import { expect, test } from 'vitest';
import type { ServiceSpec } from '../../../protocols/apps/model.ts';
import { processImage, runtimeRefusal } from '../../../protocols/containers/making/host-process.ts';
import { imageWish } from '../../../protocols/containers/making/pulling.ts';
import { containerCreate } from '../../kit/container-create.ts';

const process: Partial<ServiceSpec> = { networkMode: 'host', hostProcess: { command: ['sleep', '10'] } };
const specOf = (more: Partial<ServiceSpec>): ServiceSpec => containerCreate(1, more).spec;
const port = { hostAddress: '0.0.0.0', hostPort: 80, containerPort: 80, protocol: 'tcp' } as const;

test.each<[string, Partial<ServiceSpec>, 'containerd' | 'process' | 'scripted', string | undefined]>([
  ['an image', {}, 'containerd', undefined],
  ['an image', {}, 'process', 'HM-RUNTIME-IMAGE'],
  ['a process', process, 'process', undefined],
  ['a process', process, 'containerd', 'HM-RUNTIME-PROCESS'],
  ['a process', process, 'scripted', undefined],
  ['a process with its port', { ...process, ports: [port] }, 'process', undefined],
  [
    'a process as a user in a folder',
    { ...process, process: { user: '1', workingDir: '/' } },
    'process',
    undefined,
  ],
])('%s under %4$s', (_what, more, runtime, code) => {
  expect(runtimeRefusal(runtime, specOf(more))?.reason.code).toBe(code);
});

test.each<[string, Partial<ServiceSpec>]>([
  ['network_mode', { networkMode: 'app' }],
  ['ports', { ports: [{ ...port, hostPort: 81 }] }],
  ['volumes', { mounts: [{ type: 'tmpfs', target: '/x' }] }],
  ['secrets', { files: [{ kind: 'secret', source: 's', target: '/run/secrets/s' }] }],
  ['configs', { files: [{ kind: 'config', source: 'c', target: '/c' }] }],
  ['entrypoint', { entrypoint: [] }],
  ['command', { command: ['x'] }],
  ['networks', { networks: {} }],
  ['dns and extra_hosts', { names: { dns: ['10.0.0.1'] } }],
  ['blkio_config', { resources: { blkio: { weight: 300 } } }],
  ['cpu_rt_period', { resources: { cpuRealtimePeriodUs: 1_000 } }],
  ['group_add', { process: { groupAdd: ['1'] } }],
  ['gpus', { isolation: { gpus: [{}] } }],
  ['read_only', { isolation: { readOnly: true } }],
])('%s needs a container', (key, more) => {
  expect(runtimeRefusal('process', specOf({ ...process, ...more }))?.reason).toMatchObject({
    code: 'HM-CONTAINER-SETTING',
    evidence: { key },
  });
});

test('limits need cgroups that can be written', () => {
  const limited = specOf({ ...process, resources: { limits: { cpus: 1 } } });
  expect(runtimeRefusal('process', limited)).toBeUndefined();
  expect(runtimeRefusal('process', specOf(process), 'it is closed')).toBeUndefined();
  expect(runtimeRefusal('process', limited, 'it is closed')?.reason).toMatchObject({
    code: 'HM-CONTAINER-SETTING',
    message: 'web: deploy.resources is not possible: it is closed',
    evidence: { key: 'deploy.resources' },
  });
});

test('no registry is asked for the image of a process, whatever image it has besides', () => {
  const assignment = { spec: specOf({ ...process, image: 'nginx' }), digest: 'sha256:1' };
  expect(imageWish(assignment as unknown as Parameters<typeof imageWish>[0])).toEqual({
    image: processImage,
  });
});
