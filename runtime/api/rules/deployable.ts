/**
 * What a deploy learns before it is taken: what its images are now, and whether what serves could be replaced by it.
 * Nothing is pulled here: a slot that serves goes on until the image of what follows is there.
 */
import { assignablePorts, type BusyPort } from '../../../protocols/apps/host-ports.ts';
import type { AppSpec } from '../../../protocols/apps/model.ts';
import type { AppView } from '../../../protocols/apps/status.ts';
import { runtimeRefusal } from '../../../protocols/containers/making/host-process.ts';
import { CodedError, reason, reasonOf, withEvidence, type Reason } from '../../../protocols/errors.ts';
import { limits } from '../../../protocols/limits.ts';
import type { Call } from '../../../protocols/ports.ts';
import { paths } from '../../../protocols/wire/paths.ts';
import { notLeading } from '../../cluster/leading.ts';
import type { NodeHandle } from '../../node-handle.ts';

export interface ResolvedImages {
  /** By image. An image whose content is not known has none; its slot will say so. */
  readonly digests: Readonly<Record<string, string>>;
  /** By image: why it has none. */
  readonly troubles: Readonly<Record<string, Reason>>;
}

/**
 * What the images are right now, here or in their registries, by the services' pull policies: the same tag with new
 * content is another container. Those of `known` are not asked about. Never longer than `limits.deployResolveMs`.
 */
export async function resolveImages(
  node: NodeHandle,
  spec: AppSpec,
  call: Call,
  known: Readonly<Record<string, string>> = {},
): Promise<ResolvedImages> {
  const elsewhere = notLeading(node.cluster);
  if (elsewhere) throw elsewhere;
  const imaged = Object.values(spec.services).filter(({ hostProcess }) => !hostProcess);
  const policies = new Map(imaged.map(({ image, pullPolicy }) => [image, pullPolicy]));
  const late = new AbortController();
  const timer = node.clock.setTimer(limits.deployResolveMs, () => late.abort());
  const bounded = { ...call, signal: AbortSignal.any([call.signal, late.signal]) };
  const digests: Record<string, string> = {};
  const troubles: Record<string, Reason> = {};
  const ask = async (image: string): Promise<void> => {
    const policy = policies.get(image);
    try {
      const wish = { image, ...(policy === undefined ? {} : { policy }) };
      const { digest } = await node.ports.images.resolve(wish, bounded);
      if (digest === undefined) troubles[image] = missing(image);
      else digests[image] = digest;
    } catch (thrown) {
      call.signal.throwIfAborted();
      troubles[image] = late.signal.aborted ? silent(image) : reasonOf(thrown);
    }
  };
  try {
    await Promise.all([...policies.keys()].filter((image) => known[image] === undefined).map(ask));
  } finally {
    node.clock.clearTimer(timer);
  }
  return { digests, troubles };
}

const missing = (image: string): Reason =>
  reason('HM-IMAGE-MISSING', `The image ${image} is not on the node, nor in a registry.`, { image });

const silent = (image: string): Reason =>
  reason(
    'HM-REGISTRY-UNREACHABLE',
    `The registry of ${image} did not answer in ${limits.deployResolveMs} ms.`,
    {
      image,
    },
  );

/** No wait mends these. Other troubles, as of a registry that is away, come and go: the slots live with them. */
const isFinal = ({ code }: Reason): boolean => code === 'HM-IMAGE-MISSING' || code === 'HM-REGISTRY-AUTH';

/** HM-RUNTIME-…, HM-CONTAINER-SETTING: what this node could never run. A runtime that does not answer says nothing. */
async function assertRunnable(node: NodeHandle, spec: AppSpec, call: Call): Promise<void> {
  const runtime = await node.ports.containers.info({}, call).catch(() => undefined);
  if (!runtime) return;
  for (const service of Object.values(spec.services)) {
    const refused = runtimeRefusal(runtime.name, service, runtime.withoutLimits, runtime.cdi);
    if (refused)
      throw new CodedError(withEvidence(refused.reason, { service: `${spec.name}/${service.name}` }));
  }
}

/**
 * What serves is not to be replaced by what can never start. Refuses with HM-IMAGE-MISSING, HM-REGISTRY-AUTH or
 * HM-BIND-MISSING. A service that serves nothing yet is accepted and waits; what the node could never run is not.
 */
export async function assertReplaceable(
  node: NodeHandle,
  spec: AppSpec,
  troubles: ResolvedImages['troubles'],
  call: Call,
): Promise<void> {
  await assertRunnable(node, spec, call);
  const { apps } = await node.ask<{ apps: readonly AppView[] }>(paths.apps, { type: 'apps.report' });
  const view = apps.find((app) => app.name === spec.name);
  const serving = new Set(
    view?.slots.flatMap(({ status }) => (status && serves(status) ? [status.service] : [])),
  );
  for (const service of Object.values(spec.services)) {
    if (!serving.has(service.name)) continue;
    const because =
      (service.hostProcess ? undefined : troubles[service.image]) ??
      (await bindTrouble(node, service.mounts, call));
    if (because && (isFinal(because) || because.code === 'HM-BIND-MISSING'))
      throw new CodedError(withEvidence(because, { service: `${spec.name}/${service.name}` }));
  }
}

const serves = ({ phase, readiness }: NonNullable<AppView['slots'][number]['status']>): boolean =>
  phase === 'running' && readiness === 'ready';

async function bindTrouble(
  node: NodeHandle,
  mounts: AppSpec['services'][string]['mounts'],
  call: Call,
): Promise<Reason | undefined> {
  try {
    for (const mount of mounts)
      if (mount.type === 'bind' && !mount.createSource)
        await node.ports.volumes.bind({ source: mount.source, create: false }, call);
  } catch (thrown) {
    return reasonOf(thrown);
  }
  return undefined;
}

/** Which of the ports that may be assigned are listened on; nothing when none is to be. */
export async function busyPorts(
  node: NodeHandle,
  spec: AppSpec,
  call: Call,
): Promise<{ busy?: readonly BusyPort[] }> {
  const ports = assignablePorts(spec).map((port) => ({ ...port, hostAddress: '0.0.0.0' }));
  if (ports.length === 0) return {};
  const { taken } = await node.ports.network.taken({ ports }, call);
  return { busy: taken.map(({ hostPort, protocol }) => ({ hostPort, protocol })) };
}
