/**
 * Exec over a WebSocket, subprotocol `v1.exec.hivemind`: the order as the first text, then binary frames whose first
 * byte is the channel. Both directions have back pressure: who does not read makes the other side wait.
 */
import { z } from 'zod';
import { WebSocket, type RawData } from 'ws';
import type { SlotStatus } from '../../protocols/apps/status.ts';
import { coded, reasonOf, type Reason } from '../../protocols/errors.ts';
import { limits } from '../../protocols/limits.ts';
import type { Clock, ExecSession } from '../../protocols/ports.ts';
import type { NodeHandle } from '../node-handle.ts';

export const execProtocol = 'v1.exec.hivemind';

export const channel = { stdin: 0, stdout: 1, stderr: 2, status: 3, resize: 4, stdinClosed: 5 } as const;

const size = z.strictObject({ columns: z.int().min(1).max(10_000), rows: z.int().min(1).max(10_000) });

const order = z.strictObject({
  args: z.array(z.string()).min(1).max(1_000),
  terminal: z.boolean(),
  size: z.exactOptional(size),
  environment: z.exactOptional(z.record(z.string().regex(/^[^=\0]+$/), z.string())),
  user: z.exactOptional(z.string()),
  workingDir: z.exactOptional(z.string().startsWith('/')),
});

type Order = z.infer<typeof order>;

/** Output that waits for the client beyond this pauses the command. */
const waitingBytes = 1_048_576;

/** A connection to its end; the command ends with it. `status` is of a slot whose container runs. */
export async function serveExec(node: NodeHandle, socket: WebSocket, status: SlotStatus): Promise<void> {
  const inbox = new Inbox(socket);
  const gone = new AbortController();
  socket.on('close', () => gone.abort());
  // ws closes it by itself, with the code that says why; what runs for it ends at once.
  socket.on('error', () => gone.abort());
  try {
    const asked = await firstOrder(inbox, node.clock);
    const call = { key: `exec-${node.random.hex(8)}`, signal: gone.signal };
    const session = await node.ports.containers.exec({ id: status.containerId!, ...asked }, call);
    await converse(socket, inbox, session, node.clock);
  } catch (thrown) {
    tell(socket, { reason: reasonOf(thrown) });
  }
  // What was told before arrives before the close; the client's own is heard only when nothing is held back.
  inbox.discard();
  socket.close(1000);
}

async function converse(socket: WebSocket, inbox: Inbox, session: ExecSession, clock: Clock): Promise<void> {
  if (socket.readyState !== WebSocket.OPEN) return session.close();
  for (const end of ['close', 'error']) socket.on(end, () => session.close());
  keepAsking(socket, clock);
  session.onOutput((from, bytes) => {
    if (socket.readyState !== WebSocket.OPEN) return;
    socket.send(frame(channel[from], bytes), () => {
      if (socket.bufferedAmount < waitingBytes / 2) session.resume?.();
    });
    if (socket.bufferedAmount > waitingBytes) session.pause?.();
  });
  inbox
    .each((data, isBinary) => take(session, data, isBinary))
    .catch((thrown: unknown) => {
      tell(socket, { reason: reasonOf(thrown) });
      session.close();
      socket.close(1008);
    });
  tell(socket, { code: await session.exit });
}

/** A connection that is held back does not notice its end by itself; writing to it does. */
export function keepAsking(socket: WebSocket, clock: Clock): void {
  let timer: unknown;
  const ask = (): void => {
    socket.ping(undefined, undefined, (error) => error && socket.terminate());
    timer = clock.setTimer(limits.apiPingMs, ask);
  };
  timer = clock.setTimer(limits.apiPingMs, ask);
  socket.on('close', () => clock.clearTimer(timer));
}

async function take(session: ExecSession, data: Buffer, isBinary: boolean): Promise<void> {
  const content = data.subarray(1);
  if (isBinary && data[0] === channel.stdin) {
    session.write(content);
    await session.taken?.();
  } else if (isBinary && data[0] === channel.resize) session.resize(parse(size, content));
  else if (isBinary && data[0] === channel.stdinClosed) session.endInput();
  else
    throw coded(
      'HM-API-REQUEST',
      'A frame is binary, and its first byte is 0 (stdin), 4 (resize) or 5 (stdin closed)',
    );
}

async function firstOrder(inbox: Inbox, clock: Clock): Promise<Order> {
  let timer: unknown;
  const late = new Promise<never>((_resolve, reject) => {
    const text = `No order came within ${limits.apiHandshakeMs} ms`;
    timer = clock.setTimer(limits.apiHandshakeMs, () => reject(coded('HM-API-REQUEST', text)));
  });
  try {
    const { data, isBinary } = await Promise.race([inbox.next(), late]);
    if (isBinary) throw coded('HM-API-REQUEST', 'The first message is a text with the order');
    return parse(order, data);
  } finally {
    clock.clearTimer(timer);
  }
}

function parse<Value>(schema: z.ZodType<Value>, bytes: Buffer): Value {
  let value: unknown;
  try {
    value = JSON.parse(bytes.toString('utf8'));
  } catch {
    throw coded('HM-API-REQUEST', 'This is not JSON');
  }
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0];
  throw coded('HM-API-REQUEST', `${issue?.path.join('.') || 'the order'}: ${issue?.message ?? 'wrong'}`);
}

function tell(socket: WebSocket, status: { readonly code: number } | { readonly reason: Reason }): void {
  if (socket.readyState === WebSocket.OPEN) socket.send(frame(channel.status, JSON.stringify(status)));
}

export function frame(to: number, content: string | Uint8Array): Buffer {
  const bytes = typeof content === 'string' ? Buffer.from(content) : content;
  const whole = Buffer.allocUnsafe(bytes.length + 1);
  whole[0] = to;
  whole.set(bytes, 1);
  return whole;
}

interface Arrived {
  readonly data: Buffer;
  readonly isBinary: boolean;
}

/** Messages one at a time: the next is read from the network only when the last was taken. */
class Inbox {
  readonly #waiting: Arrived[] = [];
  readonly #socket: WebSocket;
  #closed = false;
  #discarding = false;
  #wake: () => void = () => {};

  constructor(socket: WebSocket) {
    this.#socket = socket;
    socket.on('message', (data: RawData, isBinary) => {
      if (this.#discarding) return;
      this.#waiting.push({ data: bytesOf(data), isBinary });
      socket.pause();
      this.#wake();
    });
    socket.on('close', () => {
      this.#closed = true;
      this.#wake();
    });
  }

  /** Rejects when the connection ends before. */
  async next(): Promise<Arrived> {
    for (;;) {
      const arrived = this.#waiting.shift();
      if (arrived) return arrived;
      if (this.#closed) throw coded('HM-API-REQUEST', 'The connection ended');
      this.#socket.resume();
      await new Promise<void>((resolve) => (this.#wake = resolve));
    }
  }

  /** What comes from now on is of no use. */
  discard(): void {
    this.#discarding = true;
    this.#socket.resume();
  }

  /** Resolves when the connection ended, rejects with what `handle` throws. */
  async each(handle: (data: Buffer, isBinary: boolean) => Promise<void>): Promise<void> {
    while (!this.#closed || this.#waiting.length > 0) {
      const arrived = await this.next().catch(() => undefined);
      if (arrived) await handle(arrived.data, arrived.isBinary);
    }
  }
}

function bytesOf(data: RawData): Buffer {
  if (Buffer.isBuffer(data)) return data;
  return Array.isArray(data) ? Buffer.concat(data) : Buffer.from(data);
}
