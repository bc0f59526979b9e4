/** exec over its WebSocket: what is asked, bytes both ways, the terminal's mode and size, the exit code. */
import type { WebSocket } from 'ws';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { reason } from '../../../protocols/errors.ts';
import type { NodeDouble } from './kit/node-double.ts';
import { run, type Ran, type Running, type RunOptions } from './kit/run.ts';
import { shopNode } from './kit/shop.ts';

let node: NodeDouble;
beforeEach(async () => {
  node = shopNode();
  await node.listen();
});
afterEach(() => node.close());

const hive = (args: readonly string[], options: RunOptions = {}): Promise<Ran> =>
  run(args, { socket: node.socket, ...options });

interface Session {
  path: string;
  order?: Record<string, unknown>;
  /** Channel and text of every frame that came. */
  readonly frames: [number, string][];
}

const say = (socket: WebSocket, channel: number, text: string): void =>
  socket.send(Buffer.concat([Buffer.from([channel]), Buffer.from(text)]));

/** The remote side: notes what comes and lets `react` answer; a first call with channel -1 is the request itself. */
function remote(react: (socket: WebSocket, channel: number, text: string) => void): Session {
  const session: Session = { path: '', frames: [] };
  node.exec = (socket, path) => {
    session.path = path;
    expect(socket.protocol).toBe('v1.exec.hivemind');
    socket.on('message', (bytes: Buffer, isBinary) => {
      if (!isBinary) {
        session.order = JSON.parse(bytes.toString()) as Record<string, unknown>;
        return react(socket, -1, '');
      }
      const frame: [number, string] = [bytes[0]!, bytes.subarray(1).toString()];
      session.frames.push(frame);
      react(socket, ...frame);
    });
  };
  return session;
}

test('output on its own streams, the remote exit code is ours', async () => {
  const session = remote((socket, channel) => {
    if (channel !== 5) return;
    say(socket, 1, 'out\n');
    say(socket, 2, 'err\n');
    say(socket, 3, '{"code":42}');
  });
  const ran = await hive(['exec', '-e', 'A=1', '-u', 'app', '-w', '/srv', 'db', '--', 'sh', '-c', 'exit 42']);
  expect(ran).toEqual({ code: 42, stdout: 'out\n', stderr: 'err\n' });
  expect(session.path).toBe('/v1/containers/shop/db.1/exec');
  expect(session.order).toEqual({
    args: ['sh', '-c', 'exit 42'],
    terminal: false,
    environment: { A: '1' },
    user: 'app',
    workingDir: '/srv',
  });
});

test('-i passes standard input and its end', async () => {
  const session = remote((socket, channel, text) => {
    if (channel === 0) say(socket, 1, text.toUpperCase());
    if (channel === 5) say(socket, 3, '{"code":0}');
  });
  expect(await hive(['exec', '-i', 'shop/db.1', '--', 'cat'], { stdin: 'hello' })).toMatchObject({
    code: 0,
    stdout: 'HELLO',
  });
  expect(session.frames.map(([channel]) => channel)).toEqual([0, 5]);
});

test('-it: raw while it runs, the size at first and when it changes, put back at the end', async () => {
  let seen: Running | undefined;
  const modes: boolean[] = [];
  const session = remote((socket, channel, text) => {
    if (channel === -1) say(socket, 1, '$ ');
    if (channel === 4) say(socket, 3, '{"code":0}');
    expect(text).not.toBe('never');
  });
  const ran = await hive(['exec', '-it', 'shop/db.1', '--', 'sh'], {
    terminal: [100, 30],
    onOutput: (_text, running) => {
      seen = running;
      modes.push(running.stdin.raw);
      Object.assign(running.stdout, { columns: 120, rows: 40 });
      running.stdout.emit('resize');
    },
  });
  expect(ran).toMatchObject({ code: 0, stdout: '$ ' });
  expect(session.order).toMatchObject({ terminal: true, size: { columns: 100, rows: 30 } });
  expect(session.frames).toEqual([[4, '{"columns":120,"rows":40}']]);
  expect(modes).toEqual([true]);
  expect(seen!.stdin.raw).toBe(false);
});

test.each([
  ['exec: "nope": executable file not found in $PATH', 127],
  ['exec: "/etc/passwd": permission denied', 126],
])('%s → %i', async (message, code) => {
  remote((socket, channel) => {
    if (channel === -1) say(socket, 3, JSON.stringify({ reason: reason('HM-CONTAINER-COMMAND', message) }));
  });
  expect(await hive(['exec', 'shop/db.1', '--', 'nope'])).toMatchObject({
    code,
    stderr: expect.stringContaining('HM-CONTAINER-COMMAND'),
  });
});

test('what cannot begin, and what is cut off', async () => {
  expect(await hive(['exec', 'shop/db.1', '--', 'x'])).toMatchObject({
    code: 3,
    stderr: expect.stringContaining('HM-TARGET-UNKNOWN'),
  });
  expect(await hive(['exec', '-t', 'shop/db.1', '--', 'x'])).toMatchObject({ code: 2 });
  remote((socket) => socket.terminate());
  expect(await hive(['exec', 'shop/db.1', '--', 'x'])).toMatchObject({
    code: 1,
    stderr: expect.stringContaining('ended before the command'),
  });
  remote((socket, channel) => {
    if (channel === -1)
      say(socket, 3, JSON.stringify({ reason: reason('HM-CONTAINER-STOPPED', 'shop/db.1 is not running') }));
  });
  expect(await hive(['exec', 'shop/db.1', '--', 'x'])).toMatchObject({
    code: 1,
    stderr: expect.stringContaining('HM-CONTAINER-STOPPED'),
  });
});
