/** The sources that the house rules look at: every TypeScript file of the floors and tests, read once. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { parseSync } from 'oxc-parser';

export const root = resolve(import.meta.dirname, '../..');
export const floors = ['protocols', 'transport', 'actors', 'supervisors', 'runtime', 'test'] as const;

export interface Source {
  /** From the root, with `/`. */
  readonly path: string;
  readonly floor: (typeof floors)[number];
  readonly text: string;
  readonly lines: readonly string[];
}

/** Generated code is nobody's style. */
export const isGenerated = (path: string): boolean => path.includes('/gen/');

export const sources: readonly Source[] = floors.flatMap((floor) =>
  filesBelow(join(root, floor)).map((file) => {
    const text = readFileSync(file, 'utf8');
    return { path: relative(root, file), floor, text, lines: text.split('\n') };
  }),
);

function filesBelow(folder: string): string[] {
  // A floor that has no room yet: git keeps no empty folders.
  if (!existsSync(folder)) return [];
  const entries = readdirSync(folder, { withFileTypes: true });
  return entries.flatMap((entry) => {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) return entry.name === 'node_modules' ? [] : filesBelow(path);
    return entry.name.endsWith('.ts') ? [path] : [];
  });
}

/** Module specifiers of static and dynamic imports, with their lines; relative ones as paths from the root. */
export function importsOf(
  source: Source,
): readonly { readonly to: string; readonly line: number; readonly typeOnly: boolean }[] {
  const found: { to: string; line: number; typeOnly: boolean }[] = [];
  const pattern =
    /(?:^|\n)\s*(import|export)\s+(type\s+)?[^;'"]*?from\s+['"]([^'"]+)['"]|import\(\s*['"]([^'"]+)['"]\s*\)/g;
  for (const match of source.text.matchAll(pattern)) {
    const named = match[3] ?? match[4] ?? '';
    const to = named.startsWith('.') ? join(dirname(source.path), named) : named;
    const line = source.text.slice(0, match.index + match[0].length).split('\n').length;
    found.push({ to, line, typeOnly: match[2] !== undefined });
  }
  return found;
}

interface Node {
  readonly type: string;
  readonly start: number;
  readonly end: number;
  readonly [key: string]: unknown;
}

/** Every function with its length in lines. */
export function functionsOf(source: Source): readonly { readonly line: number; readonly length: number }[] {
  const { program } = parseSync(source.path, source.text);
  const found: { line: number; length: number }[] = [];
  const lineAt = lineFinder(source.text);
  visit(program as unknown as Node, (node) => {
    if (!['FunctionDeclaration', 'FunctionExpression', 'ArrowFunctionExpression'].includes(node.type)) return;
    const line = lineAt(node.start);
    found.push({ line, length: lineAt(node.end) - line + 1 });
  });
  return found;
}

function visit(node: Node, see: (node: Node) => void): void {
  see(node);
  for (const value of Object.values(node)) {
    for (const child of Array.isArray(value) ? value : [value]) {
      if (typeof child === 'object' && child !== null && 'type' in child) visit(child as Node, see);
    }
  }
}

function lineFinder(text: string): (offset: number) => number {
  const starts = [0];
  for (let at = text.indexOf('\n'); at !== -1; at = text.indexOf('\n', at + 1)) starts.push(at + 1);
  return (offset) => {
    let low = 0;
    let high = starts.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (starts[middle]! <= offset) low = middle;
      else high = middle - 1;
    }
    return low + 1;
  };
}

/** A text without its comments and strings, of the same length: what is left is code. */
export function codeOf(text: string): string {
  const blank = (match: string): string => match.replace(/[^\n]/g, ' ');
  return text.replace(
    /\/\*[\s\S]*?\*\/|\/\/[^\n]*|'(?:\\.|[^'\\\n])*'|"(?:\\.|[^"\\\n])*"|`(?:\\.|[^`\\])*`/g,
    blank,
  );
}

/** `path:line  what — mend`, one a violation: the message of a failed rule. */
export function told(violations: readonly string[]): string {
  return violations.length === 0 ? '' : `\n${violations.join('\n')}\n`;
}
