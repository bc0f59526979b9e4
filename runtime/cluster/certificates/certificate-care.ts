/**
 * A node's certificate while it runs: shown at every connection, renewed at two thirds of its term without a restart, tried
 * again for ever. Who holds something made of it is told of the new one.
 */
import { X509Certificate } from 'node:crypto';
import type { Issued } from '../../../protocols/cluster/join.ts';
import { renewalDelay, renewalRetry } from '../../../protocols/cluster/terms.ts';
import type { NodeEvent } from '../../../protocols/effects.ts';
import { coded, reasonOf, type Reason } from '../../../protocols/errors.ts';
import { limits } from '../../../protocols/limits.ts';
import type { Notary } from '../../../protocols/membership/model.ts';
import type { Clock, Random } from '../../../protocols/ports.ts';
import { createNotary } from '../../../transport/secure/notary.ts';
import { peerOf, termOf, type TlsIdentity } from '../../../transport/secure/tls-identity.ts';
import { requestCertificate } from './authority.ts';
import type { CertificateView } from '../handle.ts';
import type { NodeIdentity } from '../identity-file.ts';

export interface CertificateCareOptions {
  readonly identity: NodeIdentity;
  readonly name: string;
  readonly label: string;
  readonly issued: Issued;
  readonly clock: Clock;
  readonly random: Random;
  /** Asks for a certificate by this request (PEM). */
  readonly renew: (request: string) => Promise<Issued>;
  /** It is used by all that is made of it, and then kept. Tried again, with the same, where it rejects. */
  readonly renewed: (issued: Issued) => Promise<void>;
  readonly tell: (event: NodeEvent) => void;
}

export class CertificateCare {
  readonly #options: CertificateCareOptions;
  #issued: Issued;
  #notary: Notary;
  /** Of the certificate, ms since 1970. */
  #term: readonly [number, number];
  #timer: unknown;
  /** In use everywhere, and on the disk. */
  #kept: Issued;
  #keeping: Promise<void> = Promise.resolve();
  #failures = 0;
  #unrenewed: Reason | undefined;
  #stopped = false;

  constructor(options: CertificateCareOptions) {
    this.#options = options;
    this.#issued = options.issued;
    this.#kept = options.issued;
    this.#notary = this.#makeNotary();
    this.#term = termOf(new X509Certificate(options.issued.certificate));
  }

  get issued(): Issued {
    return this.#issued;
  }

  tls(): TlsIdentity {
    const { identity, label } = this.#options;
    const { certificate, authority } = this.#issued;
    return {
      key: identity.key.export({ format: 'pem', type: 'pkcs8' }).toString(),
      certificate: `${certificate}\n${authority}`,
      authorities: [authority],
      label,
    };
  }

  /** Of whatever certificate there is at the time. */
  readonly notary: Notary = {
    seal: (...args) => this.#notary.seal(...args),
    open: (...args) => this.#notary.open(...args),
  };

  view(): CertificateView {
    const [from, until] = this.#term;
    return { from, until, ...(this.#unrenewed ? { unrenewed: this.#unrenewed } : {}) };
  }

  /** Renews when it is due, from now on; also `now`, when the cluster is to know something new of this node. */
  start(now = false): void {
    if (now) this.#after(0, () => this.#try());
    else this.#wait();
  }

  /** Nothing new is taken from now on. Resolves when nothing is being kept any more. */
  async stop(): Promise<void> {
    this.#stopped = true;
    this.#options.clock.clearTimer(this.#timer);
    await this.#keeping.catch(() => undefined);
  }

  /** Now. Rejects when it could not; whoever calls it decides what then. */
  async renew(): Promise<void> {
    const { identity, name, label, clock } = this.#options;
    const before = this.#issued.gossipKeys;
    const issued = await this.#options.renew(await requestCertificate(identity.key, name));
    const told = peerOf(new X509Certificate(issued.certificate), { label, now: clock.now() });
    if (told.id !== identity.id || told.name !== name)
      throw coded('HM-CLUSTER-CERTIFICATE', `the new certificate is not one of ${name}`);
    if (this.#stopped) return;
    // What came meanwhile was told to everybody, and is of later than what the answer was made of.
    const { gossipKeys } = this.#issued;
    await this.#adopt(gossipKeys === before ? issued : { ...issued, gossipKeys });
  }

  /** From now on with these keys of the gossip. Resolves when they are in use and kept, though it was told them before. */
  adoptKeys(gossipKeys: readonly string[]): Promise<void> {
    const isKnown = String(gossipKeys) === String(this.#issued.gossipKeys);
    return this.#adopt(isKnown ? this.#issued : { ...this.#issued, gossipKeys: [...gossipKeys] });
  }

  async #adopt(issued: Issued): Promise<void> {
    this.#requireRunning();
    const isNew = issued.certificate !== this.#issued.certificate;
    this.#issued = issued;
    if (isNew) {
      this.#notary = this.#makeNotary();
      this.#term = termOf(new X509Certificate(issued.certificate));
    }
    // One after the other: of two that are written at the same time the former might be what is left.
    const keep = async (): Promise<void> => {
      this.#requireRunning();
      const newest = this.#issued;
      if (this.#kept === newest) return;
      await this.#options.renewed(newest);
      this.#kept = newest;
    };
    this.#keeping = this.#keeping.then(keep, keep);
    await this.#keeping;
  }

  /** Who has left, or lost its name, would write down again what it was given. */
  #requireRunning(): void {
    if (this.#stopped)
      throw coded('HM-PEER-REFUSED', `the node ${this.#options.name} ends, and takes no keys`);
  }

  /** Timers know nothing of a clock that is set meanwhile: when it is due is looked up again and again. */
  #wait(): void {
    const delay = renewalDelay(this.#term, this.#options.clock.now());
    if (delay <= limits.clockLookMs) this.#after(delay, () => this.#try());
    else this.#after(limits.clockLookMs, () => this.#wait());
  }

  #after(ms: number, run: () => unknown): void {
    const { clock } = this.#options;
    clock.clearTimer(this.#timer);
    if (!this.#stopped) this.#timer = clock.setTimer(ms, () => void run());
  }

  async #try(): Promise<void> {
    const { name, random, tell } = this.#options;
    try {
      await this.renew();
      this.#failures = 0;
      this.#unrenewed = undefined;
      const message = `the certificate of ${name} is renewed`;
      tell({ type: 'cluster.renewed', subject: name, level: 'info', message });
      this.#wait();
    } catch (thrown) {
      if (this.#stopped) return;
      const because = reasonOf(thrown);
      // Once a cause: tries come every few minutes, for days.
      if (this.#unrenewed?.code !== because.code)
        tell({
          type: 'cluster.unrenewed',
          subject: name,
          level: 'warning',
          message: `the certificate of ${name} is not renewed: ${because.message}`,
          reason: because,
        });
      this.#unrenewed = because;
      this.#after(renewalRetry(this.#failures++, random.next()), () => this.#try());
    }
  }

  #makeNotary(): Notary {
    const { identity, label, clock } = this.#options;
    const { credential, authority } = this.#issued;
    return createNotary({
      label,
      credential: Uint8Array.from(Buffer.from(credential, 'base64')),
      key: identity.key,
      authorities: [new X509Certificate(authority).publicKey],
      now: () => clock.now(),
    });
  }
}
