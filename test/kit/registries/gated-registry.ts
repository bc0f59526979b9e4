/**
 * A slow registry: it stands before another one and passes everything on, but of large layers only the first half until
 * its gate is opened. What waits for it waits for no clock.
 */
import { once } from 'node:events';
import { createServer, request, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { pipeline } from 'node:stream/promises';
import { Transform } from 'node:stream';

export interface GatedRegistry {
  /** `127.0.0.1:PORT` */
  readonly host: string;
  /** Layers held back by now. */
  readonly held: number;
  /** From now on whole layers. */
  open(): void;
  /** From now on the first half, then silence. */
  shut(): void;
  close(): Promise<void>;
}

/** Smaller ones, as configurations, are never held. */
const largeBytes = 100_000;

function newGate(): { readonly promise: Promise<void>; resolve(): void } {
  let resolve = (): void => {};
  const promise = new Promise<void>((open) => (resolve = open));
  return { promise, resolve: () => resolve() };
}

export async function startGatedRegistry(upstream: string): Promise<GatedRegistry> {
  let gate = newGate();
  let held = 0;
  const pass = async (asked: IncomingMessage, answer: ServerResponse): Promise<void> => {
    const [host, port] = upstream.split(':');
    const { method, url: path, headers } = asked;
    const further = request({ host, port, method, path, headers: { ...headers, host: upstream } });
    further.end();
    const [found] = (await once(further, 'response')) as [IncomingMessage];
    answer.writeHead(found.statusCode ?? 502, found.headers);
    const bytes = Number(found.headers['content-length'] ?? 0);
    const isLayer = path?.includes('/blobs/') === true && bytes >= largeBytes;
    await (isLayer ? pipeline(found, halfFirst(bytes), answer) : pipeline(found, answer));
  };
  const halfFirst = (bytes: number): Transform => {
    let passed = 0;
    let isHeld = false;
    return new Transform({
      transform: (chunk: Buffer, _encoding, done) => {
        passed += chunk.length;
        if (passed < bytes / 2) return done(null, chunk);
        if (!isHeld) held += 1;
        isHeld = true;
        void gate.promise.then(() => done(null, chunk));
      },
    });
  };
  const server = createServer((asked, answer) => {
    pass(asked, answer).catch(() => answer.destroy());
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    host: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    get held() {
      return held;
    },
    open: () => gate.resolve(),
    shut: () => {
      gate.resolve();
      gate = newGate();
      held = 0;
    },
    close: async () => {
      gate.resolve();
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}
