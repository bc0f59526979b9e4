/**
 * Everything between this node and one peer: what waits to be sent, the questions of both sides, and what passed. How the
 * connection below comes about is `connector.ts`.
 */
import { coded, reason, type CodedError, type Reason } from '../../protocols/errors.ts';
import { limits } from '../../protocols/limits.ts';
import type { MemberAddress } from '../../protocols/membership/model.ts';
import type { CallOptions, Calls, PeerCondition, PeerCounts, PeerEvent } from '../../protocols/wire/calls.ts';
import { encodeFrame, type Frame } from '../../protocols/wire/frames.ts';
import type { StreamConnection, StreamIdentity } from '../stream-link.ts';
import { Answering } from './answering.ts';
import { Connector, type ConnectorOptions, type ConnectorOwner } from './connector.ts';
import { decoded, encoded, type Handlers } from './handlers.ts';
import { Outbox } from './outbox.ts';
import { Questions } from './questions.ts';
import type { Session, SpokenFrame } from './session.ts';

export interface ChannelOptions extends ConnectorOptions {
  readonly handlers: Handlers;
  tell(event: PeerEvent): void;
}

export class Channel implements ConnectorOwner {
  readonly #options: ChannelOptions;
  readonly #connector: Connector;
  readonly #counts: PeerCounts = noCounts();
  readonly #outbox = new Outbox();
  readonly #questions: Questions;
  #answering: Answering | undefined = undefined;
  #failure: Reason | undefined = undefined;
  #known: (StreamIdentity & { readonly boot: number }) | undefined = undefined;
  #usedMs: number;
  #kept = 0;

  constructor(options: ChannelOptions) {
    this.#options = options;
    this.#usedMs = options.clock.monotonicMs();
    this.#connector = new Connector(options, this);
    this.#questions = new Questions(options.clock, (id, why) => this.#cancel(id, why));
  }

  // -- what is said -------------------------------------------------------------------------------

