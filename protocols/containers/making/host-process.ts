/**
 * Services that run as processes of the machine itself, under the `process` runtime. Nothing is between them and the
 * machine, so whatever a container would give or take away is refused there, and never left out in silence.
 */
import type { ServiceSpec } from '../../apps/model.ts';
import { gpuRefusal, type CdiStock } from '../cdi/choose.ts';
import { coded, type CodedError } from '../../errors.ts';

/** What stands where an image would: no registry has this host. */
export const processImage = 'process.invalid/none:latest';

/** What the process runtime answers for it. */
export type RuntimeKind = 'containerd' | 'process' | 'scripted';

/**
 * Why a service cannot run under a runtime: HM-RUNTIME-IMAGE, HM-RUNTIME-PROCESS, HM-CONTAINER-SETTING.
 * `withoutLimits`: why nothing can be limited there. `cdi`: what it can give for `gpus:`.
 */
export function runtimeRefusal(
  runtime: RuntimeKind,
  spec: ServiceSpec,
  withoutLimits?: string,
  cdi?: CdiStock,
): CodedError | undefined {
  if (runtime === 'process') return processRefusal(spec, withoutLimits);
  if (runtime === 'containerd' && spec.hostProcess)
    return coded('HM-RUNTIME-PROCESS', `${spec.name} is a process, and this node runs containers`, {
      service: spec.name,
    });
  const { gpus } = spec.isolation ?? {};
  return gpus && cdi ? gpuRefusal(gpus, cdi) : undefined;
}

function processRefusal(spec: ServiceSpec, withoutLimits?: string): CodedError | undefined {
  if (!spec.hostProcess)
    return coded('HM-RUNTIME-IMAGE', `${spec.name} has an image alone, and this node runs processes`, {
      service: spec.name,
      image: spec.image,
    });
  const key = containerKeys(spec)[0];
  const refused = (setting: string, why: string): CodedError =>
    coded(
      'HM-CONTAINER-SETTING',
      `${spec.name}: ${why}`,
      { service: spec.name, key: setting },
      `Remove ${setting}`,
    );
  if (key !== undefined) return refused(key, `${key} needs a container, and this node runs processes`);
  if (withoutLimits === undefined || Object.keys(spec.resources ?? {}).length === 0) return undefined;
  return refused('deploy.resources', `deploy.resources is not possible: ${withoutLimits}`);
}

/** Keys as they are written in a Compose file. */
function containerKeys(spec: ServiceSpec): readonly string[] {
  const { process = {}, isolation = {}, names, networks, resources = {}, mounts, files = [] } = spec;
  const { user: _user, workingDir: _workingDir, ...inside } = process;
  const ported = spec.ports.find(({ hostPort, containerPort }) => hostPort !== containerPort);
  const found: readonly (readonly [string, boolean])[] = [
    ['network_mode', spec.networkMode !== 'host'],
    ['ports', ported !== undefined],
    ['volumes', mounts.length > 0],
    [files[0]?.kind === 'config' ? 'configs' : 'secrets', files.length > 0],
    ['entrypoint', spec.entrypoint !== undefined],
    ['command', spec.command !== undefined],
    ['networks', networks !== undefined],
    ['dns and extra_hosts', names !== undefined],
    ['blkio_config', resources.blkio !== undefined],
    ['cpu_rt_runtime', resources.cpuRealtimeRuntimeUs !== undefined],
    ['cpu_rt_period', resources.cpuRealtimePeriodUs !== undefined],
    ...Object.keys({ ...inside, ...isolation }).map((key) => [snake(key), true] as const),
  ];
  return found.filter(([, isThere]) => isThere).map(([key]) => key);
}

const snake = (key: string): string => key.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
