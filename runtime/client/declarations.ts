/**
 * The types of the client, written from the API's own document: what validates requests and answers is what programs
 * are checked against, and nothing is said twice.
 */

interface Schema {
  readonly $ref?: string;
  readonly type?: string | readonly string[];
  readonly enum?: readonly unknown[];
  readonly const?: unknown;
  readonly anyOf?: readonly Schema[];
  readonly oneOf?: readonly Schema[];
  readonly allOf?: readonly Schema[];
  readonly items?: Schema;
  readonly prefixItems?: readonly Schema[];
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly required?: readonly string[];
  readonly additionalProperties?: boolean | Schema;
  readonly format?: string;
}

type Content = Readonly<Record<string, { readonly schema?: Schema }>>;

interface Operation {
  readonly summary?: string;
  readonly parameters?: readonly {
    readonly name: string;
    readonly in: string;
    readonly required?: boolean;
    readonly schema?: Schema;
  }[];
  readonly requestBody?: { readonly required?: boolean; readonly content: Content };
  readonly responses: Readonly<Record<string, { readonly content?: Content }>>;
}

export interface Document {
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
  readonly components: { readonly schemas: Readonly<Record<string, Schema>> };
}

/** A module of types: `Schemas` by their names in the document, `Operations` by method and path. */
export function declarationsOf({ paths, components }: Document): string {
  const schemas = Object.entries(components.schemas).map(
    ([name, schema]) => `  ${JSON.stringify(name)}: ${typeOf(schema)};`,
  );
  const operations = Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods).flatMap(([method, operation]) =>
      '200' in operation.responses ? [operationOf(`${method.toUpperCase()} ${path}`, operation)] : [],
    ),
  );
  return [
    '// Made from the API document by runtime/client/declarations.ts.',
    `export interface Schemas {\n${schemas.join('\n')}\n}`,
    `export interface Operations {\n${operations.join('\n')}\n}`,
    '',
  ].join('\n\n');
}

function operationOf(name: string, operation: Operation): string {
  const { summary, parameters = [], requestBody, responses } = operation;
  const body = Object.entries(requestBody?.content ?? {})[0];
  const bodyType = body && (body[0] === 'application/json' ? typeOf(body[1].schema) : 'string | Uint8Array');
  const answers = Object.entries(responses['200']!.content ?? {});
  const [first] = answers;
  const line = answers.find(([type]) => type === 'application/x-ndjson');
  const parts = [
    `params: ${named(parameters.filter((one) => one.in === 'path'))}`,
    `query: ${named(parameters.filter((one) => one.in === 'query'))}`,
    `body: ${bodyType ?? 'undefined'}`,
    `answer: ${first?.[0] === 'application/json' ? typeOf(first[1].schema) : 'string'}`,
    `line: ${line ? typeOf(line[1].schema) : 'never'}`,
  ];
  const said = summary === undefined ? '' : `  /** ${summary.replaceAll('*/', '* /')} */\n`;
  return `${said}  ${JSON.stringify(name)}: { ${parts.join('; ')} };`;
}

/** Queries are text on the wire; what a program has at hand is a number or a switch. */
function named(parameters: NonNullable<Operation['parameters']>): string {
  const fields = parameters.map(
    ({ name, required, schema }) =>
      `${JSON.stringify(name)}${required === true ? '' : '?'}: ${wide(typeOf(schema))}`,
  );
  return fields.length === 0 ? 'object' : `{ ${fields.join('; ')} }`;
}

const wide = (type: string): string => (type === '"true" | "false"' ? `${type} | boolean` : type);

function typeOf(schema: Schema | undefined): string {
  if (schema === undefined) return 'unknown';
  if (schema.$ref !== undefined) return `Schemas[${JSON.stringify(schema.$ref.split('/').at(-1))}]`;
  if (schema.enum) return union(schema.enum.map((value) => JSON.stringify(value)));
  if ('const' in schema) return JSON.stringify(schema.const);
  const choices = schema.anyOf ?? schema.oneOf;
  if (choices) return union(choices.map(typeOf));
  if (schema.allOf) return schema.allOf.map((one) => `(${typeOf(one)})`).join(' & ');
  const types = typeof schema.type === 'string' ? [schema.type] : (schema.type ?? []);
  return types.length === 0 ? 'unknown' : union(types.map((type) => ofType(type, schema)));
}

function ofType(type: string, schema: Schema): string {
  if (type === 'integer') return 'number';
  if (type === 'array') {
    if (schema.prefixItems) return `readonly [${schema.prefixItems.map(typeOf).join(', ')}]`;
    return `readonly (${typeOf(schema.items)})[]`;
  }
  return type === 'object' ? ofObject(schema) : type;
}

function ofObject({ properties = {}, required = [], additionalProperties }: Schema): string {
  const fields = Object.entries(properties).map(
    ([name, schema]) =>
      `readonly ${JSON.stringify(name)}${required.includes(name) ? '' : '?'}: ${typeOf(schema)}`,
  );
  if (fields.length > 0) return `{ ${fields.join('; ')} }`;
  const values = typeof additionalProperties === 'object' ? typeOf(additionalProperties) : 'unknown';
  return additionalProperties === false ? 'object' : `Readonly<Record<string, ${values}>>`;
}

const union = (types: readonly string[]): string => [...new Set(types)].join(' | ');
