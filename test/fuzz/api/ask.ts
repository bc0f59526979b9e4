/** One connection, whatever is sent on it, and the first answer. */
import { connect } from 'node:net';

export interface RawAnswer {
  readonly status: number;
  readonly head: string;
  /** Of an answer with a length. */
  readonly body: string;
}

const headEnd = Buffer.from('\r\n\r\n');
const patienceMs = 10_000;

/** `undefined`: it was closed without an answer; `'silence'`: it was not even closed. An endless answer is left at its head. */
export function askRaw(
  socketPath: string,
  pieces: readonly Buffer[],
): Promise<RawAnswer | 'silence' | undefined> {
  return new Promise((resolve) => {
    const socket = connect({ path: socketPath, allowHalfOpen: true });
    const timer = setTimeout(() => settle('silence'), patienceMs);
    // Whatever length it tells, the answer to it has no body; what follows is another answer.
    const bodiless = pieces[0]?.toString('latin1', 0, 5) === 'HEAD ';
    let heard = Buffer.alloc(0);
    const settle = (answer: RawAnswer | 'silence' | undefined): void => {
      clearTimeout(timer);
      socket.destroy();
      resolve(answer);
    };
    socket.on('data', (chunk) => {
      heard = Buffer.concat([heard, chunk]);
      const answer = answerIn(heard, bodiless);
      if (answer) settle(answer);
    });
    socket.on('end', () => settle(undefined));
    // What it sent before the connection broke has been heard.
    socket.on('error', () => settle(undefined));
    void sendAll(pieces);
    async function sendAll([first, ...more]: readonly Buffer[]): Promise<void> {
      if (!first || socket.destroyed) return void socket.end();
      await new Promise<void>((sent) => socket.write(first, () => sent()));
      await new Promise((later) => setImmediate(later));
      await sendAll(more);
    }
  });
}

function answerIn(heard: Buffer, bodiless: boolean): RawAnswer | undefined {
  const end = heard.indexOf(headEnd);
  if (end < 0) return undefined;
  const head = heard.toString('latin1', 0, end);
  const status = Number(/^HTTP\/1\.1 (\d{3})/.exec(head)?.[1] ?? 0);
  // Only a promise to read on.
  if (status === 100) return answerIn(heard.subarray(end + headEnd.length), bodiless);
  const length = /^content-length: (\d+)/im.exec(head)?.[1];
  if (length === undefined || bodiless) return { status, head, body: '' };
  const body = heard.subarray(end + headEnd.length);
  if (body.length < Number(length) && heard.length < 50_000_000) return undefined;
  return { status, head, body: body.toString('utf8', 0, Number(length)) };
}
