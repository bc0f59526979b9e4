/**
 * The app model as the API takes it: strict, bounded, and whole. The CLI sends what it compiled from a Compose file;
 * anybody else gets the same refusals for what a Compose file could not say either.
 */
import { z } from '@hono/zod-openapi';
import type { AppSpec, MountSpec, ServiceSpec, VolumeSpec } from '../../../protocols/apps/model.ts';
import { isFileName, isName } from '../../../protocols/apps/compose/files/names.ts';
import { shortImageName } from '../../../protocols/containers/image-name.ts';
import { limits } from '../../../protocols/limits.ts';
import { plainAddress } from '../../../protocols/network/ipv6.ts';
import { fileSource, networkSpec, serviceParts } from './service-parts.ts';

const name = z.string().refine(isName, `lower-case letters, digits, - and _, at most ${limits.nameChars}`);
const fileName = z.string().refine(isFileName, 'letters, digits, ., - and _');
const port = z.int().min(1).max(65_535);
const wholeMs = z.int().min(0).max(86_400_000);
const path = z.string().startsWith('/').max(4_096);
const words = z.array(z.string()).max(1_000);

export const portSpec = z
  .strictObject({
    hostAddress: z.union([
      z.ipv4(),
      z.ipv6().refine((text) => plainAddress(text) === text, 'in its shortest form, in lower case'),
    ]),
    hostPort: z.int().min(0).max(65_535).openapi({ description: '0: any; assigned at the deploy' }),
    range: z
      .exactOptional(z.strictObject({ first: port, last: port }))
      .openapi({ description: 'with host port 0: one of these for each replica' }),
    replica: z
      .exactOptional(z.int().min(1))
      .openapi({ description: 'whose port it is; absent: of all replicas together' }),
    containerPort: port,
    protocol: z.enum(['tcp', 'udp']),
  })
  .openapi('Port');

const mount: z.ZodType<MountSpec> = z
  .discriminatedUnion('type', [
    z.strictObject({
      type: z.literal('volume'),
      volume: name,
      app: z.exactOptional(name),
      target: path,
      readOnly: z.boolean(),
      noCopy: z.exactOptional(z.boolean()),
      subpath: z.exactOptional(z.string().max(4_096)),
    }),
    z.strictObject({
      type: z.literal('anonymous'),
      target: path,
      readOnly: z.boolean(),
      noCopy: z.exactOptional(z.boolean()),
      service: z.exactOptional(name).openapi({ description: 'whose first replica has it' }),
    }),
    z.strictObject({
      type: z.literal('bind'),
      source: path,
      target: path,
      readOnly: z.boolean(),
      createSource: z.boolean(),
      propagation: z.exactOptional(z.enum(['private', 'rprivate', 'shared', 'rshared', 'slave', 'rslave'])),
      recursive: z.exactOptional(z.enum(['enabled', 'disabled', 'writable', 'readonly'])),
    }),
    z.strictObject({
      type: z.literal('tmpfs'),
      target: path,
      sizeBytes: z.exactOptional(z.int().min(0)),
      mode: z.exactOptional(z.int().min(0).max(0o7777)),
    }),
  ])
  .openapi('Mount');

const service: z.ZodType<ServiceSpec> = z
  .strictObject({
    name,
    image: z.string().refine((text) => shortImageName(text) !== undefined, 'the name of an image'),
    entrypoint: z.exactOptional(words),
    command: z.exactOptional(words),
    environment: z.record(z.string().regex(/^[^=\0]+$/), z.string()),
    ports: z.array(portSpec).max(limits.composePorts),
    mounts: z.array(mount).max(1_000),
    dependsOn: z
      .array(
        z.strictObject({
          service: name,
          condition: z.enum(['started', 'healthy', 'completed']),
          restart: z.exactOptional(z.literal(true)),
          required: z.exactOptional(z.literal(false)),
        }),
      )
      .max(limits.composeServices),
    restart: z.strictObject({
      condition: z.enum(['none', 'on-failure', 'always']),
      maxAttempts: z.exactOptional(z.int().min(0)),
      delayMs: z.exactOptional(wholeMs),
      windowMs: z.exactOptional(wholeMs),
    }),
    replicas: z.int().min(0).max(limits.composeReplicas),
    healthcheck: z.exactOptional(
      z.strictObject({
        test: words.min(1),
        intervalMs: wholeMs.min(1),
        timeoutMs: wholeMs.min(1),
        retries: z.int().min(1).max(1_000),
        startPeriodMs: wholeMs,
        startIntervalMs: z.exactOptional(wholeMs.min(1)),
      }),
    ),
    networkMode: z.union([
      z.enum(['app', 'host', 'none']),
      z.templateLiteral(['service:', z.string().min(1)]),
    ]),
    stopGraceMs: wholeMs,
    stopSignal: z.exactOptional(z.string().regex(/^SIG[A-Z0-9+]{1,16}$/)),
    ...serviceParts,
  })
  .refine(
    ({ environment }) => Object.keys(environment).length <= limits.composeEnvironment,
    `at most ${limits.composeEnvironment} variables`,
  )
  .openapi('Service');

