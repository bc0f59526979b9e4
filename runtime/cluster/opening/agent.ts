/**
 * An agent's side: it joins once with a token, and from then on is known by its certificate; its store and its secrets are
 * at the server. That the server cannot be reached keeps nothing from running.
 */
import { X509Certificate } from 'node:crypto';
import { timeText } from '../../../protocols/cluster/clocks.ts';
import { issued as issuedForm, type ServerPlace } from '../../../protocols/cluster/join.ts';
import { parseJoinToken, type JoinToken } from '../../../protocols/cluster/token.ts';
import { coded, reasonOf } from '../../../protocols/errors.ts';
import { limits } from '../../../protocols/limits.ts';
import type { SecretBox, StateStore } from '../../../protocols/ports.ts';
import { keyBytes, ringKey } from '../../../transport/secure/key-ring.ts';
import { termOf } from '../../../transport/secure/tls-identity.ts';
import { RemoteStore } from '../../drivers/store/remote/remote-store.ts';
import { readGiven, writeGiven, type Given } from '../given-file.ts';
import type { ClusterHandle } from '../handle.ts';
import { ensureIdentity, type NodeIdentity } from '../identity-file.ts';
import { joinCluster } from '../joining/join-client.ts';
import { createJoinDoor } from '../joining/join-door.ts';
import { createRemoteSecrets } from '../remote-secrets.ts';
import type { ClusterFiles } from '../secret-file.ts';
import { bytesOf, textOf } from './issued.ts';
import { Departure } from './departure.ts';
import { openParts, type ClusterOptions, type OpenParts, type Parts } from './parts.ts';
import { givenPath, keyPath } from './places.ts';
import type { OpenedCluster } from './server.ts';

/** With the store and the secrets that the rest of the node works with. */
export interface OpenedAgent extends OpenedCluster {
  readonly store: StateStore;
  readonly secrets: SecretBox;
}

/** HM-CLUSTER-JOIN, -TOKEN, -FOREIGN, -CLOCK, -CERTIFICATE, -KEY, -LISTEN, HM-NODE-NAME-TAKEN, -LOST; then nothing is open. */
export async function openAgent(options: ClusterOptions): Promise<OpenedAgent> {
  const { clock, random, folder, settings, files } = options;
  const identity = await ensureIdentity(files, random, keyPath(folder));
  const given = await givenToAgent(options, identity);
  const { clusterAddress: address, zone = '' } = settings;
  const moved = JSON.stringify([given.address, given.zone]) !== JSON.stringify([address, zone]);
  let server: ServerPlace = given.server;
  const departure = new Departure(options, identity);
  let askKeys = (): void => {};
  const parts = await openParts({
    cluster: options,
    identity,
    given: { ...given, address, zone },
    server: () => server,
    renew: async (request, calls) => {
      const wish = { request, address, zone, now: clock.now() };
      const answer = await calls
        .call(server, 'join.renew', wish, { timeoutMs: limits.joinMs })
        .catch((thrown: unknown) => {
          departure.heed(thrown, parts);
          throw thrown;
        });
      const told = issuedForm.safeParse(answer);
      if (!told.success) throw coded('HM-CLUSTER-JOIN', 'the answer to a renewal is not in form');
      return told.data;
    },
    prepare: (open) => (askKeys = hearServer(options, open, { server: () => server, departure })),
  });
  departure.opened(parts);
  // It was taken for dead, or was cut off, while all were told of a new key.
  parts.membership.onUnread(askKeys);
  let letGo = parts.calls.keep(server);
  parts.membership.onChange(({ member }) => {
    // One of the two has lost it, and may not have heard: its connection stood all the while.
    if (member.name === options.name && member.id !== identity.id) askKeys();
    const { host, port } = server.address;
    if (member.id !== server.id || (member.address.host === host && member.address.port === port)) return;
    server = { ...server, address: { host: member.address.host, port: member.address.port } };
    letGo();
    letGo = parts.calls.keep(server);
  });
  parts.care.start(moved);
  const store = new RemoteStore({ calls: parts.calls, clock, server: () => server });
  return {
    handle: handleOf(parts, () => server, departure),
    store,
    secrets: createRemoteSecrets(parts.calls, () => server),
    close: async () => {
      letGo();
      await store.close();
      await parts.close();
    },
  };
}

