/**
 * One file of the Container Device Interface: which devices of one kind a machine has, and what a container that gets
 * one of them needs. Written by vendors' tools; what is not known is left out with its reason, never guessed. No disk
 * here: the driver brings what it read. Read next: choose.ts.
 */
import { z } from 'zod';

const absolute = z.string().startsWith('/');
const number = z.int().min(0).max(4_294_967_295);
const texts = z.array(z.string());

const deviceNode = z.object({
  path: absolute,
  hostPath: z.exactOptional(z.string()),
  type: z.exactOptional(z.enum(['', 'b', 'c', 'u'])),
  major: z.exactOptional(number),
  minor: z.exactOptional(number),
  fileMode: z.exactOptional(number),
  permissions: z.exactOptional(z.string().regex(/^[rwm]{0,3}$/)),
  uid: z.exactOptional(number),
  gid: z.exactOptional(number),
});
const mount = z.object({
  hostPath: z.string().min(1),
  containerPath: absolute,
  options: z.exactOptional(texts),
  type: z.exactOptional(z.string()),
});
const hookNames = [
  'prestart',
  'createRuntime',
  'createContainer',
  'startContainer',
  'poststart',
  'poststop',
] as const;
const hook = z.object({
  hookName: z.enum(hookNames),
  path: absolute,
  args: z.exactOptional(texts),
  env: z.exactOptional(texts),
  timeout: z.exactOptional(number),
});
const edits = z.looseObject({
  env: z.array(z.string().regex(/^[^=\0]+=[^\0]*$/, 'not NAME=value')).default([]),
  deviceNodes: z.array(deviceNode).default([]),
  mounts: z.array(mount).default([]),
  hooks: z.array(hook).default([]),
  additionalGids: z.array(number).default([]),
});
const noEdits = edits.parse({});
const document = z.looseObject({
  cdiVersion: z.string().regex(/^0\.[3-8]\.\d+$/, 'not 0.3.0 to 0.8.0'),
  kind: z.string().regex(/^[A-Za-z][\w.-]*\/[A-Za-z][\w.-]*$/, 'not VENDOR/CLASS'),
  devices: z.array(
    z.looseObject({ name: z.string().regex(/^[A-Za-z0-9][\w.:-]*$/, 'not a name'), containerEdits: edits }),
  ),
  containerEdits: edits.default(noEdits),
});

export type CdiHookName = (typeof hookNames)[number];
export type CdiDeviceNode = z.output<typeof deviceNode>;
/** What a container gets: later ones of a list go before earlier ones of the same name or path. */
export type CdiEdits = Readonly<
  Pick<z.output<typeof edits>, 'env' | 'deviceNodes' | 'mounts' | 'hooks' | 'additionalGids'>
>;

export interface CdiFile {
  readonly path: string;
  /** `nvidia.com/gpu` */
  readonly kind: string;
  readonly devices: readonly { readonly name: string; readonly edits: CdiEdits }[];
  /** Of every container that gets any of its devices. */
  readonly edits: CdiEdits;
}

export interface CdiReading {
  /** Absent: the whole file is left out. */
  readonly file?: CdiFile;
  /** What is left out, and why. */
  readonly ignored: readonly string[];
}

/** `value` is the file's JSON or YAML. */
export function readCdi(path: string, value: unknown): CdiReading {
  const parsed = document.safeParse(value);
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    return { ignored: [`${path}: ${[...issue!.path, ''].join('.').slice(0, -1)}: ${issue!.message}`] };
  }
  const { kind, devices, containerEdits } = parsed.data;
  const named = devices.map((device) => ({ name: device.name, edits: device.containerEdits }));
  return {
    file: { path, kind, devices: named, edits: containerEdits },
    ignored: [containerEdits, ...named.map((device) => device.edits)]
      .flatMap((one) => Object.keys(one))
      .filter((key, index, all) => !(key in noEdits) && all.indexOf(key) === index)
      .map((key) => `${path}: containerEdits.${key} is not known`),
  };
}

export function joined(all: readonly CdiEdits[]): CdiEdits {
  return {
    env: all.flatMap(({ env }) => env),
    deviceNodes: all.flatMap(({ deviceNodes }) => deviceNodes),
    mounts: all.flatMap(({ mounts }) => mounts),
    hooks: all.flatMap(({ hooks }) => hooks),
    additionalGids: all.flatMap(({ additionalGids }) => additionalGids),
  };
}
