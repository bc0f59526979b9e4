/** What nodes under test run: the hello app, and busybox. */
import { once } from 'node:events';
import { createReadStream, readFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { request, type IncomingMessage } from 'node:http';
import { join, resolve } from 'node:path';
import { text } from 'node:stream/consumers';
import { pipeline } from 'node:stream/promises';
import { buildHelloImages } from '../../../runtime/images/build-hello.ts';
import { writeBusyboxArchive } from '../busybox-image.ts';
import type { TestDaemon } from './daemon.ts';

const root = resolve(import.meta.dirname, '../../..');

export async function importHelloImages(daemon: TestDaemon): Promise<void> {
  const { archives } = await buildHelloImages({
    imagesDir: join(root, '.cache/images'),
    contentDir: join(root, 'examples/hello/web'),
  });
  for (const archive of archives) await importImage(daemon, archive);
}

/** As `busybox:latest`. */
export async function importBusybox(daemon: Pick<TestDaemon, 'dir' | 'socketPath'>): Promise<void> {
  const archive = join(daemon.dir, 'busybox.tar');
  await writeBusyboxArchive(archive, { name: 'busybox:latest' });
  await importImage(daemon, archive);
}

/** What `hivemind image import` asks, without a process for each; `name` instead of the archive's own. */
export async function importImage(
  daemon: Pick<TestDaemon, 'socketPath'>,
  archive: string,
  name?: string,
): Promise<void> {
  const query = name === undefined ? '' : `?name=${encodeURIComponent(name)}`;
  const asked = request({
    socketPath: daemon.socketPath,
    path: `/v1/images/import${query}`,
    method: 'POST',
    headers: { 'content-type': 'application/octet-stream' },
  });
  const answered = once(asked, 'response') as Promise<[IncomingMessage]>;
  await pipeline(createReadStream(archive), asked);
  const [response] = await answered;
  const said = await text(response);
  if (response.statusCode !== 200) throw new Error(said);
}

/** The hello app on a port of its own; answers the path of the Compose file. */
export async function writeHello(daemon: TestDaemon, hostPort: number): Promise<string> {
  const compose = readFileSync(join(root, 'examples/hello/compose.yaml'), 'utf8').replaceAll(
    '127.0.0.1:8080',
    `127.0.0.1:${hostPort}`,
  );
  const path = join(daemon.dir, 'compose.yaml');
  await writeFile(path, compose);
  return path;
}

/** What the hello app answers a browser of the command line, and the visits that it has counted. */
export async function visitHello(hostPort: number): Promise<{ page: string; visits: number }> {
  const headers = { accept: 'text/plain', 'user-agent': 'curl/8' };
  const page = await (await fetch(`http://127.0.0.1:${hostPort}/`, { headers })).text();
  return { page, visits: Number(/visits:\s+(\d+)/.exec(page)?.[1]) };
}
