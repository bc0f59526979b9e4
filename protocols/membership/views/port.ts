/** The port behind which the membership subtree runs. */
import type { Stop } from '../../ports.ts';
import type { Profile } from '../model.ts';
import type { GossipKeys, HeardDigest, MemberChange, MemberView, RecordDigest } from './view.ts';

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
  /** This node says something new of itself. */
  describe(profile: Partial<Pick<Profile, 'address' | 'zone'>>): void;
  /** "Back within `ms`", ≤ 30,000: nobody declares this node dead meanwhile. Resolves when it was said. */
  away(ms: number): Promise<void>;
  /** For good. Resolves when it was said; nothing else is said after it. */
  leave(): Promise<void>;
  rotate(keys: GossipKeys): void;
  /** Without a farewell. */
  close(): Promise<void>;
}
