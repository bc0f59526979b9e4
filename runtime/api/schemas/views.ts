/** What the API answers: strict, so that a test notices a field that the document does not name. */
import { z } from '@hono/zod-openapi';
import type { AppRecord, AppSpec } from '../../../protocols/apps/model.ts';
import type { AppView, SlotStatus } from '../../../protocols/apps/status.ts';
import type { ImageDetails, ImageInfo, ImageUse, PullProgress } from '../../../protocols/containers/model.ts';
import { catalogue, type ErrorCode, type Reason } from '../../../protocols/errors.ts';
import type { JoinedNetwork } from '../../../protocols/network/model.ts';
import type { ActorView, TranscriptLine } from '../../../protocols/inspection.ts';
import type { SecretView } from '../../../protocols/security/model.ts';
import type { ActorPath } from '../../../protocols/wire/address.ts';
import type { ShownSlot } from '../../observed/cluster-view.ts';
import type { ShownEndpoint } from '../../observed/endpoint-view.ts';
import type { Finding, LogLine } from '../../node-handle.ts';
import type { EventMark, SeenEvent } from '../lists/event-reader.ts';
import { levels } from '../../../protocols/listing/log-levels.ts';
import type { Gap } from '../lines.ts';
import type { Problem } from '../problem.ts';
import { appSpec, portSpec } from './app-spec.ts';

const count = z.int().min(0);
/** ms since 1970. */
const time = z.number().min(0).openapi({ description: 'milliseconds since 1970' });
const actorPath = z.templateLiteral(['/', z.string()]) as z.ZodType<ActorPath>;
const errorCode = z.enum(Object.keys(catalogue) as [ErrorCode, ...ErrorCode[]]);
const plain = z.union([z.string(), z.number(), z.boolean()]);

export const reasonView: z.ZodType<Reason> = z
  .strictObject({
    code: errorCode,
    message: z.string(),
    hint: z.string(),
    evidence: z.record(z.string(), plain),
  })
  .openapi('Reason');

export const problemView: z.ZodType<Problem> = z
  .strictObject({
    type: z.string(),
    title: z.string(),
    status: z.int(),
    detail: z.string(),
    instance: z.string(),
    code: z.string(),
    hint: z.string(),
    requestId: z.string(),
    retryable: z.boolean(),
    errors: z.exactOptional(
      z
        .array(
          z.strictObject({
            in: z.enum(['body', 'query', 'path', 'header']),
            pointer: z.string().openapi({ description: 'a JSON pointer into that part of the request' }),
            detail: z.string(),
          }),
        )
        .readonly(),
    ),
    reason: reasonView,
  })
  .openapi('Problem');

export const gapView: z.ZodType<Gap> = z
  .strictObject({ gap: count.openapi({ description: 'lines that are missing here' }) })
  .openapi('Gap');

const joinedNetwork: z.ZodType<JoinedNetwork> = z
  .strictObject({
    id: z.string(),
    internal: z.exactOptional(z.literal(true)),
    aliases: z.exactOptional(z.array(z.string()).readonly()),
    address: z.exactOptional(z.string()),
    subnet: z.exactOptional(z.string()),
  })
  .openapi('JoinedNetwork');

const slotFields = {
  slot: z.string(),
  app: z.string(),
  service: z.string(),
  index: count,
  node: z.string(),
  placement: count,
  run: count,
  revision: count,
  specHash: z.string(),
  phase: z.enum(['waiting', 'starting', 'running', 'backoff', 'stopping', 'completed', 'failed']),
  readiness: z.enum(['none', 'starting', 'ready', 'unready', 'unhealthy']),
  settled: z.exactOptional(z.literal(true)),
  image: z.string(),
  ports: z.array(portSpec),
  containerId: z.exactOptional(z.string()),
  paused: z.exactOptional(z.literal(true)),
  address: z.exactOptional(z.string()),
  networks: z.exactOptional(z.array(joinedNetwork).readonly()),
  dns: z.exactOptional(z.array(z.string()).readonly()),
  restarts: count,
  nextStartAt: z.exactOptional(time),
  startedAt: z.exactOptional(time),
  lastExit: z.exactOptional(z.strictObject({ code: z.int(), at: time, oomKilled: z.boolean() })),
  reason: z.exactOptional(reasonView),
  next: z.exactOptional(
    z.strictObject({
      placement: count,
      revision: count,
      image: z.string(),
      reason: z.exactOptional(reasonView),
    }),
  ),
  since: time,
};