/** What it was given before, while that holds; else it joins, with a token. */
async function givenToAgent(options: ClusterOptions, identity: NodeIdentity): Promise<Given> {
  const { folder, name, settings, clock, files } = options;
  const mayJoin = settings.join !== undefined && settings.tokenFile !== undefined;
  let before: Given | undefined;
  try {
    before = await readGiven(files, givenPath(folder), identity);
  } catch (thrown) {
    // What was given can be given again.
    if (!mayJoin) throw thrown;
  }
  const because = before ? pastUse(before, name, clock.now()) : undefined;
  if (before && !because) return before;
  if (because && !mayJoin) throw because;
  // Whose clock is the wrong one, or was when the certificate was made, the server says, where there is one to ask.
  const given = await joinNow(options, identity, before).catch((thrown: unknown) => {
    throw because && reasonOf(thrown).code === 'HM-CLUSTER-JOIN' ? because : thrown;
  });
  await writeGiven(files, givenPath(folder), given);
  return given;
}

/** Why what it was given is of no use any more. */
function pastUse(given: Given, name: string, now: number): Error | undefined {
  const [from, until] = termOf(new X509Certificate(given.issued.certificate));
  if (given.nameLost !== undefined) return coded('HM-NODE-NAME-LOST', given.nameLost, { node: given.name });
  if (given.name !== name)
    return coded('HM-CLUSTER-CERTIFICATE', `this node joined as ${given.name}, and is called ${name} now`, {
      node: given.name,
    });
  if (now < from - limits.clusterSkewMs)
    return coded(
      'HM-CLUSTER-CLOCK',
      `the clock here says ${timeText(now)}, and the certificate of this node was made after ${timeText(from)}`,
      { here: timeText(now), from: timeText(from) },
    );
  if (now >= until)
    return coded('HM-CLUSTER-CERTIFICATE', `the certificate of this node ended at ${timeText(until)}`, {
      until: timeText(until),
    });
  return undefined;
}

/** Servers that start at the same time are waited for a while. */
async function joinNow(
  options: ClusterOptions,
  identity: NodeIdentity,
  before: Given | undefined,
): Promise<Given> {
  const { name, settings, clock, waiting, files, reachDoor } = options;
  const { clusterAddress: address, zone = '', labels, join: seeds = [], tokenFile } = settings;
  if (seeds.length === 0)
    throw coded(
      'HM-CLUSTER-JOIN',
      'this node has joined no cluster',
      {},
      'Name a node of one: --join ADDRESS',
    );
  const token = await readToken(files, tokenFile);
  if (before) refuseSpent(before, token);
  const endsAt = clock.monotonicMs() + limits.joinWaitMs;
  let told = '';
  for (;;) {
    try {
      const wish = { token, key: identity.key, seeds, name, address, zone, labels };
      const { certificate, authority, credential, gossipKeys, label, server, peers } = await joinCluster(
        wish,
        { clock, reach: reachDoor },
      );
      const issued = { certificate, authority, credential, gossipKeys };
      return { label, name, role: 'agent', address, zone, issued, server, seeds: peers, token: token.id };
    } catch (thrown) {
      const because = reasonOf(thrown);
      if (because.code !== 'HM-CLUSTER-JOIN' || clock.monotonicMs() + limits.retryMs > endsAt) throw thrown;
      if (because.message !== told) waiting(`not joined yet: ${because.message}`);
      told = because.message;
    }
    await new Promise<void>((resolve) => void clock.setTimer(limits.retryMs, resolve));
  }
}

/**
 * HM-NODE-NAME-LOST. Two that come back to one name by turns, each with the token that it keeps for ever, would take it
 * from each other whenever the other one is down. Who has lost it needs somebody's word that it is to come again.
 */
