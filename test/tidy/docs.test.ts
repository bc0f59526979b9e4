/** House rule: what can be checked against the code is: scripts, error codes, ports and their conformance suites. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { catalogue } from '../../protocols/errors.ts';
import { root, sources, told } from './sources.ts';

const read = (file: string): string => readFileSync(join(root, file), 'utf8');

test('every script stands in the README', () => {
  const readme = read('README.md');
  const { scripts } = JSON.parse(read('package.json')) as { scripts: Record<string, string> };
  const lacking = Object.keys(scripts).filter(
    (name) => !readme.includes(name === 'start' || name === 'test' ? `npm ${name}` : `npm run ${name}`),
  );
  expect(
    told(
      lacking.map(
        (name) => `README.md:1  does not say what "npm run ${name}" does — add it to the table of scripts`,
      ),
    ),
  ).toBe('');
});

test('every script the README names exists', () => {
  const { scripts } = JSON.parse(read('package.json')) as { scripts: Record<string, string> };
  const named = [...read('README.md').matchAll(/npm run ([a-z0-9-]+)/g)].map((match) => match[1]!);
  const gone = [...new Set(named)].filter((name) => !(name in scripts));
  expect(told(gone.map((name) => `README.md:1  names "npm run ${name}", which does not exist`))).toBe('');
});

test('every dependency has its reason in ARCHITECTURE.md', () => {
  const page = read('ARCHITECTURE.md');
  const { dependencies } = JSON.parse(read('package.json')) as { dependencies: Record<string, string> };
  const lacking = Object.keys(dependencies).filter((name) => !page.includes(name));
  expect(
    told(lacking.map((name) => `ARCHITECTURE.md:1  gives no reason for ${name} — say why it is here`)),
  ).toBe('');
});

test('every error code is used, and every code used is in the catalogue', () => {
  const code = /HM-[A-Z]+(?:-[A-Z]+)+|HM-[A-Z]+\b/g;
  const used = new Set<string>();
  const violations: string[] = [];
  for (const { path, floor, lines } of sources) {
    if (floor === 'test' || path === 'protocols/errors.ts') continue;
    for (const [at, line] of lines.entries()) {
      for (const [found] of line.matchAll(code)) {
        used.add(found);
        const isPrefix = Object.keys(catalogue).some((known) => known.startsWith(found));
        if (!isPrefix)
          violations.push(`${path}:${at + 1}  ${found} is in no catalogue — add it to protocols/errors.ts`);
      }
    }
  }
  const idle = Object.keys(catalogue).filter((known) => !used.has(known));
  violations.push(...idle.map((known) => `protocols/errors.ts:1  ${known} is used nowhere — remove it`));
  expect(told(violations)).toBe('');
});

test('every port has a conformance suite', () => {
  const suites: Readonly<Record<string, readonly string[]>> = {
    StateStore: ['state-store'],
    Journal: ['journal'],
    ContainerRuntime: ['container-runtime'],
    ImageSource: ['image-source'],
    NetworkDriver: ['network-driver'],
    VolumeDriver: ['volume-driver'],
    NameServer: ['name-server'],
    Probe: ['probe'],
    SecretBox: ['secret-box'],
    GrantFiles: ['grant-files'],
  };
  // Time and chance have one real driver each, without anything to disagree about.
  const without = new Set(['Clock', 'Random', 'ExecSession']);
  const ports = [
    ...read('protocols/ports.ts').matchAll(/^export interface (\w+)[^{]*\{([\s\S]*?)^\}/gm),
  ].filter(([, name, body]) => /\w+\([^)]*\):/.test(body!) && !without.has(name!));
  const violations = ports.flatMap(([, name]) => {
    const places =
      suites[name!]?.flatMap((suite) => [
        `test/conformance/${suite}.ts`,
        `test/conformance/${suite}/suite.ts`,
        `test/conformance/${suite}/${suite}.ts`,
      ]) ?? [];
    return places.some((place) => existsSync(join(root, place)))
      ? []
      : [`protocols/ports.ts:1  ${name} has no suite in test/conformance — one that all of its drivers pass`];
  });
  expect(told(violations)).toBe('');
});