const namedVolume: z.ZodType<VolumeSpec> = z.strictObject({
  name,
  external: z.exactOptional(z.boolean()),
  externalName: z.exactOptional(z.string().max(4_096)),
  driver: z.exactOptional(z.string().max(256)),
  driverOptions: z.exactOptional(z.record(z.string(), z.string())),
  labels: z.exactOptional(z.record(z.string(), z.string())),
});

export const appSpec: z.ZodType<AppSpec> = z
  .strictObject({
    name,
    services: z.record(name, service),
    volumes: z.record(name, namedVolume),
    networks: z.exactOptional(z.record(name, networkSpec)),
    configs: z.exactOptional(z.record(fileName, fileSource)),
    secrets: z.exactOptional(z.record(fileName, fileSource)),
  })
  .superRefine((spec, context) => {
    for (const problem of inconsistencies(spec as AppSpec)) context.addIssue(problem);
  })
  .openapi('App');

/** What no single field shows. */
function* inconsistencies({
  services,
  volumes,
}: AppSpec): Generator<{ code: 'custom'; message: string; path: string[] }> {
  const wrong = (message: string, ...at: string[]) => ({ code: 'custom' as const, message, path: at });
  const all = Object.entries(services);
  if (all.length === 0 || all.length > limits.composeServices)
    yield wrong(`from 1 to ${limits.composeServices} services`, 'services');
  const replicas = all.reduce((sum, [, { replicas: count }]) => sum + count, 0);
  if (replicas > limits.composeReplicas)
    yield wrong(`at most ${limits.composeReplicas} replicas in all`, 'services');
  for (const [key, volume] of Object.entries(volumes))
    if (volume.name !== key) yield wrong('not the name it stands under', 'volumes', key, 'name');
  for (const [key, { name: own, mounts, dependsOn }] of all) {
    if (own !== key) yield wrong('not the name it stands under', 'services', key, 'name');
    for (const { service: needed } of dependsOn)
      if (!Object.hasOwn(services, needed) || needed === key)
        yield wrong(`depends on ${needed}, which is no other service`, 'services', key, 'dependsOn');
    for (const item of mounts) {
      const { service: lender } = item.type === 'anonymous' ? item : {};
      if (lender !== undefined && !Object.hasOwn(services, lender))
        yield wrong(`mounts a volume of ${lender}, which is no other service`, 'services', key, 'mounts');
      if (item.type === 'volume' && item.app === undefined && !Object.hasOwn(volumes, item.volume))
        yield wrong(`mounts ${item.volume}, which is not among the volumes`, 'services', key, 'mounts');
    }
  }
  const circle = firstCircle(services);
  if (circle) yield wrong(`depend on each other in a circle: ${circle.join(' → ')}`, 'services');
}

function firstCircle(services: AppSpec['services']): readonly string[] | undefined {
  const done = new Set<string>();
  const follow = (at: string, trail: readonly string[]): readonly string[] | undefined => {
    if (trail.includes(at)) return [...trail.slice(trail.indexOf(at)), at];
    if (done.has(at)) return undefined;
    for (const { service: needed } of services[at]?.dependsOn ?? []) {
      const found = follow(needed, [...trail, at]);
      if (found) return found;
    }
    done.add(at);
    return undefined;
  };
  for (const start of Object.keys(services)) {
    const found = follow(start, []);
    if (found) return found;
  }
  return undefined;
}
