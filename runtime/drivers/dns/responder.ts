/**
 * What becomes of one message, whichever door it came by: an answer from the zone at once, an upstream's answer later,
 * a refusal, or nothing. No sockets.
 *
 * Invariant: nothing that arrives makes it throw; what is no question gets no answer and is counted.
 */
import { answer, zoneOf, type Zone } from '../../../protocols/discovery/answers.ts';
import type { ZoneUpdate } from '../../../protocols/discovery/model.ts';
import type { Forwarder } from './forwarder.ts';
import { decodeQuery, refuse, reply, type Query } from './replies.ts';

/** Since the start. */
export interface NameServerCounts {
  answered: number;
  forwarded: number;
  /** Forwarded and answered by nobody, or too many at once. */
  failed: number;
  malformed: number;
}

export class Responder {
  readonly counts: NameServerCounts = { answered: 0, forwarded: 0, failed: 0, malformed: 0 };
  #zone: Zone = zoneOf({ names: [], clients: [] });
  /** Rotates answers with several addresses; only they turn it, or a client's A and AAAA would keep it in step. */
  #turn = 0;

  update(zone: ZoneUpdate): void {
    this.#zone = zoneOf(zone);
  }

  /** `send` is called once or never; `query` is absent when the question could not be read. */
  handle(
    bytes: Buffer,
    client: string,
    by: 'udp' | 'tcp',
    forwarders: (upstreams: readonly string[] | undefined) => Forwarder,
    send: (answer: Buffer, query?: Query) => void,
  ): void {
    this.#guarded(() => {
      const query = decodeQuery(bytes);
      if (query === 'malformed') return void (this.counts.malformed += 1);
      if ('refusal' in query) return send(refuse(query, query.refusal));
      const { question } = query;
      if (question.class !== 'IN' && question.class !== 'ANY') return send(refuse(query, 'refused'));
      const found = answer(this.#zone, question, client, this.#turn);
      if (found.kind !== 'forward') {
        if (found.kind === 'addresses' && found.addresses.length > 1) this.#turn = (this.#turn + 1) % 0x10000;
        this.counts.answered += 1;
        return send(reply(query, found), query);
      }
      this.counts.forwarded += 1;
      forwarders(found.to).forward(bytes, by, (answered) => {
        if (!answered) this.counts.failed += 1;
        this.#guarded(() => send(answered ?? refuse(query, 'servfail'), query));
      });
    });
  }

  /** The codec may meet what it can read and not write. */
  #guarded(work: () => void): void {
    try {
      work();
    } catch {
      this.counts.malformed += 1;
    }
  }
}
