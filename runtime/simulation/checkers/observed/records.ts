/**
 * What nodes show of each other, as `hivemind ps` and `node ls` would. C1: all that live show the newest records of all
 * that live within the bound, and none of who left. C2: a reader never shows an older version after a newer one. C3: what
 * is shown under a version is what its owner wrote under it.
 */
import { limits } from '../../../../protocols/limits.ts';
import type { Frame } from '../../../../protocols/inspection.ts';
import { isLiving } from '../../../../protocols/membership/model.ts';
import type { MemberChange } from '../../../../protocols/membership/views/view.ts';
import { compareVersions, type SetVersion } from '../../../../protocols/observed/digest.ts';
import type { Records } from '../../../../protocols/observed/model.ts';
import type { ObservedNode, ObservedRecords, ObservedReport } from '../../../../protocols/observed/report.ts';
import { paths } from '../../../../protocols/wire/paths.ts';
import { ClusterChecker, type ClusterSight, type NodeSight } from '../checker.ts';

/** One comparison with everybody, and what is asked for then. */
export const shownWithinMs = limits.recordsCompareMs + limits.recordsPullMs;

/** Who left is forgotten when the actor hears of it; who is dead after a while, when it looks at all members. */
const goneWithinMs = { left: 5_000, dead: limits.recordsDeadMs + 2 * limits.recordsCompareMs } as const;

const textOf = ({ boot, sequence }: SetVersion): string => `${boot}.${sequence}`;

type ShownNode = ObservedNode & { readonly records: ObservedRecords };
const withRecords = (node: ObservedNode): node is ShownNode => node.records !== undefined;

/** Told what a node shows of all: `at` is the reader. */
abstract class ShownChecker extends ClusterChecker {
  abstract shown(report: ObservedReport, at: NodeSight): void;
}

export class VersionsRise extends ShownChecker {
  readonly name = 'C2';
  /** By reader and owner, of one life of the reader's actor. */
  readonly #newest = new Map<string, SetVersion>();

  override onFrame({ type, path }: Frame, { node }: NodeSight): void {
    if (type !== 'actor.started' || path !== paths.observed) return;
    for (const key of this.#newest.keys()) if (key.startsWith(`${node} `)) this.#newest.delete(key);
  }

  shown({ nodes }: ObservedReport, { node }: NodeSight): void {
    for (const { id, name, records } of nodes.filter(withRecords)) {
      const key = `${node} ${id}`;
      const before = this.#newest.get(key);
      const { version } = records;
      const order = before ? compareVersions(version, before) : 1;
      if (order < 0) this.fail(`${node} shows ${name} as of ${textOf(version)} after ${textOf(before!)}`);
      if (order === 0) continue;
      if (before) this.exercised += 1;
      this.#newest.set(key, version);
    }
  }
}

interface Written extends SetVersion {
  readonly atMs: number;
  readonly content: string;
}

export class AsWritten extends ShownChecker {
  readonly name = 'C3';
  /** By node: what it is about to sign. */
  readonly #signing = new Map<string, SetVersion & { readonly records: Records }>();
  /** By owner, newest last. Where a journal was cut two of one version may be among them. */
  readonly #written = new Map<string, Written[]>();
  /** By reader and owner: the version that was looked at last. */
  readonly #looked = new Map<string, string>();

  newest(id: string): Written | undefined {
    return this.#written.get(id)?.at(-1);
  }

  override onFrame(frame: Frame, at: NodeSight): void {
    if (frame.path !== paths.observed || !('effects' in frame)) return;
    for (const effect of frame.effects) {
      if (effect.do !== 'drive') continue;
      const { call } = effect;
      if (call.port === 'seals' && call.op === 'seal') this.#signing.set(at.node, call.args);
      // Signed: its digest is told.
      if (call.port === 'peers' && call.op === 'tell' && call.args.digest.id === at.identity())
        this.#note(at, call.args.digest);
    }
  }

  #note({ node, identity }: NodeSight, version: SetVersion): void {
    const signing = this.#signing.get(node);
    if (!signing || compareVersions(signing, version) !== 0) return;
    this.#signing.delete(node);
    const { boot, sequence, records } = signing;
    const written = { boot, sequence, atMs: this.sight.nowMs(), content: contentOf(records) };
    const own = this.#written.get(identity());
    if (own) own.push(written);
    else this.#written.set(identity(), [written]);
  }

