/**
 * Files made from Compose's schema, right and wrong: what the schema refuses, we refuse. Where we do not, on purpose,
 * stands in `differences`.
 */
import { Ajv, type ErrorObject } from 'ajv';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { compileText } from '../compile-text.ts';
import { composeSchema, resolved, type Schema } from './schema.ts';

const { $schema: _, ...schema } = composeSchema as Schema & { $schema: string };
// Scalars are taken as they are written, `1.10` and `true` too, where Compose wants quotes around them.
const coercing = new Ajv({ strict: false, coerceTypes: true, allErrors: true }).compile(schema);
// Coerced, some values fit two forms of which only one may fit: they are right as they stand.
const exact = new Ajv({ strict: false, allErrors: true }).compile(schema);

/** What the schema has against a file. */
function errorsOf(text: string): readonly ErrorObject[] {
  if (exact(JSON.parse(text)) || coercing(JSON.parse(text))) return [];
  const places = new Set(exact.errors!.map(({ instancePath }) => instancePath));
  return coercing.errors!.filter(({ instancePath }) => places.has(instancePath));
}

/** What the schema refuses and we do not, each with its reason. */
const differences: readonly (readonly [where: RegExp, why: string])[] = [
  [/\/(command|entrypoint)$/, 'a truth value is taken as it is written'],
  [/^\/(volumes|networks|configs|secrets)$/, 'nothing is an empty map, as after the last entry was removed'],
  [/\/(labels|annotations|environment|sysctls)$/, 'nothing is an empty map'],
  [/^\/services\/a\/develop\b/, 'without effect, so that nothing depends on its form'],
  [/^\/models\b/, 'without effect, so that nothing depends on its form'],
  [
    /\/(driver_opts|options|aux_addresses)\b/,
    'without effect on networks, so that nothing depends on its form',
  ],
  [/\/volume\/labels\b/, 'without effect on a mount, so that nothing depends on its form'],
  [
    /\/(ip_range|gateway|gw_priority|consistency|selinux|app_protocol|name|attach|cpu_count|cpu_percent)$/,
    'a single value without effect',
  ],
];

const isMeant = ({ instancePath }: ErrorObject): boolean =>
  differences.some(([where]) => where.test(instancePath));

/** Worked in before compiling, which refuses what is left of them. */
const loaded = new Set(['include', 'extends', 'env_file', 'label_file', 'profiles']);

const words = fc.constantFrom(
  ...[
    'x',
    '/x',
    './x:/y',
    'a=b',
    'a:1.2.3.4',
    '10s',
    '64m',
    '80:80',
    '1.2.3.4',
    'host',
    'private',
    'true',
    '1',
  ],
  ...['b', 'service:b', 'default', 'none', 'c 1:3 mr', 'NET_ADMIN', 'replicated', 'any', 'linux/amd64', ''],
);
const wrong = fc.oneof(
  fc.constant(null),
  fc.integer(),
  fc.boolean(),
  words,
  fc.constant({}),
  fc.constant([]),
  fc.constant({ zz: 1 }),
  fc.constant([['x']]),
  fc.constant(['x', 'x']),
);

function valueOf(form: Schema, depth = 0): fc.Arbitrary<unknown> {
  const known = resolved(form);
  const right = rightOf(known, depth);
  return fc.oneof({ weight: 12, arbitrary: right }, { weight: 1, arbitrary: wrong });
}

function rightOf(known: Schema, depth: number): fc.Arbitrary<unknown> {
  if (known.oneOf) return fc.oneof(...known.oneOf.map((one) => valueOf(one, depth)));
  if (known.enum) return fc.constantFrom(...known.enum);
  const types = [known.type ?? 'object'].flat();
  return fc.oneof(...types.map((type) => ofType(type, known, depth)));
}

function ofType(type: string, known: Schema, depth: number): fc.Arbitrary<unknown> {
  if (type === 'string') return words;
  if (type === 'integer' || type === 'number') return fc.integer({ min: 0, max: 200 });
  if (type === 'boolean') return fc.boolean();
  if (type === 'null') return fc.constant(null);
  if (type === 'array') return fc.array(valueOf(known.items ?? {}, depth + 1), { maxLength: 2 });
  const entries = Object.entries(known.properties ?? {}).filter(([key]) => !loaded.has(key));
  const named = Object.entries(known.patternProperties ?? {}).filter(([pattern]) => pattern !== '^x-');
  const fields = fc.record(
    Object.fromEntries(entries.map(([key, value]) => [key, valueOf(value, depth + 1)])),
    { requiredKeys: [...(known.required ?? [])] },
  );
  const some =
    entries.length > 6
      ? fc
          .subarray(entries, { minLength: 1, maxLength: 2 })
          .chain((few) =>
            fc.record(Object.fromEntries(few.map(([key, value]) => [key, valueOf(value, depth + 1)]))),
          )
      : fields;
  if (named.length === 0) return some;
  return fc.dictionary(fc.constantFrom('b', 'nofile', 'default', 'x'), valueOf(named[0]![1], depth + 1), {
    maxKeys: 2,
    noNullPrototype: true,
  });
}

const section = (name: string): fc.Arbitrary<unknown> => valueOf(composeSchema.properties![name]!);
const files: fc.Arbitrary<object> = fc.oneof(
  ofType('object', composeSchema.definitions!['service']!, 0).map((service) => ({
    services: { a: { image: 'i', ...(service as object) }, b: { image: 'i' } },
    volumes: { x: {} },
  })),
  ...['networks', 'volumes', 'configs', 'secrets'].map((name) =>
    section(name).map((value) => ({ services: { a: { image: 'i' } }, [name]: value })),
  ),
);

test('what the schema refuses is refused', () => {
  const seen = { both: 0, ours: 0, neither: 0, meant: 0 };
  fc.assert(
    fc.property(files, (file) => {
      const text = JSON.stringify(file);
      const errors = errorsOf(text);
      const refuses = 'problems' in compileText(text);
      // Of a choice of forms the schema also says that none fits, at every level above what is wrong.
      const meant = errors.filter(isMeant).map(({ instancePath }) => `${instancePath}/`);
      const unexplained = errors.filter(
        ({ instancePath }) => !meant.some((place) => place.startsWith(`${instancePath}/`)),
      );
      seen[errors.length === 0 ? (refuses ? 'ours' : 'neither') : refuses ? 'both' : 'meant'] += 1;
      if (!refuses)
        expect({
          text,
          refused: unexplained.map(({ instancePath, message }) => `${instancePath} ${message}`),
        }).toEqual({ text, refused: [] });
    }),
    {
      numRuns: 3_000,
      // Found once: a value without effect, inside a choice of forms.
      examples: [
        [{ services: { a: { image: 'i', networks: { default: { priority: 0, gw_priority: [] } } } } }],
      ],
    },
  );
  // All four kinds of files were among them.
  expect(Object.values(seen).every((count) => count > 0)).toBe(true);
});
