/**
 * Who brings machines to the cluster: makes tokens at the server, puts them on the machines, another one where one was
 * refused, and makes a machine anew whose place in the cluster is lost. As a person does it: one after the other, and again
 * when it did not work.
 */
import type { Reason } from '../../../../protocols/errors.ts';
import type { MemberRecord } from '../../../../protocols/cluster/rows.ts';
import { keys } from '../../../../protocols/state/keys.ts';
import { givenPath } from '../../../cluster/opening/places.ts';
import { clusterFolder, tokenPath } from '../../../world/simulated/joined-cluster.ts';
import type { SimulatedWorld } from '../../../world/simulated/simulated-world.ts';
import type { NodeRun } from '../../node/node-run.ts';
import type { TokenKind } from '../../plans/cluster-plan.ts';

const ttlMs = 600_000;
/** Refusals that are of what the machine was, or of who has its name. */
const byName: readonly unknown[] = ['HM-CLUSTER-CERTIFICATE', 'HM-NODE-NAME-LOST', 'HM-NODE-NAME-TAKEN'];
/** Refusals that another token changes. */
const byToken: readonly unknown[] = ['HM-CLUSTER-TOKEN', 'HM-CLUSTER-FOREIGN'];

export class Registrar {
  readonly #world: SimulatedWorld;
  readonly #nodes: readonly NodeRun[];
  /** By name: what is wrong with the next token. */
  readonly #next = new Map<string, TokenKind>();
  /** By name: what is wrong with the one it has, and the server's wall time when it was made. */
  readonly #given = new Map<string, { readonly kind: TokenKind; readonly at: number }>();
  /** By name: the refusal for which it was made anew. It stands until the machine has come up, or was refused again. */
  readonly #heeded = new Map<string, Reason>();
  readonly #rows: () => ReadonlyMap<string, unknown>;
  #busy = false;
  /** From then on everybody is to be in. */
  healed = false;

  constructor(
    world: SimulatedWorld,
    nodes: readonly NodeRun[],
    { tokens, rows }: { readonly tokens: readonly TokenKind[]; rows: () => ReadonlyMap<string, unknown> },
  ) {
    this.#world = world;
    this.#nodes = nodes;
    this.#rows = rows;
    for (const [index, kind] of tokens.entries()) this.#next.set(`n${index + 2}`, kind);
  }

  /** The token that lies on that machine lets nobody in. */
  badTokenOf(name: string): TokenKind | undefined {
    const given = this.#given.get(name);
    if (!given || given.kind === 'good') return undefined;
    // By a clock that was set back since it has not expired yet.
    const isYoung = given.kind === 'expired' && this.#first.place.time.now() <= given.at;
    return isYoung ? undefined : given.kind;
  }

  /** Now and then. */
  look(): void {
    if (this.#busy) return;
    const agents = this.#nodes.slice(1);
    const lost = this.healed && agents.find((node) => this.#isLost(node));
    const next = lost || agents.find(needsToken);
    if (!next) return;
    this.#busy = true;
    void this.#bring(next, Boolean(lost)).finally(() => (this.#busy = false));
  }

  /** It runs as somebody whose name is another's, or nobody's, or whose certificate is over. */
  #isLost({ place, life }: NodeRun): boolean {
    if (life.refusal !== this.#heeded.get(place.name) && byName.includes(life.refusal?.code)) return true;
    if (!life.node) return false;
    const row = this.#rows().get(keys.member(place.name)) as MemberRecord | undefined;
    const until = place.cluster?.care?.certificate().until ?? Infinity;
    return row?.id !== place.id || until <= place.time.now();
  }

  async #bring({ place, life }: NodeRun, anew: boolean): Promise<void> {
    const kind = this.#next.get(place.name) ?? 'good';
    const token = await this.#first.life.during(() => this.#make(kind)).catch(() => undefined);
    if (token === undefined) return;
    this.#next.delete(place.name);
    this.#given.set(place.name, { kind, at: this.#first.place.time.now() });
    place.disk.put(tokenPath, token);
    if (!anew) return;
    if (life.refusal) this.#heeded.set(place.name, life.refusal);
    place.disk.take(givenPath(clusterFolder));
    await this.#release(place.name, place.id);
    life.kill(0, 500);
  }

  /** The name of a machine that is made anew, when somebody else holds it. */
  async #release(name: string, id: string): Promise<void> {
    const key = keys.member(name);
    const row = this.#rows().get(key) as MemberRecord | undefined;
    if (row === undefined || row.id === id) return;
    const call = { key: 'release', signal: new AbortController().signal };
    const requestId = `release ${name} ${row.id}`;
    await this.#world.memory.txn({ requestId, compare: [], then: [{ op: 'delete', key }] }, call);
  }

  /** A token as a good one is printed, or one with a flaw. */
  async #make(kind: TokenKind): Promise<string | undefined> {
    const care = this.#first.place.cluster?.care;
    if (!care) return undefined;
    const wish = { ttlMs: kind === 'expired' ? 1 : ttlMs, uses: kind === 'spent' ? 0 : 1 };
    const { token, id } = await care.createToken(wish);
    if (kind === 'revoked') await care.revokeToken(id);
    if (kind === 'garbled') return token.slice(0, -2);
    return kind === 'foreign' ? token.replace(/^hm1\.[^.]+/, `hm1.${'A'.repeat(43)}`) : token;
  }

  get #first(): NodeRun {
    return this.#nodes[0]!;
  }
}

const needsToken = ({ place, life }: NodeRun): boolean =>
  !place.disk.has(tokenPath) || byToken.includes(life.refusal?.code);
