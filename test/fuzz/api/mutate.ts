/** A request as bytes on a connection, made of a good one: its parts swapped, bent, cut, doubled and made too large. */
import type { Random } from '../../../protocols/ports.ts';
import { requests, slot } from '../../runtime/api/requests.ts';
import { app, json, service } from '../../runtime/api/rig.ts';
import { below, nasty, pick } from '../compose/nasty.ts';

interface Parts {
  method: string;
  target: string;
  headers: [name: string, value: string][];
  body: Buffer;
}

const goods: readonly Omit<Parts, 'headers'>[] = [
  ...requests.map(([route, path, asked]) => ({
    method: route.split(' ')[0]!.toUpperCase(),
    target: path,
    body: Buffer.from((asked?.().body ?? '') as string),
  })),
  ...[
    ['POST', '/v1/images/pull', JSON.stringify({ image: 'hello-web' })],
    ['POST', '/v1/images/prune', ''],
    ['POST', '/v1/images/import?name=x:1', 'no archive'],
    ['GET', '/v1/events/stream?topic=app:shop&cursor=x', ''],
    ['GET', '/v1/apps?watch=true&filter=name:shop&fields=name', ''],
    ['GET', '/v1/containers?limit=2&sort=-slot&filter=app:shop', ''],
    ['GET', `/v1/containers/${slot}/logs?follow=true`, ''],
    ['GET', `/v1/containers/${slot}/exec`, ''],
    ['GET', `/v1/containers/${slot}/files?path=/etc`, ''],
    ['PUT', `/v1/containers/${slot}/files?path=/etc`, 'no archive'],
    ['GET', `/v1/containers/${slot}/stats`, ''],
    ['POST', `/v1/containers/${slot}/pause`, ''],
    ['POST', `/v1/containers/${slot}/unpause`, ''],
    ['GET', '/v1/stats', ''],
    ['GET', '/metrics', ''],
    ['GET', '/v1/openapi.json', ''],
    ['PUT', '/v1/apps/shop', json({ spec: app('shop', service('web'), service('db')) }).body as string],
  ].map(([method, target, body]) => ({ method: method!, target: target!, body: Buffer.from(body!) })),
];

const methods = 'GET PUT POST DELETE PATCH HEAD OPTIONS TRACE CONNECT get PROPFIND QUERY PRI G'.split(' ');

/** Words that URLs, headers and parsers of either stumble on. */
const words: readonly string[] = [
  ...['%00', '%2F', '%2f..%2f', '%', '%zz', '%C0%AF', '%F0%9F%A6%86', '..', '.', '', '*', '\\', '//', ';a=b'],
  ...[
    '-1',
    '0',
    '1',
    '1001',
    '1e3',
    '0x10',
    '99999999999999999999',
    'NaN',
    'true',
    'false',
    'null',
    '[]',
    '{}',
  ],
  ...['shop', 'web', 'shop/web.1', slot, 'shop%2Fweb.0', 'n1', 'pw', '/leader/apps', 'app:shop', 'a:!b,c*'],
  ...['"x"', 'W/"x"', '*', '"', 'x'.repeat(300), '-since', 'name,', '__proto__', 'constructor', 'toString'],
  ...[
    'application/json',
    'text/event-stream',
    'application/x-ndjson',
    'text/plain;charset=x',
    'chunked',
    'gzip',
  ],
  ...[
    'http://x/',
    'file:///etc/passwd',
    'Bearer x',
    'close',
    'keep-alive',
    'upgrade',
    'websocket',
    '100-continue',
  ],
];
const parameters =
  'limit pageToken filter sort fields watch follow tail since until grep level previous cursor topic path name under volumes verbose'.split(
    ' ',
  );
const headerNames =
  'host content-length transfer-encoding content-type accept authorization if-match if-none-match idempotency-key last-event-id expect connection upgrade sec-websocket-key sec-websocket-version sec-websocket-protocol origin te trailer cookie x-a __proto__ range date content-encoding'.split(
    ' ',
  );

const word = (random: Random): string => pick(random, random.next() < 0.7 ? words : nasty);

type Mutation = (parts: Parts, random: Random) => void;

