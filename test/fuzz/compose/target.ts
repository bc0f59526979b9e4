/**
 * Compose files, mutated: each loads and compiles to an app that the API takes, or is refused with codes, located;
 * nothing throws. The good ones are those of test/shapes, with the files beside them, which are mutated too.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import type { ComposeNode } from '../../../protocols/apps/compose/document.ts';
import { catalogue } from '../../../protocols/errors.ts';
import { limits } from '../../../protocols/limits.ts';
import type { Random } from '../../../protocols/ports.ts';
import { appSpec } from '../../../runtime/api/schemas/app-spec.ts';
import { readCompose } from '../../../runtime/compose/read.ts';
import { seededRandom } from '../../../runtime/world/seeded-random.ts';
import { compileFrom, cwd, type Disk } from '../../protocols/apps/files/disk.ts';
import type { Outcome } from '../target.ts';
import { mutated, mutatedTree } from './mutate.ts';
import { pick } from './nasty.ts';

const folder = resolve(import.meta.dirname, '../../shapes');

/** By path below the app's folder. */
const shapes: readonly Readonly<Record<string, string>>[] = readdirSync(folder).map((name) => {
  const files = readdirSync(join(folder, name), { recursive: true, withFileTypes: true });
  return Object.fromEntries(
    files
      .filter((file) => file.isFile() && file.name !== 'result.yaml')
      .map((file) => {
        const path = join(file.parentPath, file.name);
        return [path.slice(join(folder, name).length + 1), readFileSync(path, 'utf8')] as const;
      }),
  );
});

const environment = { A: 'a', B: '$B ${B}', HOME: '/home/me', SECRET: 's', TAG: '' };

const read = (text: string): ComposeNode => {
  const result = readCompose({ file: 'compose.yaml', text });
  if ('root' in result) return result.root;
  throw new Error(result.problems[0]?.message);
};

const isCompose = (name: string, text: string): boolean =>
  name.endsWith('.yaml') && /^(?:services|include):/m.test(text);

/** The Compose files among them, read once: most runs mutate what was read, which is never a syntax error. */
const trees = shapes.map((shape) =>
  Object.fromEntries(
    Object.entries(shape).flatMap(([name, text]) =>
      isCompose(name, text) ? [[name, read(text)] as const] : [],
    ),
  ),
);

/** A shape with one or more of its files mutated. */
function diskOf(random: Random): { readonly disk: Disk; readonly files: readonly string[] } {
  const index = Math.floor(random.next() * shapes.length);
  const shape = shapes[index]!;
  const names = Object.keys(shape);
  const chosen = new Set(['compose.yaml', pick(random, names)]);
  const asText = random.next() < 0.02;
  const changed = (name: string): string | ComposeNode => {
    const tree = asText ? undefined : trees[index]![name];
    if (tree)
      return chosen.has(name) ? mutatedTree(tree, pick(random, trees)['compose.yaml']!, random) : tree;
    return chosen.has(name)
      ? mutated(shape[name]!, pick(random, shapes)['compose.yaml']!, random)
      : shape[name]!;
  };
  const disk = Object.fromEntries(names.map((name) => [`${cwd}/${name}`, changed(name)]));
  if (random.next() < 0.75) return { disk, files: [] };
  const second = mutatedTree(
    pick(random, trees)['compose.yaml']!,
    pick(random, trees)['compose.yaml']!,
    random,
  );
  return { disk: { ...disk, [`${cwd}/second.yaml`]: second }, files: ['compose.yaml', 'second.yaml'] };
}

export const fuzzCompose = (seed: number): Outcome => {
  const random = seededRandom(seed);
  const { disk, files } = diskOf(random);
  try {
    const profiles = random.next() < 0.2 ? ['*'] : [];
    const compiled = compileFrom(disk, { files, profiles, environment });
    const reasons = [...compiled.warnings, ...('problems' in compiled ? compiled.problems : [])];
    for (const { code, message, hint } of reasons) {
      if (!Object.hasOwn(catalogue, code))
        return { outcome: 'a strange code', finding: `${code} ${message}` };
      if (/\bundefined\b|\[object /.test(message) || message.length > 2_000 || hint === '')
        return { outcome: 'a strange message', finding: `${code} ${message.slice(0, 300)}` };
    }
    if (reasons.length > 2 * limits.composeProblems + 2)
      return { outcome: 'too many problems', finding: `${reasons.length} problems` };
    if ('problems' in compiled) {
      const [first] = compiled.problems;
      return first ? { outcome: first.code } : { outcome: 'no reason', finding: 'refused without a reason' };
    }
    const taken = appSpec.safeParse(compiled.spec);
    if (taken.success) return { outcome: 'accepted' };
    const [issue] = taken.error.issues;
    return { outcome: 'refused by the API', finding: `${issue?.path.join('.')}: ${issue?.message}` };
  } catch (thrown) {
    const text = thrown instanceof Error ? (thrown.stack ?? thrown.message) : String(thrown);
    return { outcome: 'threw', finding: text.split('\n').slice(0, 4).join(' | ').slice(0, 600) };
  }
};
