/** Compose text straight to what compiling says of it, with a fixed project and environment. */
import { compile, type Compiled, type CompileOptions } from '../../../protocols/apps/compile.ts';
import type { AppSpec, ServiceSpec } from '../../../protocols/apps/model.ts';
import { readCompose } from '../../../runtime/compose/read.ts';

const defaults: CompileOptions = {
  projectDirectory: '/srv/shop',
  environment: { OUTER: 'outside', EMPTY: '', HOME: '/home/me' },
};

/** What stands beside the Compose file. */
const files: Readonly<Record<string, string>> = {
  '/srv/shop/key.txt': 'open sesame',
  '/srv/shop/seccomp.json': '{"defaultAction":"SCMP_ACT_ERRNO"}',
  '/srv/shop/not.json': '{',
};

const contents = new Map(
  Object.entries(files).map(([path, text]) => [path, { bytes: new TextEncoder().encode(text) }]),
);

export function compileText(text: string, options: Partial<CompileOptions> = {}): Compiled {
  const read = readCompose({ file: 'compose.yaml', text });
  if ('problems' in read) return { problems: read.problems, warnings: [] };
  return compile(read.root, { ...defaults, contents, ...options });
}

/** Of a text that must compile. */
export function specOf(text: string, options: Partial<CompileOptions> = {}): AppSpec {
  const compiled = compileText(text, options);
  if ('problems' in compiled) throw new Error(compiled.problems.map(({ message }) => message).join('\n'));
  return compiled.spec;
}

/** Of a text that must not: `HM-COMPOSE-KEY compose.yaml:3: …`, one a line. */
export function problemsOf(text: string, options: Partial<CompileOptions> = {}): string[] {
  const compiled = compileText(text, options);
  return 'problems' in compiled ? compiled.problems.map(({ code, message }) => `${code} ${message}`) : [];
}

/** The one service of an app, its image given, with one more line in it. */
export function service(line: string): ServiceSpec {
  return specOf(`services:\n  a:\n    image: i\n    ${line}\n`).services['a']!;
}
