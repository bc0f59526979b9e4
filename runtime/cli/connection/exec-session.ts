/**
 * The exec WebSocket, `v1.exec.hivemind`: the request as the first text, then binary frames whose first byte is
 * the channel. The terminal is put in raw mode and always put back.
 */
import type { RawData, WebSocket } from 'ws';
import { coded, CodedError, type Reason } from '../../../protocols/errors.ts';
import type { Cli } from '../cli.ts';
import { containerPath } from './answers.ts';
import { connect } from './websocket.ts';

const channel = { stdin: 0, stdout: 1, stderr: 2, status: 3, resize: 4, stdinClosed: 5 } as const;

export interface ExecOrder {
  readonly args: readonly string[];
  readonly interactive: boolean;
  readonly terminal: boolean;
  readonly environment: Readonly<Record<string, string>>;
  readonly user?: string;
  readonly workingDir?: string;
}

/** Unsent input beyond this pauses standard input. */
const inputBytes = 1_048_576;

/** Run it to its end; answers the remote exit code, 126 or 127 when the command cannot be run. */
export async function runExec(cli: Cli, slot: string, order: ExecOrder): Promise<number> {
  const { stdout, stderr } = cli.process;
  const socket = await connect(await cli.client(), containerPath(slot, 'exec'), 'v1.exec.hivemind');
  const { interactive, ...request } = order;
  const size = order.terminal ? { size: sizeOf(cli) } : {};
  socket.send(JSON.stringify({ ...request, ...size }));
  const restore = order.terminal ? raw(cli) : () => undefined;
  const stopInput = interactive ? feed(cli, socket) : closeInput(socket);
  const onResize = (): void => socket.send(frame(channel.resize, JSON.stringify(sizeOf(cli))));
  if (order.terminal) stdout.on('resize', onResize);
  const interrupted = (): void => socket.terminate();
  // With a terminal Ctrl-C arrives as a byte; without one it ends us, and the remote side with the connection.
  cli.process.interrupted.addEventListener('abort', interrupted);
  try {
    const status = await ended(socket, stdout, stderr);
    if ('code' in status) return status.code;
    if (status.reason.code !== 'HM-CONTAINER-COMMAND') throw new CodedError(status.reason);
    cli.say(`✗ ${status.reason.message}  ${status.reason.code}`);
    cli.say(`  next  ${status.reason.hint}`);
    return /permission denied/i.test(status.reason.message) ? 126 : 127;
  } finally {
    cli.process.interrupted.removeEventListener('abort', interrupted);
    stdout.off('resize', onResize);
    stopInput();
    restore();
    socket.terminate();
  }
}

type Status = { readonly code: number } | { readonly reason: Reason };

function ended(
  socket: WebSocket,
  stdout: NodeJS.WritableStream,
  stderr: NodeJS.WritableStream,
): Promise<Status> {
  return new Promise((resolve, reject) => {
    socket.on('message', (data: RawData) => {
      const bytes = Buffer.isBuffer(data)
        ? data
        : Buffer.concat([data].flat().map((part) => Buffer.from(part as Buffer)));
      const content = bytes.subarray(1);
      if (bytes[0] === channel.stdout) write(socket, stdout, content);
      else if (bytes[0] === channel.stderr) write(socket, stderr, content);
      else if (bytes[0] === channel.status) resolve(JSON.parse(content.toString('utf8')) as Status);
    });
    const lost = (): void =>
      reject(coded('HM-API-UNREACHABLE', 'The connection ended before the command did'));
    socket.on('close', lost);
    socket.on('error', lost);
    socket.resume();
  });
}

/** A slow reader slows the sender down instead of filling memory. */
function write(socket: WebSocket, stream: NodeJS.WritableStream, bytes: Buffer): void {
  if (stream.write(bytes)) return;
  socket.pause();
  stream.once('drain', () => socket.resume());
}

const frame = (to: number, content: string | Buffer): Buffer =>
  Buffer.concat([Buffer.from([to]), Buffer.from(content)]);

function sizeOf(cli: Cli): { columns: number; rows: number } {
  const { columns, rows } = cli.process.stdout;
  return { columns: columns ?? 80, rows: rows ?? 24 };
}

function raw(cli: Cli): () => void {
  const { stdin } = cli.process;
  stdin.setRawMode?.(true);
  return () => void stdin.setRawMode?.(false);
}

function closeInput(socket: WebSocket): () => void {
  socket.send(frame(channel.stdinClosed, ''));
  return () => undefined;
}

function feed(cli: Cli, socket: WebSocket): () => void {
  const { stdin } = cli.process;
  const onData = (chunk: Buffer): void => {
    if (socket.bufferedAmount > inputBytes) stdin.pause();
    socket.send(frame(channel.stdin, chunk), () => {
      if (stdin.isPaused() && socket.bufferedAmount < inputBytes / 2) stdin.resume();
    });
  };
  const onEnd = (): void => socket.send(frame(channel.stdinClosed, ''));
  stdin.on('data', onData);
  stdin.once('end', onEnd);
  return () => {
    stdin.off('data', onData);
    stdin.off('end', onEnd);
    stdin.pause();
  };
}
