/**
 * The text of an env file (`.env`, `--env-file`, `env_file:`) as variables with their lines. Quotes, escapes,
 * `export`, comments and `$VAR` as Compose reads them; `raw` takes every value as it stands.
 */
import type { Place, Problems } from '../document.ts';
import { Interpolation, type Budget, type Lookup } from '../interpolate.ts';

export interface EnvValue {
  /** `undefined`: a name alone, which takes the deployer's value. */
  readonly value: string | undefined;
  readonly at: Place;
}

export interface EnvFileOptions {
  /** What messages call it. */
  readonly file: string;
  readonly raw: boolean;
  /** Wins over what the file itself says earlier. */
  readonly lookup: Lookup;
  readonly problems: Problems;
  readonly budget: Budget;
}

/** Letters of any script: Compose takes them too. */
const keyAt = /[ \t]*(?:export[ \t]+)?([\p{L}\p{N}_.\-[\]]+)[ \t]*(=|:(?=[ \t"']|$)|(?=\r?\n|$|#))/uy;

export function parseEnvFile(text: string, options: EnvFileOptions): Map<string, EnvValue> {
  const reader = new EnvReader(text.replace(/^\uFEFF/, ''), options);
  return options.raw ? reader.raw() : reader.read();
}

class EnvReader {
  readonly #text: string;
  readonly #options: EnvFileOptions;
  readonly #values = new Map<string, EnvValue>();
  readonly #interpolation: Interpolation;
  #position = 0;
  #line = 1;

  constructor(text: string, options: EnvFileOptions) {
    this.#text = text;
    this.#options = options;
    const { lookup, problems, budget } = options;
    const both = (name: string): string | undefined => lookup(name) ?? this.#values.get(name)?.value;
    this.#interpolation = new Interpolation(both, problems, budget);
  }

  get #at(): Place {
    return { file: this.#options.file, line: this.#line, column: 1 };
  }

  /** `NAME=value` a line, nothing in it has a meaning. */
  raw(): Map<string, EnvValue> {
    for (const line of this.#text.split(/\r?\n/)) {
      const cut = line.indexOf('=');
      const name = (cut < 0 ? line : line.slice(0, cut)).trim();
      if (name === '' && cut >= 0) this.#refuse('a line begins with =');
      else if (name !== '' && !name.startsWith('#'))
        this.#values.set(name, { value: cut < 0 ? undefined : line.slice(cut + 1), at: this.#at });
      this.#line += 1;
    }
    return this.#values;
  }

  read(): Map<string, EnvValue> {
    while (this.#skipBlank()) {
      const at = this.#at;
      keyAt.lastIndex = this.#position;
      const match = keyAt.exec(this.#text);
      if (!match) {
        this.#refuse('this is no NAME=value');
        this.#toLineEnd();
        continue;
      }
      this.#position = keyAt.lastIndex;
      const name = match[1]!;
      const value = match[2] === '' ? undefined : this.#value(at);
      this.#values.set(name, { value, at });
    }
    return this.#values;
  }

  #refuse(text: string): void {
    this.#options.problems.add('HM-COMPOSE-SYNTAX', this.#at, text, 'Write NAME=value, one a line.');
  }

  /** To the next line that says something; false at the end. */
  #skipBlank(): boolean {
    const blank = /(?:[ \t\r]*(?:#[^\n]*)?\n)*[ \t\r]*(?:#[^\n]*$)?/y;
    blank.lastIndex = this.#position;
    const [skipped = ''] = blank.exec(this.#text) ?? [];
    this.#advance(skipped);
    return this.#position < this.#text.length;
  }

  #advance(over: string): void {
    this.#position += over.length;
    for (let at = over.indexOf('\n'); at >= 0; at = over.indexOf('\n', at + 1)) this.#line += 1;
  }

  #toLineEnd(): string {
    const end = this.#text.indexOf('\n', this.#position);
    const rest = this.#text.slice(this.#position, end < 0 ? undefined : end);
    this.#position += rest.length;
    return rest;
  }

  #value(at: Place): string {
    while (/[ \t]/.test(this.#text[this.#position] ?? '')) this.#position += 1;
    const quote = this.#text[this.#position];
    if (quote === "'" || quote === '"') return this.#quoted(quote, at);
    const rest = this.#toLineEnd();
    // Without a space before it, a # belongs to the value.
    const value = rest.replace(/(?:^|[ \t]+)#.*$/, '').trimEnd();
    return this.#interpolation.lenient(value, at);
  }

  #quoted(quote: string, at: Place): string {
    let end = this.#position + 1;
    while (end < this.#text.length && this.#text[end] !== quote) end += this.#text[end] === '\\' ? 2 : 1;
    if (end >= this.#text.length) {
      this.#refuse('a quotation mark is left open');
      this.#position = this.#text.length;
      return '';
    }
    const inner = this.#text.slice(this.#position + 1, end);
    this.#advance(this.#text.slice(this.#position, end + 1));
    const rest = this.#toLineEnd();
    if (!/^\s*(?:#.*)?$/.test(rest)) this.#refuse('something stands behind the closing quotation mark');
    if (quote === "'") return inner.replaceAll("\\'", "'");
    return this.#interpolation.lenient(inner.replace(/\\([^])/g, unescaped), at);
  }
}

const escapes: Readonly<Record<string, string>> = {
  n: '\n',
  r: '\r',
  t: '\t',
  '"': '"',
  '\\': '\\',
  $: '$$',
};

/** `\$` becomes `$$`, which the variables' own rule makes a dollar of. */
const unescaped = (whole: string, char: string): string =>
  Object.hasOwn(escapes, char) ? escapes[char]! : whole;