export const slotStatus: z.ZodType<SlotStatus> = z.strictObject(slotFields).openapi('SlotStatus');

export const shownSlot: z.ZodType<ShownSlot> = z
  .strictObject({
    ...slotFields,
    observedAt: z
      .exactOptional(time)
      .openapi({ description: 'of another node: as of when it was so; absent: asked just now' }),
    nodeStatus: z
      .exactOptional(z.enum(['suspected', 'dead', 'left']))
      .openapi({ description: 'of a node that is not alive: what is shown may be so no more' }),
  })
  .openapi('Slot');

export const endpointView: z.ZodType<ShownEndpoint> = z
  .strictObject({
    slot: z.string().openapi({ example: 'shop/web.2' }),
    app: z.string(),
    service: z.string(),
    node: z.string(),
    address: z.string(),
    ports: z
      .array(z.strictObject({ containerPort: count, protocol: z.enum(['tcp', 'udp']) }))
      .readonly()
      .openapi({ description: 'those that its service publishes, as its container has them' }),
    ready: z.boolean(),
    usable: z.boolean().openapi({
      description: 'ready, of a node that is well; where there is none of the service, of one that may be',
    }),
    placement: count,
    run: count,
    since: time.openapi({ description: 'since when it is so, on the clock of its node' }),
    observedAt: z
      .exactOptional(time)
      .openapi({ description: 'of another node: as of when it was so; absent: asked just now' }),
    nodeStatus: z
      .exactOptional(z.enum(['suspected', 'stalled', 'dead', 'left']))
      .openapi({ description: 'of a node that is not well' }),
  })
  .openapi('Endpoint');

export const appView: z.ZodType<AppView> = z
  .strictObject({
    name: z.string(),
    revision: count,
    removing: z.boolean(),
    services: z.array(
      z.strictObject({
        name: z.string(),
        image: z.string(),
        replicas: count,
        ready: count,
        ports: z.array(portSpec),
      }),
    ),
    slots: z.array(
      z.strictObject({
        slot: z.string(),
        status: z.exactOptional(slotStatus),
        reason: z.exactOptional(reasonView),
      }),
    ),
    converged: z.boolean(),
  })
  .openapi('AppView');

const appRecord: z.ZodType<AppRecord> = z
  .strictObject({
    name: z.string(),
    revision: count,
    removing: z.boolean(),
    scale: z.record(z.string(), count),
    restarts: z.record(z.string(), count),
  })
  .openapi('AppRecord');

export const appShow: z.ZodType<{ view: AppView; spec: AppSpec; record: AppRecord }> = z.strictObject({
  view: appView,
  spec: appSpec,
  record: appRecord,
});

const imageFields = {
  name: z.string(),
  digest: z.string(),
  platform: z.string(),
  sizeBytes: count,
  createdAt: time,
  volumes: z
    .exactOptional(z.array(z.string()).readonly())
    .openapi({ description: 'where it declares volumes' }),
};

export const imageView: z.ZodType<ImageInfo> = z.strictObject(imageFields).openapi('Image');

const imageUse = {
  usedBy: z.array(z.string()).readonly().openapi({ description: 'services that run it or are about to' }),
  wanted: z.boolean().openapi({ description: 'by a kept revision, an assignment or a pull' }),
  goesAt: z
    .exactOptional(time)
    .openapi({ description: 'when it is removed if nothing wants it before; sooner when the disk is full' }),
};

export const imageRow: z.ZodType<ImageInfo & ImageUse> = z
  .strictObject({ ...imageFields, ...imageUse })
  .openapi('ImageRow');

const words = z.exactOptional(z.array(z.string()).readonly());

