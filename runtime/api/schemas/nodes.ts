/** Nodes as they are answered: what is known of their machines, and what the one that answers sees of them as members. */
import { z } from '@hono/zod-openapi';
import type { Capacity } from '../../../protocols/apps/capacity.ts';
import type { RuntimeInfo } from '../../../protocols/containers/model.ts';
import type { Reason } from '../../../protocols/errors.ts';
import type { MemberStatus } from '../../../protocols/membership/model.ts';
import type { MemberView } from '../../../protocols/membership/views/view.ts';
import type { PeerCondition, TypeCounts } from '../../../protocols/wire/calls.ts';
import type { NodeRole } from '../../../protocols/wire/catalogue.ts';
import type { SetVersion } from '../../../protocols/observed/digest.ts';
import type { MachineFacts } from '../../../protocols/observed/model.ts';
import { reasonView } from './views.ts';

const count = z.int().min(0);
const time = z.number().min(0).openapi({ description: 'milliseconds since 1970' });
const status = z.enum(['alive', 'suspected', 'dead', 'left']);

/** As a member. `self`: the node that answers. */
export type MemberRow = Pick<
  MemberView,
  'id' | 'self' | 'zone' | 'condition' | 'since' | 'suspectedBy' | 'planes'
> & {
  /** `10.0.0.1:4484` */
  readonly address: string;
};

const plane = z
  .strictObject({
    heardAt: z.exactOptional(time),
    rttMs: z.exactOptional(z.number().min(0)).openapi({ description: 'of the last direct answer' }),
    failingSince: z.exactOptional(time),
    indirectSince: z
      .exactOptional(time)
      .openapi({ description: 'since when it is found by way of other nodes alone' }),
  })
  .openapi('Plane', { description: 'what the node that answers finds over it' });

const member: z.ZodType<MemberRow> = z
  .strictObject({
    id: z.string(),
    self: z.boolean().openapi({ description: 'the node that answers' }),
    address: z.string().openapi({ example: '10.0.0.1:4484' }),
    zone: z.string(),
    condition: z.enum(['ready', 'stalled', 'away']),
    since: time,
    suspectedBy: z
      .array(z.strictObject({ id: z.string(), name: z.string(), since: time }))
      .readonly()
      .openapi({ description: 'the first accuser first' }),
    planes: z.strictObject({ datagram: plane, stream: plane }),
  })
  .openapi('Member');

const observed: z.ZodType<ObservedView> = z
  .strictObject({
    at: time.openapi({ description: 'as of when what is shown was so' }),
    version: z.strictObject({ boot: count, sequence: count }).openapi({ description: 'of its records' }),
    stale: z
      .exactOptional(z.literal(true))
      .openapi({ description: 'newer records are told of and have not come yet' }),
  })
  .openapi('Observed', { description: 'of another node: how old what is shown of it is' });

const machine: z.ZodType<MachineFacts> = z
  .strictObject({
    hostname: z.string(),
    os: z.string(),
    kernel: z.string(),
    architecture: z.string(),
    cpus: count,
    load: z.number().min(0),
    memoryBytes: count,
    memoryFreeBytes: count,
    diskBytes: count,
    diskFreeBytes: count,
    labels: z.record(z.string(), z.string()),
  })
  .openapi('Machine');

/** Of one message type on streams, or of one kind of packet, which is sent and received alone. */
export type TrafficRow = {
  readonly plane: 'stream' | 'datagram';
  readonly type: string;
} & Readonly<Pick<TypeCounts, 'sent' | 'received'> & Partial<TypeCounts>>;

