/**
 * gRPC to containerd: grpc-js moves the bytes, @bufbuild/protobuf makes and reads the messages. Every call
 * carries the namespace and, where asked, a lease and a deadline. One connection serves all rooms of the
 * driver; it reconnects by itself when containerd comes back.
 *
 * What it is not: it knows no operation of containerd and maps no error to a coded one; see `failure.ts`.
 */
import { create, fromBinary, toBinary } from '@bufbuild/protobuf';
import type {
  DescMessage,
  DescMethodBiDiStreaming,
  DescMethodServerStreaming,
  DescMethodUnary,
  MessageInitShape,
  MessageShape,
} from '@bufbuild/protobuf';
import { Client, credentials, Metadata, status, type CallOptions, type ServiceError } from '@grpc/grpc-js';
import type { Clock } from '../../../../protocols/ports.ts';

export interface CallLimits {
  /** Absent: no deadline (long polls); the signal alone ends it. */
  readonly timeoutMs?: number;
  readonly signal?: AbortSignal;
  /** What the call makes belongs to this lease until something else refers to it. */
  readonly lease?: string;
}

/** A call that did not end with OK. `code` is a gRPC status. */
export class RpcFailure extends Error {
  readonly code: number;
  readonly detail: string;
  constructor(method: string, code: number, detail: string) {
    super(`${method}: ${status[code] ?? code}: ${detail}`);
    this.name = 'RpcFailure';
    this.code = code;
    this.detail = detail;
  }
}

/** A stream in both directions. Iterate for the answers; leaving the loop ends the call. */
export interface BidiCall<I extends DescMessage, O extends DescMessage> extends AsyncIterable<
  MessageShape<O>
> {
  /** Resolves when there is room for more. */
  send(message: MessageInitShape<I>): Promise<void>;
  /** A message that is encoded already. Its memory must stay as it is until its answer has come. */
  sendBytes(message: Uint8Array): Promise<void>;
  /** No further messages from here. */
  end(): void;
}

export interface Connection {
  readonly namespace: string;
  unary<I extends DescMessage, O extends DescMessage>(
    method: DescMethodUnary<I, O>,
    input: MessageInitShape<I>,
    limits: CallLimits,
  ): Promise<MessageShape<O>>;
  /** Leaving the loop ends the call. */
  serverStream<I extends DescMessage, O extends DescMessage>(
    method: DescMethodServerStreaming<I, O>,
    input: MessageInitShape<I>,
    limits: CallLimits,
  ): AsyncIterable<MessageShape<O>>;
  bidi<I extends DescMessage, O extends DescMessage>(
    method: DescMethodBiDiStreaming<I, O>,
    limits: CallLimits,
  ): BidiCall<I, O>;
  close(): void;
}

export interface ConnectionOptions {
  /** Path of containerd's socket. */
  readonly address: string;
  readonly namespace: string;
  readonly clock: Pick<Clock, 'now'>;
}

/** Opens nothing yet: the first call connects. */
export function connectContainerd(options: ConnectionOptions): Connection {
  const client = new Client(`unix://${options.address}`, credentials.createInsecure(), {
    // Back at most a second after containerd is; the default backs off up to two minutes.
    'grpc.initial_reconnect_backoff_ms': 100,
    'grpc.min_reconnect_backoff_ms': 100,
    'grpc.max_reconnect_backoff_ms': 1_000,
    // Statistics of each call that nobody reads.
    'grpc.enable_channelz': 0,
    'grpc.max_receive_message_length': 64 * 1024 * 1024,
    // Two runtimes of one process (tests, several nodes) do not share a failing connection.
    'grpc.use_local_subchannel_pool': 1,
  });
  return {
    namespace: options.namespace,
    unary: (method, input, limits) => unary(client, options, method, input, limits),
    serverStream: (method, input, limits) => serverStream(client, options, method, input, limits),
    bidi: (method, limits) => bidi(client, options, method, limits),
    close: () => client.close(),
  };
}

interface Cancellable {
  cancel(): void;
}

function path(method: { readonly parent: { readonly typeName: string }; readonly name: string }): string {
  return `/${method.parent.typeName}/${method.name}`;
}

function metadata(options: ConnectionOptions, limits: CallLimits): Metadata {
  const headers = new Metadata();
  headers.set('containerd-namespace', options.namespace);
  if (limits.lease !== undefined) headers.set('containerd-lease', limits.lease);
  return headers;
}

