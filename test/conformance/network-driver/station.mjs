/**
 * One process that stands in a network namespace for a container, a machine or the world outside, and does there what
 * its standard input says: a line of JSON a command, a line of JSON an answer. It ends with its input.
 *
 * `{op:'serve', protocol, port, address?, name}` answers every caller with `name from <caller's address>`;
 * `{op:'call', protocol, port, address, deadlineMs, keep?}` answers what it was told, or the error's code; with `keep` the
 * socket stays, and `{op:'talk', kept}` says something more by it.
 */
import { createSocket } from 'node:dgram';
import { connect, createServer } from 'node:net';
import { createInterface } from 'node:readline';

const serve = {
  tcp: ({ port, address, name }, done) => {
    const server = createServer((caller) => {
      caller.on('error', () => undefined);
      const said = `${name} from ${caller.remoteAddress.replace('::ffff:', '')}`;
      caller.write(`${said}\n`);
      caller.on('data', () => caller.write(`${said}\n`));
    });
    server.on('error', (error) => done({ error: error.code }));
    server.listen({ port, host: address ?? '0.0.0.0' }, () => done({ ok: true }));
  },
  udp: ({ port, address, name }, done) => {
    const socket = createSocket('udp4', (_, caller) =>
      socket.send(`${name} from ${caller.address}`, caller.port, caller.address),
    );
    socket.on('error', (error) => done({ error: error.code }));
    socket.bind({ port, address: address ?? '0.0.0.0' }, () => done({ ok: true }));
  },
};

const open = new Map();

/** What comes next of a socket for datagrams. */
const hear = (socket, deadlineMs, done) => {
  const end = (answer) => {
    clearTimeout(timer);
    socket.removeAllListeners();
    socket.on('error', () => undefined);
    done(answer);
  };
  const timer = setTimeout(() => end({ error: 'TIMEOUT' }), deadlineMs);
  socket.once('message', (said) => end({ said: String(said) }));
  socket.once('error', (error) => end({ error: error.code }));
};

const call = {
  tcp: ({ port, address, keep, deadlineMs }, done) => {
    const socket = connect({ port, host: address });
    socket.setTimeout(deadlineMs, () => socket.destroy(Object.assign(new Error(), { code: 'TIMEOUT' })));
    socket.once('data', (said) => {
      if (keep) open.set(keep, socket);
      else socket.destroy();
      done({ said: String(said).trim() });
    });
    socket.on('error', (error) => done({ error: error.code }));
  },
  udp: ({ port, address, keep, deadlineMs }, done) => {
    const socket = createSocket('udp4');
    if (keep) open.set(keep, socket);
    hear(socket, deadlineMs, (answer) => {
      if (!keep) socket.close();
      done(answer);
    });
    // Connected, so that the kernel tells of refusals.
    socket.connect(port, address, () => socket.send('hello'));
  },
};

const talk = ({ kept, deadlineMs }, done) => {
  const socket = open.get(kept);
  if (socket.send) {
    hear(socket, deadlineMs, done);
    return void socket.send('again');
  }
  socket.once('data', (said) => done({ said: String(said).trim() }));
  socket.once('error', (error) => done({ error: error.code }));
  socket.write('again');
};

const answer = (id) => (found) => process.stdout.write(`${JSON.stringify({ id, ...found })}\n`);
const lines = createInterface({ input: process.stdin });
lines.on('line', (line) => {
  const { id, op, ...args } = JSON.parse(line);
  if (op === 'serve') serve[args.protocol](args, answer(id));
  else if (op === 'call') call[args.protocol](args, answer(id));
  else if (op === 'talk') talk(args, answer(id));
});
lines.on('close', () => process.exit(0));
process.stdout.write(`${JSON.stringify({ id: 0, ok: true })}\n`);
