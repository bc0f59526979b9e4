/** House rule: the floors' arrows. Who may import whom stands in ARCHITECTURE.md; here it is kept. */
import { expect, test } from 'vitest';
import { isGenerated, importsOf, sources, told, type Source } from './sources.ts';

const allowed: Readonly<Record<string, readonly RegExp[]>> = {
  protocols: [/^protocols\//, /^zod$/],
  transport: [/^protocols\//, /^transport\//, /^node:/, /^ws$/, /^lru-cache$/],
  actors: [/^protocols\//, /^actors\//, /^xstate$/],
  supervisors: [/^protocols\//, /^actors\//, /^supervisors\//, /^xstate$/],
  runtime: [/^(?!test\/)/],
  test: [/./],
};

/** Rooms of the runtime that reach the rest only by the API. */
const behindApi: Readonly<Record<string, readonly RegExp[]>> = {
  'runtime/cli/': [
    /^runtime\/(cli|compose|config)\//,
    // Archives of this machine's own files.
    /^runtime\/files\//,
    // Both ends of a forwarded connection are the same.
    /^runtime\/forwarding\//,
    /^runtime\/(purge|node-handle)\.ts$/,
    /^runtime\/world\/real-clock\.ts$/,
  ],
};

function mayImport(source: Source, to: string): boolean {
  if (source.path.startsWith('protocols/wire/') && to === 'msgpackr') return true;
  return allowed[source.floor]!.some((rule) => rule.test(to));
}

test('imports follow the floors', () => {
  const violations = sources
    .filter(({ path }) => !isGenerated(path))
    .flatMap((source) =>
      importsOf(source)
        .filter(({ to }) => !mayImport(source, to))
        .map(
          ({ to, line }) =>
            `${source.path}:${line}  ${source.floor} may not import ${to} — move the decision down a floor, or pass it in through a port`,
        ),
    );
  expect(told(violations)).toBe('');
});

test('the command line reaches the node only by the API', () => {
  const violations = sources.flatMap((source) => {
    const room = Object.keys(behindApi).find((prefix) => source.path.startsWith(prefix));
    if (!room) return [];
    return importsOf(source)
      .filter(
        ({ to, typeOnly }) =>
          to.startsWith('runtime/') && !typeOnly && !behindApi[room]!.some((rule) => rule.test(to)),
      )
      .map(({ to, line }) => `${source.path}:${line}  imports ${to} — ask the API instead`);
  });
  expect(told(violations)).toBe('');
});

test('protocols decide without waiting: no async', () => {
  const violations = sources
    .filter(({ floor }) => floor === 'protocols')
    .flatMap(({ path, lines }) =>
      lines.flatMap((line, at) =>
        /\basync\b|\bawait\b/.test(line.replace(/\/\/.*|\*.*/, ''))
          ? [`${path}:${at + 1}  async — return an effect and take the answer as an event`]
          : [],
      ),
    );
  expect(told(violations)).toBe('');
});

test('what only looks like the real thing is out of reach of the product', () => {
  const simulates = /^(?:runtime\/simulation\/|runtime\/world\/simulated\/|test\/)/;
  const violations = sources
    .filter(({ path }) => !simulates.test(path))
    .flatMap((source) =>
      importsOf(source)
        .filter(({ to }) => /^runtime\/(?:simulation|world\/simulated)\//.test(to))
        .map(
          ({ to, line }) => `${source.path}:${line}  imports ${to} — a node never runs on what is simulated`,
        ),
    );
  expect(told(violations)).toBe('');
});