const mutations: readonly Mutation[] = [
  (parts, random) => (parts.method = pick(random, methods)),
  (parts, random) => {
    const segments = parts.target.split('/');
    segments[below(random, segments.length)] = word(random);
    parts.target = segments.join('/');
  },
  (parts, random) => (parts.target = pick(random, goods).target),
  (parts, random) => {
    for (let count = 1 + below(random, 3); count > 0; count--)
      parts.target += `${parts.target.includes('?') ? '&' : '?'}${pick(random, parameters)}=${encodeURIComponent(word(random).replace(/[\uD800-\uDFFF]/gu, 'x'))}`;
  },
  (parts, random) => {
    const at = below(random, parts.target.length + 1);
    parts.target = parts.target.slice(0, at) + word(random) + parts.target.slice(at + below(random, 3));
  },
  (parts, random) => void parts.headers.push([pick(random, headerNames), word(random)]),
  (parts, random) => void parts.headers.push([pick(random, headerNames), word(random)]),
  (parts, random) => void parts.headers.splice(below(random, parts.headers.length), 1),
  (parts, random) => {
    const many = pick(random, [10, 200, 3_000]);
    for (let at = 0; at < many; at++) parts.headers.push([`x-${at % 70}`, 'y'.repeat(below(random, 20))]);
  },
  (parts, random) => (parts.body = tree(parts.body, random)),
  (parts, random) => (parts.body = tree(parts.body, random)),
  (parts, random) => (parts.body = tree(tree(parts.body, random), random)),
  (parts, random) => (parts.body = bytes(parts.body, random)),
  (parts, random) => (parts.body = large(random)),
  (parts, random) => {
    parts.target = `/v1/containers/${slot}/exec`;
    parts.method = 'GET';
    parts.headers.push(
      ['connection', 'Upgrade'],
      ['upgrade', 'websocket'],
      ['sec-websocket-version', random.next() < 0.9 ? '13' : '9'],
      ['sec-websocket-key', random.next() < 0.9 ? 'AAAAAAAAAAAAAAAAAAAAAA==' : 'x'],
      ['sec-websocket-protocol', random.next() < 0.9 ? 'v1.exec.hivemind' : 'x'],
    );
    parts.body = Buffer.concat(Array.from({ length: 1 + below(random, 4) }, (_, at) => frame(at, random)));
  },
];

/** One value of a JSON body is another, or goes, or stands there twice. */
function tree(body: Buffer, random: Random): Buffer {
  // What is made too deep by now is walked by nobody.
  if (body.length > 15_000) return bytes(body, random);
  let root: unknown;
  try {
    root = JSON.parse(body.toString('utf8'));
  } catch {
    return bytes(body, random);
  }
  const places: [holder: Record<string, unknown>, key: string][] = [];
  const walk = (value: unknown): void => {
    if (typeof value !== 'object' || value === null) return;
    for (const key of Object.keys(value)) {
      places.push([value as Record<string, unknown>, key]);
      walk((value as Record<string, unknown>)[key]);
    }
  };
  walk(root);
  if (places.length === 0) return Buffer.from(JSON.stringify(strange(random)));
  const [holder, key] = pick(random, places);
  const way = random.next();
  if (way < 0.6) holder[key] = strange(random);
  else if (way < 0.75) delete holder[key];
  else if (way < 0.9) holder[word(random)] = holder[key];
  else holder[key] = pick(random, places)[0][key];
  try {
    return Buffer.from(JSON.stringify(root));
  } catch {
    // It holds itself by now.
    return Buffer.from('[');
  }
}

function strange(random: Random): unknown {
  return pick<() => unknown>(random, [
    () => word(random),
    () => pick(random, [0, -1, 1.5, 1e308, 2 ** 53, 65_536, -0]),
    () => pick(random, [null, true, false, [], {}]),
    () => 'x'.repeat(pick(random, [64, 65, 256, 5_000])),
    () => Array.from({ length: pick(random, [2, 100, 2_000]) }, () => word(random)),
    () =>
      Object.fromEntries(Array.from({ length: pick(random, [2, 100]) }, (_, at) => [`k${at}`, word(random)])),
    () => ({ __proto__: { a: 1 }, [word(random)]: { [word(random)]: word(random) } }),
  ])();
}

