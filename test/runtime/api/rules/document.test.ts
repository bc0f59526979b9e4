/**
 * The OpenAPI document by itself: it is one by OpenAPI's own meta-schema, every reference leads somewhere, every
 * operation has a name that stays and says how it is refused.
 */
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { expect, test } from 'vitest';
import { openApiDocument } from '../../../../runtime/api/app.ts';

interface Operation {
  readonly operationId?: string;
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

test('it is an OpenAPI 3.1 document, by the meta-schema of OpenAPI', () => {
  const place = '@seriousme/openapi-schema-validator/schemas/v3.1/schema.json';
  const metaSchema = readFileSync(createRequire(import.meta.url).resolve(place), 'utf8');
  const validate = new Ajv2020({ strict: false, validateFormats: false }).compile(
    JSON.parse(metaSchema) as object,
  );
  expect([validate(document), validate.errors]).toEqual([true, null]);
  // The meta-schema can refuse.
  expect(validate({ ...document, paths: { v1: {} } })).toBe(false);
});

test('every schema in it is one, by the meta-schema of JSON Schema 2020-12', () => {
  const ajv = new Ajv2020({ strict: false, validateFormats: false });
  const schemas = schemasIn(document);
  expect(schemas.length).toBeGreaterThan(100);
  for (const schema of schemas) expect([ajv.validateSchema(schema), ajv.errors]).toEqual([true, null]);
});

/** Those of parameters, headers and bodies, and the components. */
function schemasIn(value: unknown): object[] {
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).flatMap(([key, inner]) => {
    if (key === 'schema') return [inner as object];
    return key === 'schemas' ? Object.values(inner as Record<string, object>) : schemasIn(inner);
  });
}

/** Programs are generated from these names: one that changes breaks them. New ones are added. */
const operations = [
  'acceptStore',
  'createJoinToken',
  'createToken',
  'createVolume',
  'deployApp',
  'examineNode',
  'execInContainer',
  'explainContainer',
  'exportImage',
  'forwardPort',
  'getActor',
  'getApp',
  'getCluster',
  'getContainer',
  'getDeployment',
  'getImage',
  'getLiveness',
  'getNode',
  'getReadiness',
  'getSecret',
  'getStats',
  'getVersion',
  'importImage',
  'leaveCluster',
  'listActors',
  'listApps',
  'listContainers',
  'listDeployments',
  'listEndpoints',
  'listEvents',
  'listImages',
  'listJoinTokens',
  'listNetworks',
  'listNodes',
  'listProcesses',
  'listRevisions',
  'listSecrets',
  'listServices',
  'listStats',
  'listTokens',
  'listTraffic',
  'listVolumes',
  'mendNode',
  'pauseContainer',
  'planApp',
  'pruneImages',
  'pullImage',
  'readFiles',
  'readLogs',
  'readMetrics',
  'readTranscript',
  'rekeySecrets',
  'removeApp',
  'removeImage',
  'removeSecret',
  'removeVolume',
  'restartApp',
  'revokeJoinToken',
  'revokeToken',
  'rollbackApp',
  'rotateGossipKeys',
  'rotateSecret',
  'scaleApp',
  'setSecret',
  'streamEvents',
  'unpauseContainer',
  'writeFiles',
];

test('every operation has a name of its own, which stays', () => {
  const names = Object.values(document.paths).flatMap((methods) =>
    Object.values(methods).map(({ operationId = '' }) => operationId),
  );
  expect(names.toSorted((a, b) => (a < b ? -1 : 1))).toEqual(operations);
  expect(new Set(names).size).toBe(names.length);
  for (const name of names) expect(name).toMatch(/^[a-z]+(?:[A-Z][a-z]+)*$/);
});

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
