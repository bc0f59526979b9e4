/** What leaves the machine in a bundle: nothing that an operator filled in and that could be a secret. */
import type { AppSpec } from '../../../protocols/apps/model.ts';
import { mask, shownSpec } from '../../../protocols/security/shown-spec.ts';
import { shownValue } from '../../../protocols/security/shown-value.ts';

/** Shorter values (`1`, `true`, `prod`) stand everywhere by chance; those of specs are masked in their own place. */
const shortestSought = 8;

/** A spec as the API shows it, without the values of its environment too. */
export function maskedSpec(spec: AppSpec): unknown {
  return maskedValue([], shownSpec(spec));
}

/** Settings, one at a time, with the same eyes. */
export function maskedValue(path: readonly string[], value: unknown): unknown {
  if (Array.isArray(value)) return value.map((each) => maskedValue(path, each));
  if (typeof value === 'object' && value !== null)
    return Object.fromEntries(
      Object.entries(value).map(([name, each]) => [name, maskedValue([...path, name], each)]),
    );
  if (typeof value !== 'string') return value;
  if (path.includes('environment') || path.at(-1) === 'content') return mask;
  return shownValue(path.slice(-3), value) === undefined ? mask : value;
}

/** Every value that `maskedSpec` hides, wherever else it is told. */
export class Blackout {
  readonly #values = new Set<string>();

  learn(spec: AppSpec): void {
    const walk = (path: readonly string[], value: unknown, before?: unknown): void => {
      if (Array.isArray(value)) value.forEach((each, at) => walk(path, each, value[at - 1]));
      else if (typeof value === 'object' && value !== null)
        for (const [name, each] of Object.entries(value)) walk([...path, name], each);
      else if (typeof value === 'string' && value.length >= shortestSought && value !== mask)
        if (maskedValue(path, value) === mask || follows(path, before, value)) this.#values.add(value);
    };
    walk([], spec);
  }

  /** The text without them, as they are, as JSON writes them, and as JSON within JSON does. */
  over(text: string): string {
    let out = text;
    for (const value of [...this.#values].sort((a, b) => b.length - a.length))
      for (const form of new Set([written(written(value)), written(value), value]))
        out = out.replaceAll(form, mask);
    return out;
  }
}

/** The word behind `--password`. */
const follows = (path: readonly string[], before: unknown, word: string): boolean =>
  typeof before === 'string' && shownValue(path.slice(-3), [before, word]) === undefined;

const written = (value: string): string => JSON.stringify(value).slice(1, -1);