  shown({ nodes }: ObservedReport, { node }: NodeSight): void {
    for (const { id, name, records } of nodes.filter(withRecords)) {
      const key = `${node} ${id}`;
      const version = textOf(records.version);
      if (this.#looked.get(key) === version) continue;
      this.#looked.set(key, version);
      this.exercised += 1;
      const written = this.#written.get(id)?.filter((one) => textOf(one) === version) ?? [];
      if (written.length === 0) this.fail(`${node} shows ${name} as of ${version}, which it never wrote`);
      const content = shownContent(records);
      if (written.some((one) => one.content === content)) continue;
      const [more, less] = [differing(content, written[0]!.content), differing(written[0]!.content, content)];
      this.fail(
        `${node} shows of ${name} as of ${version} ${more || 'nothing'} in place of ${less || 'nothing'}`,
      );
    }
  }
}

/** Every value, in an order of its own. */
const contentOf = (records: Records): string =>
  linesOf(
    Object.entries(records).flatMap(([key, { value }]) =>
      /^(?:facts|resources|(?:container|endpoint)\/.*)$/.test(key) ? [value] : [],
    ),
  );

const shownContent = ({ facts, resources, containers, endpoints }: ObservedRecords): string =>
  linesOf([facts, resources, ...containers, ...endpoints].filter((value) => value !== undefined));

const linesOf = (values: readonly unknown[]): string =>
  values
    .map((value) => JSON.stringify(value))
    .sort()
    .join('\n');

/** The first line that the other one does not have. */
const differing = (content: string, other: string): string =>
  content
    .split('\n')
    .find((line) => !other.split('\n').includes(line))
    ?.slice(0, 200) ?? '';

/** It runs, and has not said farewell. */
const staysIn = ({ membership }: NodeSight): boolean => membership()?.members()[0]?.status === 'alive';

const knowsNobody = ({ membership }: NodeSight): boolean => (membership()?.members().length ?? 0) <= 1;

export class NewestShown extends ShownChecker {
  readonly name = 'C1';
  readonly #written: AsWritten;
  /** By node: when its records were last begun anew, in the middle of a life too. */
  readonly #begunMs = new Map<string, number>();
  /** By reader and member: since when its membership has it for gone. */
  readonly #gone = new Map<string, { readonly status: 'left' | 'dead'; readonly sinceMs: number }>();

  constructor(sight: ClusterSight, written: AsWritten) {
    super(sight);
    this.#written = written;
  }

  override onBoot({ node }: NodeSight): void {
    for (const key of this.#gone.keys()) if (key.startsWith(`${node} `)) this.#gone.delete(key);
  }

  override onFrame({ type, path }: Frame, { node }: NodeSight): void {
    if (type === 'actor.started' && path === paths.observed) this.#begunMs.set(node, this.sight.nowMs());
  }

  override onMember({ member: { id, status } }: MemberChange, { node }: NodeSight): void {
    const key = `${node} ${id}`;
    if (status !== 'left' && status !== 'dead') this.#gone.delete(key);
    else if (this.#gone.get(key)?.status !== status)
      this.#gone.set(key, { status, sinceMs: this.sight.nowMs() });
  }

  shown({ nodes }: ObservedReport, at: NodeSight): void {
    const now = this.sight.nowMs();
    for (const { id, name, records } of nodes) {
      const gone = this.#gone.get(`${at.node} ${id}`);
      if (!gone || !records || now - gone.sinceMs < goneWithinMs[gone.status]) continue;
      this.fail(`${at.node} shows ${name}, which is ${gone.status} for ${now - gone.sinceMs} ms`);
    }
    const calmSinceMs = Math.max(this.sight.calmSinceMs() ?? Infinity, this.sight.stormEndedMs());
    const readerUpMs = at.upSinceMs();
    if (readerUpMs === undefined || !staysIn(at)) return;
    const readSinceMs = Math.max(readerUpMs, this.#begunMs.get(at.node) ?? 0);
    for (const owner of this.sight.nodes.filter(staysIn)) {
      const newest = this.#written.newest(owner.identity());
      const upSinceMs = owner.upSinceMs();
      if (!newest || upSinceMs === undefined) continue;
      // Whose times are too far apart say nothing to each other. Who knows nobody yet hears of all from the first server.
      const between = [owner, at, ...([owner, at].some(knowsNobody) ? this.sight.nodes.slice(0, 1) : [])];
      const offs = between.map(({ clockOffMs }) => clockOffMs());
      if (Math.max(...offs) - Math.min(...offs) > limits.clusterSkewMs - 1_000) continue;
      const clocksSetMs = Math.max(...between.map(({ clockSetMs }) => clockSetMs()));
      const sinceMs = Math.max(calmSinceMs, readSinceMs, upSinceMs, newest.atMs, clocksSetMs);
      if (now - sinceMs < shownWithinMs) continue;
      const shown = nodes.find(({ id }) => id === owner.identity());
      this.#compare(owner, newest, shown, at);
    }
  }

  #compare(owner: NodeSight, newest: SetVersion, shown: ObservedNode | undefined, at: NodeSight): void {
    if (owner !== at) this.exercised += 1;
    const version = shown?.records?.version;
    // Where packets are lost, one that lives is suspected for a moment now and then.
    if (shown && isLiving(shown) && version && compareVersions(version, newest) === 0) return;
    const as = `${shown?.status ?? 'not at all'}, as of ${version ? textOf(version) : 'never'}`;
    this.fail(
      `${at.node} shows ${owner.node} ${as}, and ${textOf(newest)} stands for ${shownWithinMs} calm ms`,
    );
  }
}