function callOptions(options: ConnectionOptions, limits: CallLimits): CallOptions {
  return limits.timeoutMs === undefined ? {} : { deadline: options.clock.now() + limits.timeoutMs };
}

/** Cancels the call when the signal fires; the returned function forgets the signal. */
function cancelWith(call: Cancellable, signal: AbortSignal | undefined): () => void {
  if (!signal) return () => {};
  const cancel = () => call.cancel();
  if (signal.aborted) cancel();
  else signal.addEventListener('abort', cancel, { once: true });
  return () => signal.removeEventListener('abort', cancel);
}

function encoder<I extends DescMessage>(schema: I): (message: MessageShape<I>) => Buffer {
  return (message) => asBuffer(toBinary(schema, message));
}

const asBuffer = (bytes: Uint8Array): Buffer => Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);

function decoder<O extends DescMessage>(schema: O): (bytes: Buffer) => MessageShape<O> {
  return (bytes) => fromBinary(schema, bytes);
}

function failure(method: string, error: unknown): RpcFailure {
  const known = error as Partial<ServiceError>;
  return new RpcFailure(method, known.code ?? status.UNKNOWN, known.details ?? String(error));
}

function unary<I extends DescMessage, O extends DescMessage>(
  client: Client,
  options: ConnectionOptions,
  method: DescMethodUnary<I, O>,
  input: MessageInitShape<I>,
  limits: CallLimits,
): Promise<MessageShape<O>> {
  return new Promise((resolve, reject) => {
    let forget = () => {};
    const call = client.makeUnaryRequest(
      path(method),
      encoder(method.input),
      decoder(method.output),
      create(method.input, input),
      metadata(options, limits),
      callOptions(options, limits),
      (error, answer) => {
        forget();
        if (error) reject(failure(method.name, error));
        else if (answer) resolve(answer);
        else reject(new RpcFailure(method.name, status.INTERNAL, 'empty answer'));
      },
    );
    forget = cancelWith(call, limits.signal);
  });
}

async function* serverStream<I extends DescMessage, O extends DescMessage>(
  client: Client,
  options: ConnectionOptions,
  method: DescMethodServerStreaming<I, O>,
  input: MessageInitShape<I>,
  limits: CallLimits,
): AsyncGenerator<MessageShape<O>> {
  const call = client.makeServerStreamRequest(
    path(method),
    encoder(method.input),
    decoder(method.output),
    create(method.input, input),
    metadata(options, limits),
    callOptions(options, limits),
  );
  yield* answers<MessageShape<O>>(method.name, call, limits);
}

function bidi<I extends DescMessage, O extends DescMessage>(
  client: Client,
  options: ConnectionOptions,
  method: DescMethodBiDiStreaming<I, O>,
  limits: CallLimits,
): BidiCall<I, O> {
  const encode = encoder(method.input);
  const call = client.makeBidiStreamRequest(
    path(method),
    (message: MessageShape<I> | Uint8Array) =>
      message instanceof Uint8Array ? asBuffer(message) : encode(message),
    decoder(method.output),
    metadata(options, limits),
    callOptions(options, limits),
  );
  const write = (message: MessageShape<I> | Uint8Array): Promise<void> =>
    new Promise((resolve, reject) => {
      call.write(message, (error: Error | null | undefined) =>
        error ? reject(failure(method.name, error)) : resolve(),
      );
    });
  // A failure before anybody iterates would be uncaught; the iteration meets it again.
  call.on('error', () => {});
  return {
    send: (message) => write(create(method.input, message)),
    sendBytes: write,
    end: () => call.end(),
    [Symbol.asyncIterator]: () => answers<MessageShape<O>>(method.name, call, limits),
  };
}

async function* answers<M>(
  name: string,
  call: Cancellable & AsyncIterable<unknown> & { on(event: 'error', listener: () => void): unknown },
  limits: CallLimits,
): AsyncGenerator<M> {
  // A cancelled call errors after nobody iterates any more; without a listener that would be uncaught.
  call.on('error', () => {});
  const forget = cancelWith(call, limits.signal);
  try {
    for await (const message of call) yield message as M;
  } catch (error) {
    throw failure(name, error);
  } finally {
    forget();
    call.cancel();
  }
}
