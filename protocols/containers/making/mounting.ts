/** What a container is to have mounted, and the folders of the machine behind it: asked for one after the other. */
import type { Assignment, MountSpec } from '../../apps/model.ts';
import type { Decision } from '../../effects.ts';
import { anonymousVolume, withDeclared } from '../../storage/anonymous.ts';
import { ask, type ContainerValue } from '../life/value.ts';
import type { ImageInfo, ResolvedMount } from '../model.ts';

type Value = ContainerValue;

/** Known once the image is: it may declare volumes. */
export const noteDeclared = (value: Value, { volumes = [] }: ImageInfo): Value =>
  volumes.length === 0 ? value : { ...value, declared: withDeclared(value.assignment.spec, volumes) };

const wanted = ({ declared, assignment }: Value): readonly MountSpec[] => declared ?? assignment.spec.mounts;

export const allMounted = (value: Value): boolean => value.mounts.length >= wanted(value).length;

/** The n-th answer is the n-th mount. */
export const mountNext = (value: Value): Decision<Value> => {
  const mount = wanted(value)[value.mounts.length];
  if (!mount) return [value, []];
  if (mount.type === 'tmpfs') return mountNext({ ...value, mounts: [...value.mounts, mount] });
  if (mount.type === 'bind') {
    const args = { source: mount.source, create: mount.createSource };
    return ask(value, 'mount.resolved', { port: 'volumes', op: 'bind', args });
  }
  const args = volumeOf(value.assignment, mount);
  return ask(value, 'mount.resolved', { port: 'volumes', op: 'ensure', args });
};

function volumeOf(
  { app, service, index }: Assignment,
  mount: Extract<MountSpec, { type: 'volume' | 'anonymous' }>,
): { readonly app: string; readonly volume: string } {
  if (mount.type === 'volume') return { app: mount.app ?? app, volume: mount.volume };
  const lent = mount.service !== undefined && mount.service !== service;
  const [owner, replica] = lent ? [mount.service, 1] : [service, index];
  return { app, volume: anonymousVolume(owner, replica, mount.target) };
}

export const mounted = (value: Value, event: { value: { path: string } }): Decision<Value> => {
  const mount = wanted(value)[value.mounts.length];
  if (!mount || mount.type === 'tmpfs') return [value, []];
  return [{ ...value, mounts: [...value.mounts, resolvedMount(mount, event.value.path)] }, []];
};

function resolvedMount(mount: Exclude<MountSpec, { type: 'tmpfs' }>, source: string): ResolvedMount {
  const { target, readOnly } = mount;
  const base = { type: 'bind', source, target, readOnly } as const;
  if (mount.type === 'bind') {
    const { propagation, recursive } = mount;
    return {
      ...base,
      ...(propagation === undefined ? {} : { propagation }),
      ...(recursive === undefined ? {} : { recursive }),
    };
  }
  const subpath = mount.type === 'volume' ? mount.subpath : undefined;
  return { ...base, ...(subpath === undefined ? {} : { subpath }), ...(mount.noCopy ? {} : { fill: true }) };
}