export const imageDetails: z.ZodType<ImageDetails & ImageUse> = z
  .strictObject({
    ...imageFields,
    ...imageUse,
    platforms: z.array(z.string()).readonly(),
    layers: z
      .array(z.strictObject({ digest: z.string(), mediaType: z.string(), sizeBytes: count }))
      .readonly(),
    config: z.strictObject({
      created: z.exactOptional(z.string()),
      user: z.exactOptional(z.string()),
      entrypoint: words,
      command: words,
      environment: words,
      workingDir: z.exactOptional(z.string()),
      stopSignal: z.exactOptional(z.string()),
      ports: words,
      volumes: words,
      labels: z.exactOptional(z.record(z.string(), z.string())),
    }),
  })
  .openapi('ImageDetails');

export const pullView: z.ZodType<PullProgress> = z
  .strictObject({
    image: z.string(),
    phase: z.enum(['resolving', 'pulling', 'unpacking', 'done', 'failed']),
    doneBytes: count,
    totalBytes: count,
    layers: z
      .array(
        z.strictObject({
          digest: z.string(),
          phase: z.enum(['waiting', 'pulling', 'pulled', 'unpacking', 'done']),
          doneBytes: count,
          totalBytes: count,
        }),
      )
      .readonly(),
    digest: z.exactOptional(z.string()),
    reason: z.exactOptional(reasonView),
  })
  .openapi('Pull');

export const secretView: z.ZodType<SecretView> = z
  .strictObject({
    name: z.string(),
    version: count,
    versions: z.array(z.strictObject({ version: count, sizeBytes: count, createdAt: time })),
    usedBy: z.array(z.string()),
  })
  .openapi('Secret');

export const logLine: z.ZodType<LogLine> = z
  .strictObject({
    slot: z.string(),
    run: z.string(),
    stream: z.enum(['stdout', 'stderr']),
    at: time,
    untilAt: z.exactOptional(time),
    place: z.string().openapi({ description: 'where to read on: logs?follow=true&after=PLACE' }),
    text: z.string(),
    lost: z.exactOptional(z.literal(true)).openapi({
      description:
        'no line of the container’s: it says what is missing here, and comes whatever is asked for',
    }),
    level: z.exactOptional(z.enum(levels)),
    message: z.exactOptional(z.string()),
  })
  .openapi('LogLine');

export const eventView: z.ZodType<SeenEvent> = z
  .strictObject({
    cursor: z.string().openapi({ description: 'where to go on behind this event' }),
    boot: count,
    seq: count,
    at: time,
    type: z.string(),
    subject: z.string(),
    level: z.enum(['info', 'warning', 'error']),
    message: z.string(),
    reason: z.exactOptional(reasonView),
    details: z.exactOptional(z.record(z.string(), plain)),
  })
  .openapi('Event');

/** What stands between events on a stream. */
export const eventMark: z.ZodType<EventMark> = z
  .union([
    z.strictObject({ gap: count.openapi({ description: 'events that are missing here' }) }),
    z.strictObject({ bookmark: z.string().openapi({ description: 'told up to this cursor' }) }),
    z.strictObject({ reset: z.string().openapi({ description: 'what was before this cursor is lost' }) }),
  ])
  .openapi('EventMark');

const actorFields = {
  path: actorPath,
  address: z.string(),
  machine: z.string(),
  phase: z.string(),
  tags: z.array(z.string()),
  mailbox: count,
  processed: count,
  restarts: count,
  startedAt: time,
  parent: z.exactOptional(actorPath),
  children: z.array(actorPath),
  lastCrash: z.exactOptional(
    z.strictObject({ at: time, message: z.string(), cause: z.string(), phaseBefore: z.string() }),
  ),
};

export const actorView: z.ZodType<ActorView> = z.strictObject(actorFields).openapi('Actor');

export const actorShow: z.ZodType<ActorView & { context?: unknown }> = z
  .strictObject({ ...actorFields, context: z.unknown() })
  .openapi('ActorWithContext');

export const transcriptLine: z.ZodType<TranscriptLine> = z
  .strictObject({ seq: count, at: time, path: actorPath, text: z.string() })
  .openapi('TranscriptLine');

export const finding: z.ZodType<Finding> = z
  .strictObject({
    id: z.string(),
    verdict: z.enum(['ok', 'warning', 'failed']),
    detail: z.string(),
    remedy: z.exactOptional(z.string()),
    mended: z.exactOptional(z.string()),
  })
  .openapi('Finding');
