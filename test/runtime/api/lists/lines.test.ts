/** Streams are bounded: a slow reader gets a gap, never our memory. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { ndjson, streamOf, type Gap } from '../../../../runtime/api/lines.ts';
import { createStreamCount } from '../../../../runtime/api/context.ts';
import { reasonOf } from '../../../../protocols/errors.ts';
import { limits } from '../../../../protocols/limits.ts';

interface Numbered {
  readonly n: number;
}

function open(present: readonly Numbered[], bounds?: { lines: number; bytes: number }) {
  let push: (line: Numbered | Gap) => void = () => {};
  let end: () => void = () => {};
  const told = { closed: 0, stopped: 0 };
  const stream = streamOf<Numbered>(
    {
      present: () => present,
      follow: (pushed, ended) => {
        push = (line) => void pushed(line);
        end = ended;
        return () => void (told.stopped += 1);
      },
    },
    ndjson,
    () => void (told.closed += 1),
    bounds,
  );
  return { stream, told, push: (n: number) => push({ n }), end: () => end() };
}

async function read(stream: ReadableStream<Uint8Array>): Promise<(Numbered | Gap)[]> {
  const text = await new Response(stream).text();
  return text === ''
    ? []
    : text
        .trimEnd()
        .split('\n')
        .map((line) => JSON.parse(line) as Numbered | Gap);
}

test('what is there comes first, then what happens, then the end', async () => {
  const { stream, told, push, end } = open([{ n: 1 }, { n: 2 }]);
  push(3);
  push(4);
  end();
  expect(await read(stream)).toEqual([{ n: 1 }, { n: 2 }, { n: 3 }, { n: 4 }]);
  expect(told).toEqual({ closed: 1, stopped: 1 });
});

test('beyond the bounds lines are dropped and counted: what is kept and the gaps make the whole', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.nat(60),
      fc.integer({ min: 1, max: 20 }),
      fc.integer({ min: 8, max: 200 }),
      async (count, lines, bytes) => {
        const { stream, push, end } = open([], { lines, bytes });
        for (let n = 1; n <= count; n++) push(n);
        end();
        const seen = await read(stream);
        const kept = seen.flatMap((line) => ('gap' in line ? [] : [line.n]));
        const missing = seen.reduce((sum, line) => sum + ('gap' in line ? line.gap : 0), 0);
        expect(kept).toEqual(Array.from({ length: kept.length }, (_, i) => i + 1));
        expect(kept.length + missing).toBe(count);
        expect(kept.length).toBeLessThanOrEqual(lines);
      },
    ),
  );
});

test('after a gap was told, lines come again', async () => {
  const { stream, push, end } = open([], { lines: 1, bytes: 1_000 });
  const reader = stream.getReader();
  const piece = async () => new TextDecoder().decode((await reader.read()).value);
  push(1);
  push(2);
  push(3);
  expect(await piece()).toBe('{"n":1}\n{"gap":2}\n');
  push(4);
  expect(await piece()).toBe('{"n":4}\n');
  end();
  expect((await reader.read()).done).toBe(true);
});

test('a reader that goes ends the following, once', async () => {
  const { stream, told } = open([{ n: 1 }]);
  const reader = stream.getReader();
  await reader.read();
  const waiting = reader.read();
  await reader.cancel();
  await waiting;
  expect(told).toEqual({ closed: 1, stopped: 1 });
});

test('streams are counted: one too many is refused, one that closed makes room, once', () => {
  const streams = createStreamCount();
  const closers = Array.from({ length: limits.apiStreams }, () => streams.open());
  const refused = (): string => {
    try {
      streams.open();
      return 'opened';
    } catch (thrown) {
      return reasonOf(thrown).code;
    }
  };
  expect(refused()).toBe('HM-API-BUSY');
  closers[0]!();
  closers[0]!();
  expect(refused()).toBe('opened');
  expect(refused()).toBe('HM-API-BUSY');
});
