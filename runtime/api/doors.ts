/** Where the API listens: a unix socket whose mode is the lock, and this machine's loopback. */
import { chmod, mkdir, rm } from 'node:fs/promises';
import type { Server } from 'node:http';
import { connect, type AddressInfo } from 'node:net';
import { dirname } from 'node:path';
import { coded } from '../../protocols/errors.ts';
import { limits } from '../../protocols/limits.ts';

/** A socket file that a killed node left behind is replaced; one that somebody answers on is HM-API-LISTEN. */
export async function listenOnSocket(server: Server, path: string): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  if (await answers(path)) {
    throw coded(
      'HM-API-LISTEN',
      `Another node answers on ${path}`,
      { socket: path },
      'Stop it first, or give --name or --socket another.',
    );
  }
  await rm(path, { force: true });
  // Nobody may slip in between listening and changing the mode.
  const before = process.umask(0o177);
  try {
    // Who comes beyond it is refused at once: a thousand watchers may come together.
    await listening(server, path, () => server.listen({ path, backlog: limits.apiConnections }));
  } finally {
    process.umask(before);
  }
  await chmod(path, 0o600);
}

/** Answers the port: a free one when 0 was asked for. HM-API-LISTEN. */
export async function listenOnLoopback(
  server: Server,
  address: { readonly host: string; readonly port: number },
): Promise<number> {
  const { host, port } = address;
  await listening(server, `${host}:${port}`, () => server.listen(port, host));
  return (server.address() as AddressInfo).port;
}

function listening(server: Server, where: string, listen: () => void): Promise<void> {
  return new Promise((resolve, reject) => {
    const failed = (error: NodeJS.ErrnoException): void => {
      const text = error.code === 'EADDRINUSE' ? `Something listens on ${where} already` : error.message;
      reject(coded('HM-API-LISTEN', text, { where }));
    };
    server.once('error', failed);
    server.once('listening', () => {
      server.off('error', failed);
      resolve();
    });
    listen();
  });
}

function answers(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(path, () => {
      socket.destroy();
      resolve(true);
    });
    socket.on('error', () => resolve(false));
  });
}
