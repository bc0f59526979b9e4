/**
 * How an agent ceases to be a member while it runs: it is told to leave, or another identity has its name. Either way it
 * says so in the gossip, and what the cluster gave it is of no use any more. Its containers are not touched.
 */
import { X509Certificate } from 'node:crypto';
import { reasonOf, type Reason } from '../../../protocols/errors.ts';
import { limits } from '../../../protocols/limits.ts';
import { termOf } from '../../../transport/secure/tls-identity.ts';
import { readGiven, writeGiven } from '../given-file.ts';
import type { NodeIdentity } from '../identity-file.ts';
import type { ClusterOptions, OpenParts, Parts } from './parts.ts';
import { givenPath } from './places.ts';

type Options = Pick<ClusterOptions, 'files' | 'folder' | 'debug'>;

export class Departure {
  readonly #options: Options;
  readonly #identity: NodeIdentity;
  #end!: (because: Reason | undefined) => void;
  readonly left = new Promise<Reason | undefined>((resolve) => (this.#end = resolve));
  #parts: Pick<Parts, 'care' | 'membership'> | undefined;
  #because: Reason | undefined;

  constructor(options: Options, identity: NodeIdentity) {
    this.#options = options;
    this.#identity = identity;
  }

  /** There is a membership to leave. */
  opened(parts: Pick<Parts, 'care' | 'membership'>): void {
    this.#parts = parts;
    if (this.#because) void this.#lose(this.#because);
  }

  /** The name is given back, and nothing is kept: as if it had never joined. */
  async leave(): Promise<void> {
    await this.#parts!.care.stop();
    await this.#options.files.remove(givenPath(this.#options.folder));
    await this.#farewell();
    this.#end(undefined);
  }

  /** What the server refused this node with. */
  heed(thrown: unknown, { care, tell, self }: Pick<OpenParts, 'care' | 'tell' | 'self'>): void {
    const because = reasonOf(thrown);
    if (this.#because || !isNameLost(because, care.issued.certificate)) return;
    this.#because = because;
    const message = `${self.name} is no member any more, and ends: ${because.message}`;
    tell({ type: 'cluster.name-lost', subject: self.name, level: 'error', message, reason: because });
    if (this.#parts) void this.#lose(because);
  }

  async #lose(because: Reason): Promise<void> {
    await this.#parts!.care.stop();
    // Where it cannot be written, the next start hears it from the server again.
    await this.#forsake(because.message).catch((thrown: unknown) => this.#failed(thrown));
    await this.#farewell();
    this.#end(because);
  }

  /** After what is kept is settled: others find out by themselves that a node is gone, and a disk does not. */
  async #farewell(): Promise<void> {
    await this.#parts!.membership.leave().catch((thrown: unknown) => this.#failed(thrown));
  }

  #failed(thrown: unknown): void {
    this.#options.debug(`leaving failed: ${reasonOf(thrown).message}`);
  }

  /** A folder without it is of a node that begins a cluster of its own, with none of the apps that run here. */
  async #forsake(nameLost: string): Promise<void> {
    const { files, folder } = this.#options;
    const given = await readGiven(files, givenPath(folder), this.#identity);
    if (given) await writeGiven(files, givenPath(folder), { ...given, nameLost });
  }
}

/**
 * Whether another identity took the name over since this node's certificate was made. A server whose store is of before
 * that names who had the name once: that one joined earlier, and the node stays. So it does where the server does not know
 * the name at all.
 */
function isNameLost({ code, evidence: { joinedAt } }: Reason, certificate: string): boolean {
  // It begins a little before it was made.
  const madeAt = termOf(new X509Certificate(certificate))[0] + limits.clusterSkewMs;
  return code === 'HM-NODE-NAME-LOST' && typeof joinedAt === 'number' && joinedAt >= madeAt;
}