function bytes(body: Buffer, random: Random): Buffer {
  const at = below(random, body.length + 1);
  const way = random.next();
  if (way < 0.3) return body.subarray(0, at);
  if (way < 0.6) return Buffer.concat([body.subarray(0, at), Buffer.from(word(random)), body.subarray(at)]);
  const bent = Buffer.from(body);
  if (bent.length > 0) bent[at % bent.length] = below(random, 256);
  return bent;
}

function large(random: Random): Buffer {
  const depth = pick(random, [100, 10_000, 100_000]);
  return Buffer.from(
    pick(random, [
      '['.repeat(depth),
      '{"a":'.repeat(depth),
      `"${'x'.repeat(depth)}"`,
      `{"spec":${'['.repeat(depth)}${']'.repeat(depth)}}`,
    ]),
  );
}

/** A masked frame: the first what an exec begins with, then channels; any of it bent. */
function frame(at: number, random: Random): Buffer {
  const first = JSON.stringify(
    tree(Buffer.from(JSON.stringify({ args: ['cat'], terminal: false })), random).toString(),
  );
  const payload =
    at === 0
      ? Buffer.from(random.next() < 0.5 ? '{"args":["cat"],"terminal":false}' : (JSON.parse(first) as string))
      : Buffer.from([below(random, 8), ...randomFrom(random)]);
  const opcode = random.next() < 0.8 ? (at === 0 ? 0x81 : 0x82) : below(random, 256);
  const said = random.next() < 0.9 ? payload.length : below(random, 126);
  const head =
    said < 126 ? Buffer.from([opcode, 0x80 | said]) : Buffer.from([opcode, 0xfe, said >> 8, said & 255]);
  const mask = Buffer.from([1, 2, 3, 4]);
  return Buffer.concat([head, mask, payload.map((byte, index) => byte ^ mask[index % 4]!)]);
}

const randomFrom = (random: Random): number[] =>
  Array.from({ length: below(random, 40) }, () => below(random, 256));

/** The pieces in which it is sent. */
export function mutatedRequest(random: Random): readonly Buffer[] {
  const good = pick(random, goods);
  const parts: Parts = {
    ...good,
    headers: [
      ['host', 'x'],
      ['content-type', 'application/json'],
    ],
  };
  for (let count = below(random, 4); count > 0; count--) pick(random, mutations)(parts, random);
  const chunked = random.next() < 0.1;
  const body = chunked ? chunks(parts.body, random) : parts.body;
  if (chunked) parts.headers.push(['transfer-encoding', 'chunked']);
  else if (body.length > 0 && random.next() < 0.97) {
    const isUpgrade = parts.headers.some(([name]) => name === 'upgrade');
    const length = random.next() < 0.97 ? body.length : below(random, 2 * body.length);
    if (!isUpgrade) parts.headers.push(['content-length', String(length)]);
  }
  const lines = parts.headers.map(([name, text]) => `${name}: ${text}`);
  const head = `${parts.method} ${parts.target} HTTP/1.1\r\n${lines.join('\r\n')}\r\n\r\n`;
  let whole: Buffer = Buffer.concat([Buffer.from(head), body]);
  if (random.next() < 0.03) whole = bytes(whole, random);
  if (random.next() < 0.02) whole = Buffer.concat([whole, whole]);
  if (random.next() < 0.9) return [whole];
  const cut = below(random, whole.length);
  return [whole.subarray(0, cut), whole.subarray(cut)];
}

function chunks(body: Buffer, random: Random): Buffer {
  const cut = below(random, body.length + 1);
  const size = (length: number): string => (random.next() < 0.9 ? length.toString(16) : word(random));
  const pieces = [body.subarray(0, cut), body.subarray(cut)].filter((piece) => piece.length > 0);
  return Buffer.concat([
    ...pieces.flatMap((piece) => [Buffer.from(`${size(piece.length)}\r\n`), piece, Buffer.from('\r\n')]),
    Buffer.from(random.next() < 0.9 ? '0\r\n\r\n' : ''),
  ]);
}
