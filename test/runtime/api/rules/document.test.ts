/** The OpenAPI document by itself: every reference leads somewhere, every operation says how it is refused. */
import { expect, test } from 'vitest';
import { openApiDocument } from '../../../../runtime/api/app.ts';

interface Operation {
  readonly summary?: string;
  readonly parameters?: readonly {
    readonly name: string;
    readonly in: string;
    readonly required?: boolean;
  }[];
  readonly responses: Readonly<Record<string, { readonly content?: object }>>;
}

const document = openApiDocument('1.0.0') as {
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
};

const references = (value: unknown): string[] =>
  typeof value !== 'object' || value === null
    ? []
    : Object.entries(value).flatMap(([key, inner]) => (key === '$ref' ? [String(inner)] : references(inner)));

test('every reference resolves', () => {
  const found = references(document);
  expect(found.length).toBeGreaterThan(20);
  for (const reference of found) {
    const place = reference
      .replace('#/', '')
      .split('/')
      .reduce<unknown>((value, name) => (value as Record<string, unknown> | undefined)?.[name], document);
    expect([reference, typeof place]).toEqual([reference, 'object']);
  }
});

test('every operation has a summary, its path parameters, and problems', () => {
  for (const [path, methods] of Object.entries(document.paths))
    for (const [method, { summary, parameters = [], responses }] of Object.entries(methods)) {
      const name = `${method} ${path}`;
      expect([name, summary]).toEqual([name, expect.stringMatching(/./)]);
      const inPath = parameters.filter((one) => one.in === 'path' && one.required === true);
      const wanted = [...path.matchAll(/\{(\w+)\}/g)].map(([, parameter]) => parameter);
      const inOrder = (names: readonly (string | undefined)[]) =>
        names.toSorted((a = '', b = '') => (a < b ? -1 : 1));
      expect([name, inOrder(inPath.map((one) => one.name))]).toEqual([name, inOrder(wanted)]);
      if (!('101' in responses))
        expect([name, Object.keys(responses['default']?.content ?? {})]).toEqual([
          name,
          ['application/problem+json'],
        ]);
    }
});
