/**
 * Named tokens: made, listed and revoked by the API, kept in the store as hashes. Every door has all of them in memory
 * and follows the store, so that a token is judged without waiting and one that was revoked ends at once.
 */
import { createHash } from 'node:crypto';
import { coded } from '../../../protocols/errors.ts';
import { limits } from '../../../protocols/limits.ts';
import type { Call } from '../../../protocols/ports.ts';
import {
  isExpired,
  tokenView,
  type Scope,
  type TokenRecord,
  type TokenView,
} from '../../../protocols/security/tokens.ts';
import { keys } from '../../../protocols/state/keys.ts';
import type { WatchNotice } from '../../../protocols/state/model.ts';
import type { NodeHandle } from '../../node-handle.ts';
import type { Identity } from '../context.ts';
import { bearerOf } from '../token.ts';
import type { Gate } from './gate.ts';

const hashOf = (token: string): string => createHash('sha256').update(token).digest('hex');
const tokenBytes = 32;

export class Tokens {
  readonly #node: NodeHandle;
  #byHash = new Map<string, TokenRecord>();
  #stop: () => void = () => {};
  #timer: unknown;
  #closed = false;

  constructor(node: NodeHandle) {
    this.#node = node;
  }

  /** A gate that knows these tokens besides what `root` admits. */
  gate(root: Gate): Gate {
    return { admit: (authorization) => this.#named(authorization) ?? root.admit(authorization) };
  }

  #named(authorization: string | undefined): Identity | undefined {
    if (this.#byHash.size === 0) return undefined;
    const token = bearerOf(authorization);
    const record = this.#byHash.get(hashOf(token));
    if (!record) return undefined;
    const { name, scope } = record;
    if (isExpired(record, this.#node.clock.now()))
      throw coded('HM-API-TOKEN-EXPIRED', `The token ${name} has expired`, { token: name });
    return { name: `token ${name}`, scope };
  }

  /** Reads all and follows the store. Until it answers, only the root token opens; it is tried again by itself. */
  async follow(): Promise<void> {
    // They are the cluster's, and an agent does not have them: its root token alone opens.
    if (this.#closed || this.#node.cluster?.self.role === 'agent') return;
    try {
      const call = { key: 'tokens', signal: new AbortController().signal };
      const { kvs, position } = await this.#node.ports.store.list({ prefix: keys.tokens }, call);
      if (this.#closed) return;
      this.#byHash = new Map(
        kvs.map(({ value }) => [(value as TokenRecord).hash, value as TokenRecord] as const),
      );
      this.#stop = this.#node.ports.store.watch({ prefix: keys.tokens, after: position }, (notice) =>
        this.#notice(notice),
      );
    } catch {
      this.#again();
    }
  }

  #again(): void {
    this.#timer = this.#node.clock.setTimer(limits.retryMs, () => void this.follow());
  }

  #notice(notice: WatchNotice): void {
    if (notice.type !== 'changed') return this.#again();
    for (const event of notice.events) {
      const name = (event.type === 'put' ? event.kv.key : event.key).slice(keys.tokens.length);
      this.#forget(name);
      if (event.type === 'put') this.#remember(event.kv.value as TokenRecord);
    }
  }

  #remember(record: TokenRecord): void {
    this.#byHash.set(record.hash, record);
  }

  #forget(name: string): void {
    for (const [hash, record] of this.#byHash) if (record.name === name) this.#byHash.delete(hash);
  }

  /** The token is answered here and never again. HM-TOKEN-EXISTS, HM-STORE-LIMIT. */
  async create(
    wish: { readonly name: string; readonly scope: Scope; readonly expiresInS?: number },
    call: Call,
  ): Promise<TokenView & { readonly token: string }> {
    const { clock, random, ports } = this.#node;
    if (this.#byHash.size >= limits.apiTokens)
      throw coded(
        'HM-STORE-LIMIT',
        `There are ${limits.apiTokens} tokens`,
        { limit: limits.apiTokens },
        'Revoke some: hivemind token ls',
      );
    const now = clock.now();
    const token = `hmt_${random.hex(tokenBytes)}`;
    const { name, scope, expiresInS } = wish;
    const record: TokenRecord = {
      name,
      scope,
      hash: hashOf(token),
      createdAt: now,
      ...(expiresInS === undefined ? {} : { expiresAt: now + expiresInS * 1_000 }),
    };
    const key = keys.token(name);
    const { succeeded } = await ports.store.txn(
      {
        requestId: call.key,
        compare: [{ key, field: 'createRevision', equals: 0 }],
        then: [{ op: 'put', key, value: record }],
      },
      call,
    );
    if (!succeeded) throw coded('HM-TOKEN-EXISTS', `There is a token ${name}`, { token: name });
    this.#remember(record);
    return { ...tokenView(record, now), token };
  }

  async list(call: Call): Promise<readonly TokenView[]> {
    const { kvs } = await this.#node.ports.store.list({ prefix: keys.tokens }, call);
    const now = this.#node.clock.now();
    return kvs.map(({ value }) => tokenView(value as TokenRecord, now));
  }

  /** HM-TOKEN-UNKNOWN. */
  async revoke(name: string, call: Call): Promise<void> {
    const key = keys.token(name);
    const { kv } = await this.#node.ports.store.get({ key }, call);
    if (!kv) throw coded('HM-TOKEN-UNKNOWN', `There is no token ${name}`, { token: name });
    await this.#node.ports.store.txn(
      { requestId: call.key, compare: [], then: [{ op: 'delete', key }] },
      call,
    );
    this.#forget(name);
  }

  close(): void {
    this.#closed = true;
    this.#stop();
    this.#node.clock.clearTimer(this.#timer);
  }
}
