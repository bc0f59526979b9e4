/** Where settings are written: flags, variables, a file. Each source answers raw values with their origin; `settings.ts` says what they must be. */
import { parseArgs } from 'node:util';
import { isMap, isScalar, LineCounter, parseDocument } from 'yaml';
import { coded, type CodedError } from '../../protocols/errors.ts';
import { nearest } from '../../protocols/suggest.ts';
import type { Environment } from './environment.ts';
import { flagOf, settingNames, settings, variableOf, type SettingName } from './settings.ts';

interface Raw {
  readonly value: unknown;
  /** As a person would look for it: `--name`, `HIVEMIND_NAME`, `/etc/hivemind/config.yaml:3`. */
  readonly origin: string;
}

export type RawSettings = Partial<Record<SettingName, Raw>>;

/** `config` is the file that the flags name. */
export function fromFlags(argv: readonly string[]): {
  readonly file?: string;
  readonly settings: RawSettings;
} {
  const names = new Map(settingNames.map((name) => [flagOf(name).slice(2), name]));
  const options = Object.fromEntries(
    [...names].map(([flag, name]) => [
      flag,
      { type: 'argument' in settings[name] ? 'string' : 'boolean' } as const,
    ]),
  );
  let values: Readonly<Record<string, unknown>>;
  try {
    ({ values } = parseArgs({
      args: [...argv],
      options: { ...options, config: { type: 'string' } },
      strict: true,
    }));
  } catch (thrown) {
    const message = (thrown as Error).message.split('. ')[0]!;
    const unknown = /option '--?([^'= ]+)'/.exec(message)?.[1];
    const near = unknown === undefined ? undefined : nearest(unknown, [...names.keys(), 'config']);
    throw wrong(near === undefined ? message : `${message}; did you mean --${near}?`);
  }
  const given: RawSettings = {};
  for (const [flag, name] of names) {
    if (values[flag] !== undefined) given[name] = { value: values[flag], origin: `--${flag}` };
  }
  const file = values['config'];
  return { settings: given, ...(typeof file === 'string' ? { file } : {}) };
}

export function fromVariables(environment: Environment): RawSettings {
  const given: RawSettings = {};
  for (const name of settingNames) {
    const value = environment[variableOf(name)];
    // Empty is how a shell leaves one out.
    if (value !== undefined && value !== '') given[name] = { value, origin: variableOf(name) };
  }
  return given;
}

/** Throws HM-CONFIG with file and line for what is not YAML, and for a name that is no setting. */
export function fromFile(text: string, file: string): RawSettings {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines });
  const broken = document.errors[0];
  if (broken) {
    const line = lines.linePos(broken.pos[0]).line;
    throw wrong(`${file}:${line}: ${broken.message.split('\n')[0]}`, { file, line });
  }
  if (document.contents === null) return {};
  if (!isMap(document.contents))
    throw wrong(`${file}:1: settings are written as NAME: VALUE`, { file, line: 1 });
  const given: RawSettings = {};
  for (const { key, value } of document.contents.items) {
    const name = isScalar(key) ? String(key.value) : '';
    const line = isScalar(key) && key.range ? lines.linePos(key.range[0]).line : 1;
    const known = settingNames.find((setting) => setting === name);
    if (known === undefined) {
      const near = nearest(name, settingNames);
      const hint = near === undefined ? '' : `; did you mean ${near}?`;
      throw wrong(`${file}:${line}: there is no setting ${show(name)}${hint}`, { file, line });
    }
    given[known] = {
      value: (value as { toJSON?(): unknown } | null)?.toJSON?.() ?? null,
      origin: `${file}:${line}`,
    };
  }
  return given;
}

export function wrong(message: string, evidence: Readonly<Record<string, string | number>> = {}): CodedError {
  return coded('HM-CONFIG', message, evidence);
}

/** A value as an error quotes it. */
export const show = (value: unknown): string =>
  typeof value === 'string' ? `“${value}”` : JSON.stringify(value);
