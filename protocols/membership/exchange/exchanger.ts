/**
 * Two nodes bring what they hold of all members together, over a stream: first hashes, then what differs, in as many
 * requests as that takes. The asking side leads; the other answers each request from what it holds at that moment and
 * remembers nothing. An exchange that breaks off has done what it did; the next one does the rest.
 */
import { wordsOf } from '../claims/precedence.ts';
import type { Desk } from '../desk.ts';
import { claimsAbout, hear } from '../judge.ts';
import type { MemberAddress, NodeId } from '../model.ts';
import {
  claimsBytes,
  comparedOf,
  countFitting,
  givenOf,
  packCompare,
  packCompared,
  packGive,
  packGiven,
  requestOf,
  type ExchangeRequest,
} from './bodies.ts';
import { bucketOf, bucketsFor, compareLines, differences, digestOf, hashBytes, type Line } from './digest.ts';

interface Conversation {
  readonly to: MemberAddress;
  readonly id: NodeId | undefined;
  readonly salt: number;
  readonly buckets: number;
  requests: number;
  /** Of members up to this id all is compared. */
  after: string;
  /** Where the comparison goes on once give and want are empty; `undefined` at its end. */
  next: string | undefined;
  /** Members of which the other lacks something, and of which we do. */
  give: NodeId[];
  want: NodeId[];
  /** Asked for in the request under way; `undefined` while comparing. */
  asked: number | undefined;
}

/** Conversations under way; when one more begins, the oldest is given up: its answer did not come. */
const mostConversations = 32;
/** Requests of one: a cluster of 10,000 of which nothing is known takes a hundred. */
const mostRequests = 512;
/** Members asked for in one request: about as many as one answer has room for. */
const mostWanted = 256;

export class Exchanger {
  readonly #desk: Desk;
  readonly #open = new Map<number, Conversation>();
  #last = 0;

  constructor(desk: Desk) {
    this.#desk = desk;
  }

  begin(to: MemberAddress, id?: NodeId): void {
    const { random, size } = this.#desk;
    const [oldest] = this.#open.keys();
    if (this.#open.size >= mostConversations) this.#open.delete(oldest!);
    const exchange = ++this.#last;
    const conversation: Conversation = {
      to,
      id,
      salt: Math.floor(random.next() * 2 ** 32),
      buckets: bucketsFor(size),
      requests: 0,
      after: '',
      next: undefined,
      give: [],
      want: [],
      asked: undefined,
    };
    this.#open.set(exchange, conversation);
    this.#compare(exchange, conversation);
  }

  /** The other side. No answer to what is not in form. */
  asked(body: unknown): void {
    const desk = this.#desk;
    const request = requestOf(body);
    if (!request) desk.counts.refused += 1;
    else
      desk.effect({
        kind: 'answer',
        body: request.kind === 'compare' ? this.#compared(request) : this.#given(request),
      });
  }

  answered(exchange: number, from: NodeId, body: unknown): void {
    const conversation = this.#open.get(exchange);
    if (!conversation) return;
    const good =
      conversation.asked === undefined
        ? this.#takeCompared(conversation, from, body)
        : this.#takeGiven(conversation, conversation.asked, body);
    if (!good) this.#desk.counts.refused += 1;
    if (good && conversation.requests < mostRequests) this.#goOn(exchange, conversation);
    else this.#open.delete(exchange);
  }

  #goOn(exchange: number, conversation: Conversation): void {
    const { give, want, next } = conversation;
    if (give.length > 0 || want.length > 0) this.#give(exchange, conversation);
    else if (next === undefined) this.#open.delete(exchange);
    else {
      conversation.after = next;
      this.#compare(exchange, conversation);
    }
  }

