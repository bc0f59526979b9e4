/** Where everything lives in the store. One place, so that no two rooms disagree about a key. */

export const keys = {
  /** Which cluster this is, written once: `ClusterRecord`. */
  cluster: 'cluster',
  /** Whose a node's name is: `MemberRecord`. */
  member: (name: string) => `members/${name}`,
  members: 'members/',
  /** What lets a node join: `JoinTokenRecord`. */
  joinToken: (id: string) => `join-tokens/${id}`,
  joinTokens: 'join-tokens/',
  /** The keys of the gossip, by name: `GossipRing`. */
  gossipRing: 'gossip-ring',
  /** Head of an app: `AppRecord`. */
  app: (app: string) => `apps/${app}`,
  apps: 'apps/',
  /** An immutable revision: `RevisionRecord`. */
  revision: (app: string, revision: number) => `revisions/${app}/${String(revision).padStart(8, '0')}`,
  revisions: (app: string) => `revisions/${app}/`,
  /** An assignment: `Assignment`. Under its node, so that a node watches only its own prefix. */
  assignment: (node: string, slot: string) => `nodes/${node}/slots/${slot}`,
  assignments: (node: string) => `nodes/${node}/slots/`,
  /** The last placement a slot ever had, kept after the assignment is gone, so that placements only grow. */
  placement: (slot: string) => `placements/${slot}`,
  placements: 'placements/',
  /** A node's address block: `{ node, cidr }`. */
  block: (cidr: string) => `blocks/${cidr.replace('/', '_')}`,
  blocks: 'blocks/',
  /** A volume: `VolumeRecord`. */
  volume: (app: string, volume: string) => `volumes/${app}/${volume}`,
  volumes: 'volumes/',
  /** A named token of the API: `TokenRecord`. */
  token: (name: string) => `tokens/${name}`,
  tokens: 'tokens/',
  /** A secret's metadata: `SecretRecord`. */
  secret: (name: string) => `secrets/${name}`,
  secrets: 'secrets/',
  /** Sealed bytes: `SealedValue`. By the name and version that the secret box binds them to. */
  sealed: (name: string, version: string) => `sealed/${name}/${version}`,
  sealedUnder: (name: string) => `sealed/${name}/`,
  allSealed: 'sealed/',
} as const;

/** The first key after every key with this prefix, by bytes: for range ends. */
export function prefixEnd(prefix: Uint8Array): Uint8Array | undefined {
  for (let last = prefix.length - 1; last >= 0; last--) {
    if (prefix[last]! < 0xff) {
      // A copy also of a Buffer, whose own `slice` is a window.
      const end = Uint8Array.from(prefix.subarray(0, last + 1));
      end[last]! += 1;
      return end;
    }
  }
  return undefined;
}
