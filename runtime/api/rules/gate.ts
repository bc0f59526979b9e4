/**
 * Who may pass a door, and what they may ask. The unix socket is a lock by its mode: who opens it is `socket` and may
 * do everything. On TCP the token says who it is.
 */
import { coded } from '../../../protocols/errors.ts';
import type { Scope } from '../../../protocols/security/tokens.ts';
import type { Identity } from '../context.ts';
import type { Rates } from './rates.ts';

/** Asked of every request and every upgrade of one door. */
export interface Gate {
  /** The `Authorization` header's owner, or HM-API-TOKEN. */
  admit(authorization: string | undefined): Identity;
}

const everything: Identity = { name: 'socket', scope: 'admin' };

export const openGate: Gate = { admit: () => everything };

const ranks: Readonly<Record<Scope, number>> = { read: 0, write: 1, admin: 2 };

interface Asked {
  /** `tcp`, `socket` */
  readonly door: string;
  /** Its address, where the door knows one. */
  readonly client: string;
  readonly authorization: string | undefined;
  readonly isChange: boolean;
}

/**
 * Who asks, within the rate that each token of an address has: one that asks too much costs the others nothing. Who
 * has none shares that of its address. HM-API-TOKEN, HM-API-BUSY.
 */
export function admitted(gate: Gate, rates: Rates, asked: Asked): Identity {
  const { door, client, authorization, isChange } = asked;
  let identity: Identity;
  try {
    identity = gate.admit(authorization);
  } catch (thrown) {
    rates.take(`${door} ${client}`, isChange);
    throw thrown;
  }
  rates.take(`${door} ${client} ${identity.name}`, isChange);
  return identity;
}

/** HM-API-SCOPE when the token allows less. */
export function assertScope({ name, scope }: Identity, needed: Scope): void {
  if (ranks[scope] >= ranks[needed]) return;
  throw coded('HM-API-SCOPE', `${name} may ${scope}; this needs ${needed}`, { token: name, scope, needed });
}
