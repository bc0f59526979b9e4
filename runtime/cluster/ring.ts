/**
 * The exchange of the gossip's key, at the server: added everywhere, then used everywhere, then the old one removed. Each
 * step is in the store before anybody is told, and the next begins when every living member has it: no packet is lost. Who
 * lives and is not in the registry any more gets none of it. A rotation that broke off goes on with the step it was in.
 */
import { coded } from '../../protocols/errors.ts';
import { gossipKey, type GossipRing } from '../../protocols/cluster/rows.ts';
import { keys } from '../../protocols/state/keys.ts';
import type { StoreOp } from '../../protocols/state/model.ts';
import type { RingKey } from '../../transport/secure/key-ring.ts';
import {
  commit,
  newGossipKey,
  readGossipKeys,
  readRing,
  sealedPut,
  type ClusterPorts,
} from './cluster-store.ts';

/**
 * Gives the keys to this node and to every member of the registry that lives. Rejects when one of them could not be told.
 * Answers who lives, is not in the registry, and was told nothing: names.
 */
export type SpreadKeys = (ring: readonly RingKey[]) => Promise<readonly string[]>;

/**
 * HM-GOSSIP-KEY when a member could not be told, or another rotation is under way; asked again, it goes on. Answers as
 * `SpreadKeys` of the last step.
 */
export async function rotateGossipKeys(ports: ClusterPorts, spread: SpreadKeys): Promise<readonly string[]> {
  const before = await readRing(ports);
  // Of two keys the first is the one in use: what is left is decided by that.
  const [inUse, other] = before.names;
  if (before.step === undefined || other === undefined) {
    const next = newGossipKey(ports.random);
    await write(ports, before.modRevision, { keys: [inUse!, next.name], step: 'added' }, [
      await sealedPut(ports, gossipKey(next.name), next.secret),
    ]);
  }
  await spread(await readGossipKeys(ports));
  const added = await readRing(ports);
  if (added.step === 'added') {
    await write(ports, added.modRevision, { keys: [...added.names].reverse(), step: 'used' }, []);
    await spread(await readGossipKeys(ports));
  }
  const used = await readRing(ports);
  const [kept, ...old] = used.names;
  await write(
    ports,
    used.modRevision,
    { keys: [kept!] },
    old.map((name) => ({ op: 'delete', key: keys.sealed(gossipKey(name).name, name) })),
  );
  return spread(await readGossipKeys(ports));
}

async function write(
  ports: ClusterPorts,
  modRevision: number,
  ring: Omit<GossipRing, 'changedAt'>,
  more: readonly StoreOp[],
): Promise<void> {
  const { succeeded } = await commit(ports, {
    compare: [{ key: keys.gossipRing, field: 'modRevision', equals: modRevision }],
    then: [{ op: 'put', key: keys.gossipRing, value: { ...ring, changedAt: ports.now() } }, ...more],
  });
  if (!succeeded) throw coded('HM-GOSSIP-KEY', 'somebody else is exchanging the keys at the same time');
}
