/** What befalls several nodes: their network, their time, whole machines. Nodes are numbered from 0; 0 is the first server. */

export type ClusterFault =
  /** The nodes of `side` (bit by bit) and the others do not hear each other; `oneWay`: only the others do not hear the side. */
  | { readonly do: 'part'; readonly side: number; readonly oneWay: boolean; readonly forMs: number }
  /** Nothing passes from the one to the other; the other direction stays. */
  | { readonly do: 'cutWay'; readonly from: number; readonly to: number; readonly forMs: number }
  /** Packets of this way are lost, doubled, replayed, and late. */
  | {
      readonly do: 'worseWay';
      readonly from: number;
      readonly to: number;
      readonly loss: number;
      readonly meanMs: number;
      readonly duplicate: number;
      readonly replay: number;
      readonly forMs: number;
    }
  | { readonly do: 'clog'; readonly from: number; readonly to: number; readonly forMs: number }
  /** A thread of the daemon does one long thing. */
  | {
      readonly do: 'stall';
      readonly node: number;
      readonly thread: 'main' | 'membership';
      readonly forMs: number;
    }
  /** SIGSTOP, and later SIGCONT. */
  | { readonly do: 'freeze'; readonly node: number; readonly forMs: number }
  /** The wall clock is set. */
  | { readonly do: 'jump'; readonly node: number; readonly byMs: number }
  /** Its clocks run faster or slower by so many millionths. */
  | { readonly do: 'drift'; readonly node: number; readonly ppm: number }
  /** The gossip gets another key, in three steps. */
  | { readonly do: 'rotate' }
  /** So many packets reach it from who is not of this cluster. */
  | { readonly do: 'stranger'; readonly node: number; readonly packets: number }
  /** Killed, and its disk lost: it comes back as somebody new. */
  | { readonly do: 'wipe'; readonly node: number; readonly downMs: number }
  /** Says farewell, stops, and comes back. */
  | { readonly do: 'leave'; readonly node: number; readonly downMs: number };

/** What the network is like all the time. */
export interface NetworkPlan {
  readonly loss: number;
  readonly delayMs: number;
  readonly meanMs: number;
  readonly duplicate: number;
  readonly replay: number;
  /** The members' times. */
  readonly kind: 'lan' | 'fast';
}

export interface ClusterPlan {
  readonly nodes: number;
  readonly network: NetworkPlan;
  /** Which nodes are healed first, bit by bit; the first server always is. */
  readonly core: number;
  /** What the others are meanwhile. */
  readonly apart: 'down' | 'cut';
  /** Nodes begin without a place in the cluster, and join as real ones do. */
  readonly joining?: JoiningPlan;
}

export interface JoiningPlan {
  /** How long certificates are good: shorter than a run, or never over in it. */
  readonly certificateMs: number;
  /** What is wrong with the first token of each machine but the server. */
  readonly tokens: readonly TokenKind[];
  /** Share of the door's answers that are lost on their way. */
  readonly lostAnswers: number;
  /** Which of the door's questions, counted from 0, end the server's process: before it is judged, or before it is answered. */
  readonly doorKills: readonly { readonly nth: number; readonly at: 'asked' | 'answered' }[];
  readonly acts: readonly JoiningAct[];
}

export type TokenKind = 'good' | 'expired' | 'revoked' | 'spent' | 'foreign' | 'garbled';

export type JoiningAct = { readonly atMs: number; readonly node: number } & (
  | /** Somebody with another key and a good token asks to be let in under its name. */ {
      readonly do: 'impostor';
    }
    /** Killed, and started again at another address. */
  | { readonly do: 'move' }
  /** Its disk is lost; whoever has the old one comes with it once the name is another's. */
  | { readonly do: 'lost' }
);

const clusterFaults: Readonly<Record<ClusterFault['do'], true>> = {
  ...{ part: true, cutWay: true, worseWay: true, clog: true, stall: true },
  ...{ freeze: true, jump: true, drift: true, stranger: true, rotate: true, wipe: true, leave: true },
};

export const isClusterFault = <Other extends { readonly do: string }>(
  fault: Other | ClusterFault,
): fault is ClusterFault => fault.do in clusterFaults;
