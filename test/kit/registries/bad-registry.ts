/**
 * A registry in this process that holds images in memory and misbehaves as it is told: it stalls, cuts, lies, refuses,
 * sends away. It counts the bytes of layers that it has sent.
 */
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { gzipSync } from 'node:zlib';
import { pack } from 'tar-stream';

/** What it does instead of answering; `undefined`: it answers. */
export type Misdeed = (
  request: IncomingMessage,
  response: ServerResponse,
  blob: Buffer | undefined,
) => boolean | void;

export interface BadRegistry {
  readonly host: string;
  /** Adds an image of these layers (tar, gzip) under `name:1`; answers the digests. */
  add(
    name: string,
    layers: readonly Layer[],
  ): { readonly manifest: string; readonly layers: readonly string[] };
  /** A document as it is, under `name:1`. */
  addManifest(name: string, body: string | Buffer): void;
  /** Asked before every answer; true: it has answered. */
  misdeed: Misdeed;
  /** Requests in order: `GET /v2/…`. */
  readonly asked: string[];
  /** Headers of them. */
  readonly headers: IncomingMessage['headers'][];
  /** Bytes of blobs that were sent. */
  sentBytes: number;
  close(): Promise<void>;
}

export interface Layer {
  /** Packed. */
  readonly bytes: Buffer;
  readonly diffId: string;
}

export const sha256 = (bytes: Buffer | string): string =>
  `sha256:${createHash('sha256').update(bytes).digest('hex')}`;

/** A layer of one file. */
export async function layerOf(name: string, content: Buffer): Promise<Layer> {
  const tar = pack();
  tar.entry({ name }, content);
  tar.finalize();
  const pieces: Buffer[] = [];
  for await (const piece of tar) pieces.push(piece as Buffer);
  const plain = Buffer.concat(pieces);
  return { bytes: gzipSync(plain, { level: 1 }), diffId: sha256(plain) };
}

export async function startBadRegistry(): Promise<BadRegistry> {
  const manifests = new Map<string, Buffer>();
  const blobs = new Map<string, Buffer>();
  const server = createServer((request, response) => {
    const path = request.url ?? '';
    registry.asked.push(`${request.method} ${path}`);
    registry.headers.push(request.headers);
    const [, name = '', kind, reference = ''] = /^\/v2\/(.+)\/(manifests|blobs)\/([^?]+)/.exec(path) ?? [];
    const blob = kind === 'blobs' ? blobs.get(reference) : undefined;
    if (registry.misdeed(request, response, blob)) return;
    if (kind === 'manifests') {
      const found = manifests.get(`${name}:${reference}`);
      if (!found) return void response.writeHead(404).end();
      response.writeHead(200, { 'content-length': found.length, 'docker-content-digest': sha256(found) });
      return void response.end(request.method === 'HEAD' ? undefined : found);
    }
    if (!blob) return void response.writeHead(404).end();
    sendBlob(registry, request, response, blob);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const put = (bytes: Buffer): { digest: string; size: number } => {
    blobs.set(sha256(bytes), bytes);
    return { digest: sha256(bytes), size: bytes.length };
  };
  const registry: BadRegistry = {
    host: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    misdeed: () => false,
    asked: [],
    headers: [],
    sentBytes: 0,
    addManifest: (name, body) => void manifests.set(`${name}:1`, Buffer.from(body)),
    add: (name, layers) => {
      const rootfs = { type: 'layers', diff_ids: layers.map(({ diffId }) => diffId) };
      const config = { architecture: 'amd64', os: 'linux', config: {}, rootfs };
      const parts = layers.map(({ bytes }) => put(bytes));
      const manifest = Buffer.from(
        JSON.stringify({
          schemaVersion: 2,
          mediaType: 'application/vnd.oci.image.manifest.v1+json',
          config: {
            mediaType: 'application/vnd.oci.image.config.v1+json',
            ...put(Buffer.from(JSON.stringify(config))),
          },
          layers: parts.map((part) => ({
            mediaType: 'application/vnd.oci.image.layer.v1.tar+gzip',
            ...part,
          })),
        }),
      );
      manifests.set(`${name}:1`, manifest);
      manifests.set(`${name}:${sha256(manifest)}`, manifest);
      return { manifest: sha256(manifest), layers: parts.map(({ digest }) => digest) };
    },
    close: async () => {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
  return registry;
}

/** With ranges; `upTo` cuts the connection after so many bytes of the answer. */
export function sendBlob(
  registry: BadRegistry,
  request: IncomingMessage,
  response: ServerResponse,
  blob: Buffer,
  upTo = Infinity,
): void {
  const start = Number(/^bytes=(\d+)-$/.exec(request.headers.range ?? '')?.[1] ?? 0);
  const body = blob.subarray(start);
  const range = start > 0 ? { 'content-range': `bytes ${start}-${blob.length - 1}/${blob.length}` } : {};
  response.writeHead(start > 0 ? 206 : 200, { 'content-length': body.length, ...range });
  const sent = body.subarray(0, Math.min(body.length, upTo));
  registry.sentBytes += sent.length;
  if (sent.length === body.length) response.end(sent);
  else response.write(sent, () => response.destroy());
}