export const trafficRow: z.ZodType<TrafficRow> = z
  .strictObject({
    plane: z.enum(['stream', 'datagram']),
    type: z.string().openapi({ example: 'store.watch' }),
    sent: count,
    answered: z.exactOptional(count),
    refused: z.exactOptional(count).openapi({ description: 'by the other node, with a reason' }),
    timedOut: z.exactOptional(count),
    letGo: z.exactOptional(count).openapi({ description: 'nobody waited for the answer any more' }),
    failed: z.exactOptional(count).openapi({
      description:
        'no connection, lost before the answer, or no room in the queue; of gossip, pieces of news',
    }),
    received: count,
    given: z.exactOptional(count).openapi({ description: 'answered to other nodes' }),
    denied: z.exactOptional(count).openapi({ description: 'refused to other nodes' }),
    bytesSent: z.exactOptional(count).openapi({ description: 'of bodies' }),
    bytesReceived: z.exactOptional(count),
  })
  .openapi('Traffic');

export type ConnectionView = Pick<
  PeerCondition,
  'open' | 'idle' | 'queuedFrames' | 'queuedBytes' | 'asking' | 'answering'
> & {
  /** Since when it is open, or not. */
  readonly since: number;
};

const connection: z.ZodType<ConnectionView> = z
  .strictObject({
    open: z.boolean(),
    idle: z.boolean().openapi({ description: 'open, and nothing is under way over it' }),
    since: time,
    queuedFrames: count.openapi({ description: 'that wait to be sent' }),
    queuedBytes: count,
    asking: count.openapi({ description: 'questions to it without an answer so far' }),
    answering: count.openapi({ description: 'its questions that are being answered' }),
  })
  .openapi('Connection', { description: 'the stream between the node that answers and this one' });

export interface ObservedView {
  /** As of when it was so, on the clock of the node that answers. */
  readonly at: number;
  readonly version: SetVersion;
  /** Newer records are told of and have not come yet. */
  readonly stale?: true;
}

export interface NodeView {
  readonly name: string;
  readonly state: MemberStatus;
  readonly role: NodeRole;
  readonly leader: boolean;
  readonly boot: number;
  /** Of other nodes known only once they told of themselves, as what follows. */
  readonly version?: string;
  readonly startedAt?: number;
  /** Where its API listens besides the socket. */
  readonly apiAddress?: string;
  readonly slots?: number;
  readonly running?: number;
  readonly machine?: MachineFacts;
  /** By the slots that it holds; of a node that is one of several. */
  readonly reserved?: Capacity;
  /** Of another node: how old what is shown of it is. */
  readonly observed?: ObservedView;
  /** Of a node that is one of several. */
  readonly member?: MemberRow;
  /** Of another node, once there was one. */
  readonly connection?: ConnectionView;
  /** Absent while the runtime does not answer; then there is a reason. */
  readonly runtime?: Pick<
    RuntimeInfo,
    'version' | 'snapshotter' | 'cgroups' | 'platform' | 'withoutLimits'
  > & {
    readonly name: string;
  };
  readonly reason?: Reason;
}

export const nodeView: z.ZodType<NodeView> = z
  .strictObject({
    name: z.string(),
    state: status.openapi({ description: 'as the node that answers sees it' }),
    role: z.enum(['server', 'agent']),
    leader: z.boolean(),
    boot: count,
    version: z.exactOptional(z.string()),
    startedAt: z.exactOptional(time),
    apiAddress: z
      .exactOptional(z.string())
      .openapi({ description: 'where its API listens, mostly of its machine alone' }),
    slots: z.exactOptional(count),
    running: z.exactOptional(count),
    machine: z.exactOptional(machine),
    reserved: z
      .exactOptional(z.strictObject({ cpus: z.number().min(0), memoryBytes: count }))
      .openapi({ description: 'by the slots that it holds' }),
    observed: z.exactOptional(observed),
    member: z.exactOptional(member),
    connection: z.exactOptional(connection),
    runtime: z.exactOptional(
      z.strictObject({
        name: z.string(),
        version: z.string(),
        snapshotter: z.string(),
        cgroups: z.union([z.literal(1), z.literal(2)]),
        platform: z.string(),
        withoutLimits: z
          .exactOptional(z.string())
          .openapi({ description: 'why nothing can be limited there; absent: it can' }),
      }),
    ),
    reason: z.exactOptional(reasonView),
  })
  .openapi('Node');
