/** What the observed actor holds. */
import type { Capacity } from '../../apps/capacity.ts';
import type { SlotName } from '../../apps/model.ts';
import type { SlotStatus } from '../../apps/status.ts';
import type { Reason } from '../../errors.ts';
import type { NodeId } from '../../membership/model.ts';
import type { MachineFacts, NodeResources, RuntimeFacts } from '../model.ts';
import type { Told } from '../own-records.ts';
import { noCounts, type Pulling } from '../pulling.ts';
import type { SetContent } from '../record-set.ts';

export interface ObservedValue extends Pulling {
  readonly name: string;
  readonly words: Told;
  /** Of the newest of its own sets that this node knows of: the next one outdoes it. */
  readonly boot: number;
  readonly sequence: number;
  readonly slots: Readonly<Record<SlotName, SlotStatus>>;
  /** Every slot has reported. */
  readonly complete?: true;
  /** By the slots that the node holds. */
  readonly reserved: Capacity;
  readonly machine?: MachineFacts;
  readonly resources?: NodeResources;
  readonly runtime?: RuntimeFacts;
  readonly runtimeReason?: Reason;
  /** Raised by whatever may change a record; and as of the newest set that was signed. */
  readonly news: number;
  readonly signed: number;
  readonly signing?: { readonly news: number; readonly content: SetContent };
  /** When the set is signed again though nothing changed, ms since 1970. */
  readonly signAnewAt?: number;
  /** Why the last attempt failed. */
  readonly unsigned?: Reason['code'];
  /** Whom to compare with first: who came, or came back. */
  readonly meet: readonly NodeId[];
  readonly comparing?: NodeId;
  /** Comparisons in a row that came to nothing. */
  readonly unmet: number;
  readonly rounds: number;
  /** When refusals of a peer's records were last told. */
  readonly warned: Readonly<Record<NodeId, number>>;
}

export interface ObservedInput {
  readonly id: NodeId;
  readonly node: string;
  readonly boot: number;
  readonly words: Told;
}

export const freshObserved = ({ id, node, boot, words }: ObservedInput): ObservedValue => ({
  self: id,
  name: node,
  words,
  boot,
  sequence: 0,
  slots: {},
  reserved: { cpus: 0, memoryBytes: 0 },
  news: 1,
  signed: 0,
  held: {},
  members: {},
  buried: {},
  wanted: {},
  pulls: {},
  calls: 0,
  counts: noCounts,
  meet: [],
  unmet: 0,
  rounds: 0,
  warned: {},
});