function refuseSpent({ nameLost, name, token: former }: Given, token: JoinToken): void {
  if (nameLost === undefined || former !== token.id) return;
  const text = `${nameLost}; this node joined with the same token before, and joins again only with another`;
  throw coded('HM-NODE-NAME-LOST', text, { node: name, token: token.id });
}

async function readToken(files: ClusterFiles, tokenFile: string | undefined): Promise<JoinToken> {
  if (tokenFile === undefined)
    throw coded(
      'HM-CLUSTER-TOKEN',
      'joining needs a token',
      {},
      'Make one on the server of the cluster: hivemind cluster token; write it to a file, and name it: --token-file FILE',
    );
  let text: string;
  try {
    text = await files.readText(tokenFile);
  } catch (thrown) {
    const { code } = thrown as NodeJS.ErrnoException;
    throw coded('HM-CLUSTER-TOKEN', `the token file ${tokenFile} cannot be read: ${code}`, {
      file: tokenFile,
    });
  }
  return parseJoinToken(text, tokenFile);
}

/** What the server tells, and what others ask of an agent. Answers how to ask the server which keys are used. */
function hearServer(
  { clock, debug }: ClusterOptions,
  open: OpenParts,
  { server, departure }: { readonly server: () => ServerPlace; readonly departure: Departure },
): () => void {
  const { onJoin, calls, care } = open;
  const failed = (thrown: unknown): void => debug(`a request failed: ${reasonOf(thrown).message}`);
  onJoin(createJoinDoor({ clock, server: () => server().address, failed }));
  const adopt = (body: unknown): Promise<void> => care.adoptKeys(keysIn(body));
  calls.on('ring.news', async (from, body) => {
    if (from.id !== server().id)
      throw coded('HM-PEER-REFUSED', `${from.name} is not the server of this node`);
    await adopt(body);
    return {};
  });
  const askKeys = (): void => {
    calls
      .call(server(), 'ring.get', {}, { timeoutMs: limits.writeMs })
      .then(adopt)
      .catch((thrown: unknown) => {
        failed(thrown);
        departure.heed(thrown, open);
      });
  };
  calls.onPeer(({ id, what }) => {
    // It may have been told of new keys while there was no connection, or have lost its name.
    if (what === 'made' && id === server().id) askKeys();
  });
  return askKeys;
}

/** Throws HM-GOSSIP-KEY for what are no keys. */
function keysIn(body: unknown): string[] {
  const { keys } = (body ?? {}) as { readonly keys?: unknown };
  const good =
    Array.isArray(keys) &&
    keys.length > 0 &&
    keys.length <= 8 &&
    keys.every((key): key is Uint8Array => key instanceof Uint8Array && key.length === keyBytes);
  if (!good) throw coded('HM-GOSSIP-KEY', 'what the server told are no keys');
  return (keys as Uint8Array[]).map(textOf);
}

function handleOf(parts: Parts, server: () => ServerPlace, departure: Departure): ClusterHandle {
  const { self, calls, membership, care } = parts;
  const elsewhere = (): Promise<never> => {
    const { name, address } = server();
    const where = { server: name, address: `${address.host}:${address.port}` };
    return Promise.reject(coded('HM-CLUSTER-AGENT', `only the server ${name} does this`, where));
  };
  return {
    self,
    calls,
    membership,
    notary: care.notary,
    server,
    care: {
      certificate: () => care.view(),
      gossipKeys: () => care.issued.gossipKeys.map((key) => ringKey(bytesOf(key)).name),
      onEvent: (notify) => parts.onEvent(notify),
      createToken: elsewhere,
      listTokens: elsewhere,
      revokeToken: elsewhere,
      rotateKeys: elsewhere,
      leave: async () => {
        await calls.call(server(), 'join.leave', {}, { timeoutMs: limits.writeMs });
        await departure.leave();
      },
      left: departure.left,
    },
  };
}
