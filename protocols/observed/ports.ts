/** What the observed actor needs of the outside, besides the machine: signatures, and the other nodes. */
import type { Peer } from '../wire/calls.ts';
import type { MemberView } from '../membership/views/view.ts';
import type { Call } from '../ports.ts';
import type { RecordDigest, SetVersion } from './digest.ts';
import type { MachineFacts, Records, SignedHead } from './model.ts';

export interface MachineMeter {
  /** Measured now. */
  measure(args: Record<string, never>, call: Call): Promise<MachineFacts>;
}

export interface Seal {
  readonly head: Uint8Array;
  /** Hexadecimal. */
  readonly hash: string;
  /** When it was signed, and until when the others take it: what vouches for the signer ends then. ms since 1970. */
  readonly at: number;
  readonly until?: number;
}

/** Signs this node's records and judges others'. */
export interface RecordSeals {
  seal(args: SetVersion & { readonly records: Records }, call: Call): Promise<Seal>;
  /** HM-RECORDS-FORGED: the signature is not good, or these are not the records that were signed. */
  open(args: { readonly head: Uint8Array; readonly records: Records }, call: Call): Promise<SignedHead>;
}

/** The other nodes, as far as records concern them. */
export interface RecordPeers {
  /** HM-PEER-…, or the peer's own refusal. */
  ask(
    args: {
      readonly to: Peer;
      readonly type: 'records.pull' | 'records.compare';
      readonly body: unknown;
      readonly timeoutMs: number;
    },
    call: Call,
  ): Promise<unknown>;
  /** Gossip says from now on that this node has these records. */
  tell(args: { readonly digest: RecordDigest }, call: Call): Promise<Record<string, never>>;
  /** This node too. */
  members(args: Record<string, never>, call: Call): Promise<{ readonly members: readonly MemberView[] }>;
}