  #compare(exchange: number, conversation: Conversation): void {
    const { salt, buckets, after } = conversation;
    conversation.asked = undefined;
    this.#request(exchange, conversation, packCompare(salt, digestOf(this.#lines(), salt, buckets), after));
  }

  #give(exchange: number, conversation: Conversation): void {
    const { give, want } = conversation;
    const claims = give.map((id) => claimsAbout(this.#desk, id));
    const fitting = countFitting(claims, claimsBytes);
    const wanted = want.slice(0, mostWanted);
    conversation.give = give.slice(fitting);
    conversation.asked = wanted.length;
    this.#request(exchange, conversation, packGive(claims.slice(0, fitting).flat(), wanted));
  }

  #request(exchange: number, conversation: Conversation, body: unknown): void {
    const { to, id } = conversation;
    conversation.requests += 1;
    this.#desk.effect({ kind: 'exchange', to, exchange, body, ...(id === undefined ? {} : { id }) });
  }

  #compared({ salt, digest, after }: Extract<ExchangeRequest, { kind: 'compare' }>): unknown {
    const buckets = digest.length / hashBytes;
    const differs = differences(digest, digestOf(this.#lines(), salt, buckets));
    const lines = [...this.#lines()].filter(
      ({ id }) => id > after && differs[bucketOf(id, salt, buckets)] === 1,
    );
    return packCompared(
      differs,
      lines.sort((a, b) => (a.id < b.id ? -1 : 1)),
    );
  }

  #given({ claims, wanted }: Extract<ExchangeRequest, { kind: 'give' }>): unknown {
    for (const claim of claims) hear(this.#desk, claim);
    const answers = wanted.map((id) => claimsAbout(this.#desk, id));
    const fitting = countFitting(answers, claimsBytes);
    return packGiven(fitting, answers.slice(0, fitting).flat());
  }

  #takeCompared(conversation: Conversation, from: NodeId, body: unknown): boolean {
    const { salt, buckets, after, give, want } = conversation;
    const compared = comparedOf(body, buckets);
    if (!compared) return false;
    const { differs, next, lines } = compared;
    const covered = (id: NodeId): boolean => id > after && (next === '' || id <= next);
    // An answer must lead on: else it would be asked for ever.
    if ((next !== '' && next <= after) || !lines.every(({ id }) => covered(id))) return false;
    this.#answerCharges(lines, from);
    const mine = new Map([...this.#lines()].map((line) => [line.id, line]));
    const told = new Set(lines.map(({ id }) => id));
    for (const theirs of lines) {
      const own = mine.get(theirs.id);
      const lacking = own ? compareLines(theirs, own) : { want: true, give: false };
      if (lacking.give) give.push(theirs.id);
      // What we hold against the other it refutes as soon as it hears it: so its answer is news.
      if (lacking.want || (lacking.give && theirs.id === from)) want.push(theirs.id);
    }
    for (const id of mine.keys()) {
      if (covered(id) && !told.has(id) && differs[bucketOf(id, salt, buckets)] === 1) give.push(id);
    }
    conversation.next = next === '' ? undefined : next;
    return true;
  }

  /** What the other holds against this node is refuted before anything is told: then that is told too. */
  #answerCharges(lines: readonly Line[], from: NodeId): void {
    for (const { id, incarnation, status } of lines) {
      if (id === this.#desk.self.id && (status === 'suspected' || status === 'dead'))
        hear(this.#desk, { kind: status, id, incarnation, from });
    }
  }

  #takeGiven(conversation: Conversation, asked: number, body: unknown): boolean {
    const given = givenOf(body, asked);
    if (!given || (asked > 0 && given.answered === 0)) return false;
    for (const claim of given.claims) hear(this.#desk, claim);
    conversation.want = conversation.want.slice(given.answered);
    return true;
  }

  *#lines(): Generator<Line> {
    const { statement, id } = this.#desk.self;
    const words = wordsOf(statement);
    yield { ...words, id, words };
    for (const entry of this.#desk.members.all())
      yield {
        id: entry.id,
        incarnation: entry.incarnation,
        status: entry.status,
        words: entry.statement && wordsOf(entry.statement),
      };
  }
}
