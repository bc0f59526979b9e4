/** The optional parts of a service (`protocols/apps/service-model.ts`) as the API takes them: strict and bounded. */
import { z } from '@hono/zod-openapi';
import { limits } from '../../../protocols/limits.ts';
import type {
  FileSource,
  NetworkSpec,
  ProbeSpec,
  RolloutSettings,
  ServiceParts,
} from '../../../protocols/apps/service-model.ts';

const text = z.string().max(4_096);
const texts = z.array(text).max(1_000);
const opt = z.exactOptional;
const whole = z.int().min(0).max(Number.MAX_SAFE_INTEGER);
const ms = z.int().min(0).max(86_400_000);
const port = z.int().min(1).max(65_535);
const absolute = z.string().startsWith('/').max(4_096);
const labels = z.record(z.string().max(4_096), z.string().max(65_536));
const cpus = z.number().positive().max(100_000);

const processSettings = z.strictObject({
  workingDir: opt(absolute),
  user: opt(text),
  groupAdd: opt(texts),
  hostname: opt(z.string().max(253)),
  domainname: opt(z.string().max(253)),
  init: opt(z.boolean()),
  tty: opt(z.boolean()),
  stdinOpen: opt(z.boolean()),
});

const isolation = z.strictObject({
  privileged: opt(z.boolean()),
  readOnly: opt(z.boolean()),
  capAdd: opt(texts),
  capDrop: opt(texts),
  noNewPrivileges: opt(z.boolean()),
  seccomp: opt(z.string().max(1_048_576)),
  apparmor: opt(text),
  label: opt(text),
  systemPathsUnconfined: opt(z.boolean()),
  sysctls: opt(z.record(z.string().regex(/^[a-z0-9_./-]+$/i), text)),
  ulimits: opt(
    z.record(z.string().regex(/^[a-z]+$/), z.strictObject({ soft: z.int().min(-1), hard: z.int().min(-1) })),
  ),
  devices: opt(
    z.array(
      z.strictObject({ source: absolute, target: absolute, permissions: z.string().regex(/^[rwm]{1,3}$/) }),
    ),
  ),
  gpus: opt(
    z
      .array(
        z.strictObject({
          driver: opt(text),
          count: opt(whole.min(1).max(limits.composeItems)),
          ids: opt(texts.min(1)),
        }),
      )
      .max(limits.composeItems),
  ),
  deviceCgroupRules: opt(texts),
  pid: opt(text),
  ipc: opt(text),
  uts: opt(z.literal('host')),
  cgroup: opt(z.enum(['host', 'private'])),
  usernsMode: opt(z.literal('host')),
  shmSizeBytes: opt(whole),
  oomScoreAdj: opt(z.int().min(-1_000).max(1_000)),
  oomKillDisable: opt(z.boolean()),
});

const rates = z.array(z.strictObject({ path: absolute, rate: whole })).max(100);
const resources = z.strictObject({
  limits: opt(z.strictObject({ cpus: opt(cpus), memoryBytes: opt(whole), pids: opt(z.int().min(-1)) })),
  reservations: opt(
    z.strictObject({
      cpus: opt(cpus),
      memoryBytes: opt(whole),
      genericResources: opt(z.array(z.strictObject({ kind: text, value: whole })).max(100)),
    }),
  ),
  memorySwapBytes: opt(z.int().min(-1)),
  memorySwappiness: opt(z.int().min(0).max(100)),
  cpuShares: opt(whole),
  cpuQuotaUs: opt(z.int().min(-1)),
  cpuPeriodUs: opt(whole),
  cpuRealtimeRuntimeUs: opt(whole),
  cpuRealtimePeriodUs: opt(whole),
  cpuset: opt(z.string().regex(/^[0-9,-]+$/)),
  blkio: opt(
    z.strictObject({
      weight: opt(z.int().min(10).max(1_000)),
      weightDevices: opt(
        z.array(z.strictObject({ path: absolute, weight: z.int().min(10).max(1_000) })).max(100),
      ),
      readBps: opt(rates),
      writeBps: opt(rates),
      readIops: opt(rates),
      writeIops: opt(rates),
    }),
  ),
});