  call(type: string, body: unknown, options: CallOptions): Promise<unknown> {
    const row = this.#options.handlers.row(type);
    const bytes = encoded(type, body, row.bytes);
    if (options.signal?.aborted) throw coded('HM-PEER-TIMEOUT', `Nobody waits for an answer to ${type}.`);
    const counts = this.#options.handlers.counted(type);
    counts.sent += 1;
    if (!this.#outbox.takes(bytes.length) || this.#questions.size >= limits.peerQuestions) {
      this.#counts.full += 1;
      counts.failed += 1;
      throw coded('HM-PEER-BUSY', undefined, { message: type, peer: this.#name });
    }
    counts.bytesSent += bytes.length;
    const { id, answer } = this.#questions.open(type, counts, options);
    this.#say({ kind: 'request', id, type, body: bytes }, () => this.#questions.waits(id));
    return answer;
  }

  told(type: string, body: unknown): 'taken' | 'full' {
    const bytes = encoded(type, body, this.#options.handlers.row(type).bytes);
    const counts = this.#options.handlers.counted(type);
    counts.sent += 1;
    if (!this.#outbox.takes(bytes.length)) {
      this.#counts.full += 1;
      counts.failed += 1;
      return 'full';
    }
    counts.bytesSent += bytes.length;
    this.#say({ kind: 'tell', type, body: bytes });
    return 'taken';
  }

  keep(): () => void {
    let held = true;
    this.#kept += 1;
    this.#connector.want();
    return () => {
      if (held) this.#kept -= 1;
      held = false;
    };
  }

  // -- how it is ----------------------------------------------------------------------------------

  get address(): MemberAddress | undefined {
    return this.#connector.address;
  }

  set address(address: MemberAddress) {
    this.#connector.address = address;
  }

  get open(): boolean {
    return this.#connector.session !== undefined;
  }

  /** This end made the connection. */
  get dialled(): boolean {
    return this.#connector.session?.dialled === true;
  }

  /** This end made the connection, and has no need of it now. */
  get spare(): boolean {
    return this.dialled && !this.wants;
  }

  /** Nothing would be lost with it but figures. */
  get forgettable(): boolean {
    return this.#connector.session === undefined && !this.#connector.meeting && !this.wants;
  }

  get usedMs(): number {
    return this.#usedMs;
  }

  /** Something is under way, waits, or is to come. */
  get wants(): boolean {
    const { size = 0, hearing = 0 } = this.#answering ?? {};
    return this.#kept + this.#outbox.frames + this.#questions.size + size + hearing > 0;
  }

  get #name(): string {
    return this.#known?.name ?? this.#options.id;
  }

  condition(): PeerCondition {
    const { session, sinceMs } = this.#connector;
    const { clock, id } = this.#options;
    return {
      id,
      ...(this.address === undefined ? {} : { address: this.address }),
      ...this.#known,
      open: session !== undefined,
      idle: session !== undefined && !this.wants,
      sinceMs: clock.now() - (clock.monotonicMs() - sinceMs),
      queuedFrames: this.#outbox.frames,
      queuedBytes: this.#outbox.bytes + (session?.connection.waiting ?? 0),
      asking: this.#questions.size,
      answering: this.#answering?.size ?? 0,
      ...(session?.rttMs === undefined ? {} : { rttMs: session.rttMs }),
      ...(session ? { heard: session.heard } : {}),
      ...(this.#failure === undefined ? {} : { failure: this.#failure }),
      counts: { ...this.#counts },
    };
  }

  tellHeard(tell: Parameters<Calls['eachHeard']>[0]): void {
    const { session } = this.#connector;
    if (session && session.heard > 0) tell(this.#options.id, session.heard, session.rttMs);
  }

  accept(connection: StreamConnection): void {
    this.#connector.accept(connection);
  }

  /** A connection that this end made before it knew to whom. */
  adopt(connection: StreamConnection): void {
    this.#connector.adopt(connection);
  }

  /** Ends the connection once nothing is on its way over it; it comes again when it is wanted. */
  rest(because: Reason): void {
    const { session } = this.#connector;
    if (session === undefined) return;
    if (session.readUntilMs >= this.#usedMs) session.end({ why: 'closing', because });
    else session.doubt();
  }

  doubt(): void {
    this.#connector.session?.doubt();
  }

  close(because: Reason): void {
    this.#kept = 0;
    this.#connector.close(because);
    this.#drop(because);
  }

  // -- what the connection tells ------------------------------------------------------------------

  opened(session: Session): void {
    const { handlers, id } = this.#options;
    const peer = session.peer!;
    this.#known = peer;
    this.#failure = undefined;
    this.#counts.made += 1;
    this.#answering = new Answering(peer, handlers, this.#counts, {
      answer: (question, body) => this.#answer(question, body),
      refuse: (question, because) => this.#say({ kind: 'refusal', id: question, because }),
      changed: () => this.#judge(),
    });
    this.#options.tell({ id, what: 'made', boot: peer.boot });
    this.#pump();
  }

  spoken(frame: SpokenFrame): void {
    this.#counts.framesReceived += 1;
    this.#usedMs = this.#options.clock.monotonicMs();
    if ('body' in frame) this.#counts.bytesReceived += frame.body.length;
    switch (frame.kind) {
      case 'request':
        this.#answering!.asked(frame);
        break;
      case 'tell':
        this.#answering!.heard(frame);
        break;
      case 'cancel':
        this.#answering!.cancelled(frame.id);
        break;
      case 'answer':
      case 'refusal':
        this.#answered(frame);
    }
    this.#judge();
  }

  unreadable(): void {
    this.#counts.refused += 1;
  }

  drained(): void {
    this.#pump();
  }

  failed(because: Reason): void {
    this.#counts.dialsFailed += 1;
    this.#failure = because;
    this.#drop(because);
  }

  lost(session: Session, because: Reason): void {
    this.#answering?.end();
    this.#answering = undefined;
    this.#counts.lost += 1;
    this.#failure = because;
    this.#drop(because);
    this.#options.tell({ id: this.#options.id, what: 'lost', boot: session.peer!.boot, reason: because });
  }

  /** What waits is not sent any more, and what was asked is not answered any more. */
  #drop(because: Reason): void {
    this.#counts.dropped += this.#outbox.clear();
    const { code, message, hint, evidence } = because;
    const known = code === 'HM-INTERNAL' ? 'HM-PEER-UNREACHABLE' : code;
    const at = this.address === undefined ? {} : { address: `${this.address.host} ${this.address.port}` };
    this.#questions.lost({
      code: known,
      message,
      hint,
      evidence: { ...evidence, peer: this.#name, ...at },
    });
  }

  // -- frames -------------------------------------------------------------------------------------

  #say(frame: Frame, wanted?: () => boolean): void {
    this.#outbox.add(encodeFrame(frame), wanted);
    this.#usedMs = this.#options.clock.monotonicMs();
    if (this.#connector.session === undefined) this.#connector.want();
    else this.#pump();
  }

  #pump(): void {
    for (;;) {
      const { session } = this.#connector;
      if (session === undefined || !session.roomy) break;
      const bytes = this.#outbox.take();
      if (bytes === undefined) break;
      this.#counts.framesSent += 1;
      this.#counts.bytesSent += bytes.length;
      session.send(bytes);
    }
    this.#judge();
  }

  /** Who does not read what it is told, or tells more than is heard in time, waits until that is better. */
  #judge(): void {
    const behind =
      (this.#answering?.hearing ?? 0) >= limits.peerHearing ||
      this.#outbox.frames >= limits.peerQueueFrames / 2 ||
      this.#outbox.bytes >= limits.peerQueueBytes / 2;
    this.#connector.session?.listen(!behind);
  }

  #answer(id: number, body: Uint8Array): void {
    if (this.#outbox.takes(body.length)) return this.#say({ kind: 'answer', id, body });
    this.#counts.full += 1;
    this.#say({
      kind: 'refusal',
      id,
      because: reason('HM-PEER-BUSY', 'The answer found no room in the queue.'),
    });
  }

  #answered(frame: Extract<SpokenFrame, { kind: 'answer' | 'refusal' }>): void {
    const type = this.#questions.typeOf(frame.id);
    if (type === undefined) {
      this.#counts.late += 1;
      return;
    }
    if (frame.kind === 'refusal') return this.#questions.refused(frame.id, frame.because);
    this.#options.handlers.counted(type).bytesReceived += frame.body.length;
    try {
      this.#questions.answered(
        frame.id,
        decoded(type, frame.body, this.#options.handlers.row(type).answerBytes ?? 0),
      );
    } catch (thrown) {
      this.#counts.refused += 1;
      this.#questions.failed(frame.id, (thrown as CodedError).reason);
    }
  }

  /** Nobody waits for an answer: if the question has left already, the peer hears of it, unless it is not there at all. */
  #cancel(id: number, why: 'overdue' | 'let go'): void {
    if (this.#connector.session === undefined) return;
    if (why === 'overdue') this.doubt();
    this.#say({ kind: 'cancel', id });
  }
}

function noCounts(): PeerCounts {
  return {
    made: 0,
    lost: 0,
    dialsFailed: 0,
    framesSent: 0,
    bytesSent: 0,
    framesReceived: 0,
    bytesReceived: 0,
    full: 0,
    dropped: 0,
    late: 0,
    refused: 0,
    defects: 0,
  };
}
