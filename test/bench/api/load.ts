/** Asks as fast as it is answered, over connections that are kept, with as little work of its own as can be. */
import { connect, type Socket } from 'node:net';

const headEnd = Buffer.from('\r\n\r\n');

/** Requests a second over `connections`, one under way on each. Rejects at the first answer that is not a 200. */
export async function requestsPerSecond(
  socketPath: string,
  path: string,
  { connections, seconds }: { readonly connections: number; readonly seconds: number },
): Promise<number> {
  const request = `GET ${path} HTTP/1.1\r\nhost: x\r\n\r\n`;
  const until = performance.now() + seconds * 1_000;
  const from = performance.now();
  const counts = await Promise.all(
    Array.from({ length: connections }, () => askUntil(connect(socketPath), request, until)),
  );
  return counts.reduce((sum, count) => sum + count, 0) / ((performance.now() - from) / 1_000);
}

function askUntil(socket: Socket, request: string, until: number): Promise<number> {
  return new Promise((resolve, reject) => {
    let count = 0;
    let rest: Buffer = Buffer.alloc(0);
    let awaited = 0;
    socket.on('error', reject);
    socket.on('connect', () => socket.write(request));
    socket.on('data', (chunk) => {
      if (awaited === 0) {
        rest = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
        const end = rest.indexOf(headEnd);
        if (end < 0) return;
        const head = rest.toString('latin1', 0, end);
        const length = /content-length: (\d+)/i.exec(head);
        if (!head.startsWith('HTTP/1.1 200') || !length) {
          socket.destroy();
          return reject(new Error(head));
        }
        awaited = Number(length[1]) - (rest.length - end - headEnd.length);
        rest = Buffer.alloc(0);
      } else awaited -= chunk.length;
      if (awaited > 0) return;
      count += 1;
      if (performance.now() < until) return void socket.write(request);
      socket.destroy();
      resolve(count);
    });
  });
}
