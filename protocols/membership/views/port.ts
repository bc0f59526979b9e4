/** The port behind which the membership subtree runs, and the one through which its actors look at the core. */
import type { NodeEvent } from '../../effects.ts';
import type { RemoteDirectory } from '../../inspection.ts';
import type { RecordDigest } from '../../observed/digest.ts';
import type { Call, Stop } from '../../ports.ts';
import type { MemberAddress, MemberStatus, NodeId, Profile } from '../model.ts';
import type { Standing } from './news.ts';
import type {
  Credentials,
  DatagramTraffic,
  GossipKeys,
  HeardDigest,
  MemberChange,
  MemberView,
} from './view.ts';

/**
 * Who is in the cluster, as this node sees it. Behind it runs the membership subtree: in a thread of its own on a real
 * node, in the same process in simulation. No actor drives it; who needs it is told of changes.
 */
export interface Membership {
  /** The newest views, this node's own first; cheap. Statuses are current, planes as of the last `look`. */
  members(): readonly MemberView[];
  /** Everything as it stands now, planes too. When the subtree does not answer in time: `members()`. */
  look(): Promise<readonly MemberView[]>;
  /** Every change of a member other than this node, in order. */
  onChange(notify: (change: MemberChange) => void): Stop;
  /** This node holds these records whole from now on, its own or another's: gossip says so. */
  tellDigest(digest: RecordDigest): void;
  /** Versions that this node has not told itself; the same may be heard again, from others too. */
  onDigest(notify: (heard: HeardDigest) => void): Stop;
  /** Packets come under a key of the gossip that this node lacks; again from time to time, while they do. */
  onUnread(notify: () => void): Stop;
  /**
   * From now on this is this node's boot: others knew it by a later one than its journal did, or the subtree began anew.
   * What was so before is told at once.
   */
  onBoot(notify: (boot: number) => void): Stop;
  /** This node says something new of itself. */
  describe(profile: Partial<Pick<Profile, 'address' | 'zone'>>): void;
  /** "Back within `ms`", ≤ 30,000: nobody declares this node dead meanwhile. Resolves when it was said. */
  away(ms: number): Promise<void>;
  /** For good. Resolves when it was said; nothing else is said after it. */
  leave(): Promise<void>;
  rotate(keys: GossipKeys): void;
  /** The authority's new word on this node, and whose word counts; everybody is told at once. */
  renew(credentials: Credentials): void;
  /** Events of the subtree; those before the first listener wait for it. */
  onEvent(notify: (event: NodeEvent) => void): Stop;
  /** The actors of the subtree. */
  readonly actors: RemoteDirectory;
  /** Rejects with HM-MEMBERSHIP-DOWN when the subtree does not answer. */
  traffic(): Promise<DatagramTraffic>;
  /** Without a farewell. */
  close(): Promise<void>;
}

/** What the actors of the subtree may ask of the core beside them, and of its peers through it. */
export interface Roster {
  /** Every member that said something of itself. */
  list(args: Record<string, never>, call: Call): Promise<{ readonly members: readonly RosterEntry[] }>;
  recall(args: { readonly id: NodeId }, call: Call): Promise<Recalled>;
  /** Over a stream, whether it is there. Rejects as `Calls.call` does. */
  ask(args: { readonly id: NodeId }, call: Call): Promise<{ readonly rttMs: number }>;
}

export interface RosterEntry {
  readonly id: NodeId;
  readonly name: string;
  readonly address: MemberAddress;
  readonly status: MemberStatus;
  /** When it was last asked over a stream, or heard on one, ms since 1970; 0 when it never was. */
  readonly streamTriedAt: number;
}

export interface Recalled {
  readonly view?: MemberView;
  /** What the event log has heard of it. */
  readonly told?: Standing;
}
