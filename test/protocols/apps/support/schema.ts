/** Compose's own schema, as the linter that carries a current copy of it ships it, and the paths of its keys. */
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';

export interface Schema {
  readonly $ref?: string;
  readonly type?: string | readonly string[];
  readonly enum?: readonly (string | number)[];
  readonly pattern?: string;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly oneOf?: readonly Schema[];
  readonly items?: Schema;
  readonly required?: readonly string[];
  readonly uniqueItems?: boolean;
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly patternProperties?: Readonly<Record<string, Schema>>;
  readonly definitions?: Readonly<Record<string, Schema>>;
}

const folder = dirname(createRequire(import.meta.url).resolve('dclint/package.json'));

export const composeSchema = JSON.parse(
  readFileSync(join(folder, 'schemas/compose.schema.json'), 'utf8'),
) as Schema;

export function resolved(schema: Schema): Schema {
  const name = /^#\/definitions\/(.+)$/.exec(schema.$ref ?? '')?.[1];
  return name === undefined ? schema : composeSchema.definitions![name]!;
}

/** `services.deploy.mode`: every key that the schema names, without the names that people give. */
export function keysOfSchema(): readonly string[] {
  const keys = new Set<string>();
  const visit = (schema: Schema, path: string): void => {
    const { properties = {}, patternProperties = {}, items, oneOf = [] } = resolved(schema);
    for (const [key, value] of Object.entries(properties)) {
      const at = path === '' ? key : `${path}.${key}`;
      keys.add(at);
      visit(value, at);
    }
    for (const value of Object.values(patternProperties)) visit(value, path);
    if (items) visit(items, path);
    for (const form of oneOf) visit(form, path);
  };
  visit(composeSchema, '');
  return [...keys];
}
