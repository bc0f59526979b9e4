/** port-forward: what is listened on, one WebSocket a connection, its target looked up anew, what is refused. */
import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { WebSocket } from 'ws';
import type { NodeDouble } from './kit/node-double.ts';
import { run, type Ran, type RunOptions } from './kit/run.ts';
import { shopNode, slot, slots } from './kit/shop.ts';

let node: NodeDouble;
beforeEach(async () => {
  node = shopNode();
  await node.listen();
});
afterEach(() => node.close());

const hive = (args: readonly string[], options: RunOptions = {}): Promise<Ran> =>
  run(['port-forward', ...args], { socket: node.socket, ...options });

/** Runs until `use` is through with the ports that were printed, then Ctrl-C. */
async function whileOpen(args: readonly string[], use: (ports: number[]) => Promise<void>): Promise<Ran> {
  let used: Promise<void> | undefined;
  let printed = '';
  const ran = await hive(args, {
    onOutput: (text, running) => {
      printed += text;
      const lines = printed.split('\n').slice(0, -1);
      if (used || lines.length < args.length - 1) return;
      const ports = lines.map((line) => Number(/127\.0\.0\.1:(\d+)/.exec(line)?.[1]));
      used = use(ports).finally(() => running.interrupt());
    },
  });
  await used;
  return ran;
}

/** Sends a text and its end; all that comes back. */
async function ask(port: number, text: string): Promise<string> {
  const stream: Socket = connect({ host: '127.0.0.1', port, allowHalfOpen: true });
  let answer = '';
  stream.on('data', (bytes) => (answer += bytes.toString()));
  stream.end(text);
  await once(stream, 'close');
  return answer;
}

/** A remote side that answers when the other has ended: `PATH:WHAT-CAME`. */
function echo(): string[] {
  const paths: string[] = [];
  node.exec = (socket: WebSocket, path) => {
    paths.push(path);
    expect(socket.protocol).toBe('v1.port-forward.hivemind');
    let came = '';
    socket.on('message', (data: Buffer, isBinary) => {
      if (isBinary) return void (came += data.toString());
      socket.send(Buffer.from(`${path.split('?')[1]}:${came}`));
      socket.send('end');
      socket.close(1000);
    });
  };
  return paths;
}

test('several ports at once, a connection each, half-close kept', async () => {
  const paths = echo();
  const answers: string[] = [];
  const ran = await whileOpen(['shop/db', '80', ':5432'], async ([one, two]) => {
    answers.push(await ask(one!, 'a'), await ask(two!, 'b'), await ask(one!, 'c'));
  });
  expect(answers).toEqual(['port=80:a', 'port=5432:b', 'port=80:c']);
  expect(paths[0]).toBe('/v1/containers/shop/db.1/port-forward?port=80');
  expect(ran.code).toBe(130);
  expect(ran.stdout).toMatch(/^127\.0\.0\.1:\d+ -> shop\/db:80\n127\.0\.0\.1:\d+ -> shop\/db:5432\n$/);
});

test('a slot that is ready is preferred, and the next connection goes to who is there then', async () => {
  const paths = echo();
  await whileOpen(['shop/web', '80'], async ([port]) => {
    await ask(port!, 'x');
    node.on('GET /v1/containers', () => ({
      slots: [slot('web', 1, { phase: 'backoff', readiness: 'none' }), slots[2]],
    }));
    await ask(port!, 'y');
  });
  expect(paths.map((path) => path.split('/')[4])).toEqual(['web.1', 'web.2']);
});

test('what the node refuses is told, the connection breaks off, the port stays', async () => {
  const answers: string[] = [];
  const ran = await whileOpen(['shop/db', '80'], async ([port]) => {
    const stream = connect(port!, '127.0.0.1');
    const [error] = (await once(stream, 'error')) as [NodeJS.ErrnoException];
    answers.push(error.code!);
    echo();
    answers.push(await ask(port!, 'again'));
  });
  expect(answers).toEqual(['ECONNRESET', 'port=80:again']);
  expect(ran.stderr).toContain('HM-TARGET-UNKNOWN');
});

test('a chosen port is that one; a taken one is refused, and none of the others stays open', async () => {
  const taken = createServer().listen(0, '127.0.0.1');
  await once(taken, 'listening');
  const { port } = taken.address() as AddressInfo;
  const ran = await hive(['shop/db', '80', `${port}:80`]);
  expect(ran).toMatchObject({ code: 6, stdout: '', stderr: expect.stringContaining('HM-PORT-TAKEN') });
  taken.close();
  await once(taken, 'close');
  echo();
  const again = await whileOpen(['shop/db', `${port}:80`], async ([one]) => {
    expect(one).toBe(port);
    await ask(port, 'x');
  });
  expect(again.code).toBe(130);
});

test.each(['x', '1:2:3', '80:', '70000', '0', '1:0', ''])('%j is no port', async (text) => {
  expect(await hive(['shop/db', text])).toMatchObject({ code: 2 });
});

test('a target that is not there is refused before anything listens', async () => {
  expect(await hive(['nope', '80'])).toMatchObject({
    code: 3,
    stderr: expect.stringContaining('HM-TARGET-UNKNOWN'),
  });
});
