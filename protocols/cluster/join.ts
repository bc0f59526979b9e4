/**
 * What a node asks for when it joins, and what it is given. JSON over HTTPS: the one exchange of the cluster port that
 * needs no certificate. Both ends check what they get by these forms.
 */
import { z } from 'zod';
import { limits } from '../limits.ts';

export const joinPath = '/v1/join';

const name = z
  .string()
  .regex(/^[a-z0-9](?:[a-z0-9-]*[a-z0-9])?$/)
  .max(limits.nameChars);
const address = z.strictObject({ host: z.string().min(1).max(253), port: z.int().min(1).max(65_535) });
const pem = z.string().max(8_192);
const bytes = z.base64().max(1_024);
const time = z.number();

export const joinRequest = z.strictObject({
  token: z.strictObject({ id: z.string().max(64), secret: z.string().max(128) }),
  name,
  /** A certificate request of the node's key, PEM. */
  request: pem,
  address,
  zone: z.string().max(limits.nameChars),
  labels: z.record(z.string().max(253), z.string().max(253)).refine((all) => Object.keys(all).length <= 64),
  /** The joiner's wall time, ms since 1970. */
  now: time,
});
export type JoinRequest = z.output<typeof joinRequest>;

/** Renewed by the same: what a certificate's term is bound to. */
export const issued = z.strictObject({
  /** The node's own, PEM. */
  certificate: pem,
  /** The authority's, PEM. */
  authority: pem,
  /** For what the node says of itself in gossip. */
  credential: bytes,
  /** Secrets of the gossip's keys, the first for sending. */
  gossipKeys: z.array(bytes).min(1).max(8),
});
export type Issued = z.output<typeof issued>;

const server = z.strictObject({ id: z.string().regex(/^[0-9a-f]{32}$/), name, address });
export type ServerPlace = z.output<typeof server>;

export const joinAnswer = issued.extend({
  label: z.string().min(1).max(64),
  server,
  /** Where else the cluster may be found. */
  peers: z.array(address).max(limits.clusterSeeds),
});
export type JoinAnswer = z.output<typeof joinAnswer>;

/** What a node of the cluster says when its certificate is to be renewed, or its address is another one. */
export const renewRequest = z.strictObject({
  request: pem,
  address,
  zone: z.string().max(limits.nameChars),
  now: time,
});
export type RenewRequest = z.output<typeof renewRequest>;