const action = z.discriminatedUnion('type', [
  z.strictObject({ type: z.literal('exec'), command: texts.min(1) }),
  z.strictObject({
    type: z.literal('http'),
    port,
    path: z.string().startsWith('/').max(4_096),
    scheme: z.enum(['http', 'https']),
    host: opt(text),
    headers: opt(z.record(z.string().max(256), text)),
    statuses: opt(z.array(z.int().min(100).max(599)).min(1).max(100)),
  }),
  z.strictObject({ type: z.literal('tcp'), port }),
  z.strictObject({ type: z.literal('grpc'), port, service: opt(text) }),
]);
const probe: z.ZodType<ProbeSpec> = z
  .strictObject({
    action,
    initialDelayMs: ms,
    intervalMs: ms.min(1),
    timeoutMs: ms.min(1),
    successes: z.int().min(1).max(1_000),
    failures: z.int().min(1).max(1_000),
  })
  .openapi('Probe');

const hook = z.strictObject({
  command: texts.min(1),
  user: opt(text),
  workingDir: opt(absolute),
  environment: opt(labels),
  privileged: opt(z.boolean()),
  timeoutMs: opt(ms.min(1)),
});
const hooks = z.array(hook).max(100);

const rollout: z.ZodType<RolloutSettings> = z.strictObject({
  parallelism: opt(whole),
  delayMs: opt(ms),
  failureAction: opt(z.enum(['continue', 'pause', 'rollback'])),
  monitorMs: opt(ms),
  maxFailureRatio: opt(z.number().min(0).max(1)),
  order: opt(z.enum(['start-first', 'stop-first'])),
});

/** As fields, to be spread into the schema of a service. */
export const serviceParts = {
  process: opt(processSettings),
  isolation: opt(isolation),
  resources: opt(resources),
  names: opt(
    z.strictObject({
      extraHosts: opt(z.array(z.strictObject({ host: text, address: text })).max(1_000)),
      dns: opt(texts),
      dnsSearch: opt(texts),
      dnsOptions: opt(texts),
    }),
  ),
  networks: opt(
    z.record(
      text,
      z.strictObject({
        aliases: opt(texts),
        ipv4Address: opt(z.ipv4()),
        priority: opt(z.int()),
        macAddress: opt(z.string().regex(/^([0-9a-f]{2}:){5}[0-9a-f]{2}$/)),
      }),
    ),
  ),
  labels: opt(labels),
  annotations: opt(labels),
  serviceLabels: opt(labels),
  logging: opt(
    z.strictObject({ driver: opt(text), maxSizeBytes: opt(whole.min(1)), maxFiles: opt(whole.min(1)) }),
  ),
  pullPolicy: opt(
    z.discriminatedUnion('when', [
      z.strictObject({ when: z.enum(['always', 'missing', 'never']) }),
      z.strictObject({ when: z.literal('older'), thanMs: whole }),
    ]),
  ),
  platform: opt(z.string().regex(/^[a-z0-9]+\/[a-z0-9]+(\/[a-z0-9]+)?$/)),
  files: opt(
    z
      .array(
        z.strictObject({
          kind: z.enum(['config', 'secret']),
          source: text,
          target: absolute,
          uid: opt(whole),
          gid: opt(whole),
          mode: opt(z.int().min(0).max(0o7777)),
        }),
      )
      .max(1_000),
  ),
  hooks: opt(z.strictObject({ postStart: opt(hooks), preStop: opt(hooks) })),
  probes: opt(
    z.strictObject({ startup: opt(probe), readiness: opt(probe), liveness: opt(probe), drainMs: opt(ms) }),
  ),
  mode: opt(z.enum(['replicated', 'global', 'replicated-job', 'global-job'])),
  job: opt(z.strictObject({ completions: opt(whole), parallel: opt(whole) })),
  cluster: opt(
    z.strictObject({
      constraints: opt(texts),
      spread: opt(texts),
      maxReplicasPerNode: opt(whole),
      update: opt(rollout),
      rollback: opt(rollout),
      endpointMode: opt(z.enum(['vip', 'dnsrr'])),
    }),
  ),
  hostProcess: opt(z.strictObject({ command: texts.min(1) })),
  onSecretChange: opt(z.union([z.enum(['restart', 'none']), z.strictObject({ signal: text })])),
} satisfies Record<keyof ServiceParts, z.ZodType>;

export const networkSpec: z.ZodType<NetworkSpec> = z
  .strictObject({
    name: text,
    internal: opt(z.boolean()),
    external: opt(z.boolean()),
    externalName: opt(text),
    subnets: opt(texts),
    labels: opt(labels),
  })
  .openapi('Network');

export const fileSource: z.ZodType<FileSource> = z
  .strictObject({
    name: text,
    externalName: opt(text),
    digest: opt(z.string().regex(/^sha256:[0-9a-f]{64}$/)),
    content: opt(z.base64().max(Math.ceil(limits.composeContentBytes / 3) * 4)),
  })
  .openapi('FileSource');
