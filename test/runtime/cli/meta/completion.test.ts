/** Completion: what may follow on an unfinished line, and the shells' own scripts in real shells. */
import { execFile, execFileSync } from 'node:child_process';
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { readEnvironment } from '../../../../runtime/config/environment.ts';
import { shells } from '../../../../runtime/cli/completion/scripts.ts';
import { realClock } from '../../../../runtime/world/real-clock.ts';
import { bundleTool } from '../kit/bundle.ts';
import type { NodeDouble } from '../kit/node-double.ts';
import { run } from '../kit/run.ts';
import { shopNode } from '../kit/shop.ts';

let node: NodeDouble;
beforeAll(async () => {
  node = shopNode();
  await node.listen();
});
afterAll(() => node.close());

async function after(...words: readonly string[]): Promise<string[]> {
  const options = { socket: node.socket, clock: realClock };
  const { code, stdout, stderr } = await run(['__complete', '--', ...words], options);
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  return stdout.split('\n').flatMap((line) => line.split('\t')[0] || []);
}

test.each([
  [['lo'], ['logs']],
  [['image', 'imp'], ['import']],
  [['ps', '--wa'], ['--watch']],
  [
    ['ps', '-o', ''],
    ['table', 'wide', 'json', 'jsonl', 'yaml', 'name'],
  ],
  [
    ['ps', '--output=j'],
    ['--output=json', '--output=jsonl'],
  ],
  [
    ['logs', 'shop/w'],
    ['shop/web', 'shop/web.1', 'shop/web.2', 'shop/web.3'],
  ],
  [
    ['logs', '-f', 'shop/web', 'shop/d'],
    ['shop/db', 'shop/db.1'],
  ],
  [['status', ''], ['shop']],
  [['completion', ''], []],
  [['deploy', '-f', ''], [':files']],
  [['exec', 'shop/web.1', '--', 'l'], [':files']],
  [['nothing', 'like', 'this'], []],
])('%j', async (words, expected) => {
  expect(await after(...words)).toEqual(expected);
});

test('a node that does not answer is not waited for, and nothing is said of it', async () => {
  node.on('GET /v1/apps', () => new Promise(() => undefined));
  const { code, stdout, stderr } = await run(['__complete', '--', 'logs', ''], { socket: node.socket });
  expect({ code, stdout, stderr }).toEqual({ code: 0, stdout: '', stderr: '' });
  node.on('GET /v1/apps', shopNode().routes.get('GET /v1/apps')!);
});

test('no node at all', async () => {
  const { code, stdout, stderr } = await run(['__complete', '--', 'logs', ''], { socketDirectories: [] });
  expect({ code, stdout, stderr }).toEqual({ code: 0, stdout: '', stderr: '' });
});

test.each(shells)('there is a script for %s', async (shell) => {
  const { code, stdout } = await run(['completion', shell]);
  expect(code).toBe(0);
  expect(stdout).toContain('hivemind __complete -- ');
});

test('another shell is a usage error', async () => {
  const { code, stderr } = await run(['completion', 'tcsh']);
  expect(code).toBe(2);
  expect(stderr).toContain('Shells: bash, zsh, fish, powershell');
});

function hasShell(name: string): boolean {
  try {
    execFileSync('which', [name], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}

/** Each prints the candidates for a line, a line each. Zsh completes only for a person: it gets a terminal of its own. */
const asking: Readonly<Record<string, (line: string) => readonly string[]>> = {
  bash: (line) => [
    '--norc',
    '-c',
    `source <(hivemind completion bash); COMP_LINE='${line}'; COMP_POINT=\${#COMP_LINE}; _hivemind; printf '%s\\n' "\${COMPREPLY[@]}"`,
  ],
  fish: (line) => ['--no-config', '-c', `hivemind completion fish | source; complete -C '${line}'`],
  zsh: (line) => [
    '-f',
    '-c',
    `zmodload zsh/zpty
     zpty z zsh -f -i
     zpty -w z "PS1='H''M> '; autoload -U compinit; compinit -u -D; setopt no_list_ambiguous; LISTMAX=0; zstyle ':completion:*' list-colors ''; source <(hivemind completion zsh); print RE''ADY"
     zpty -r -m z seen '*READY*HM> *'
     zpty -w -n z '${line}'$'\\t'
     zpty -r -m z seen '*${line}*'
     zpty -w z ''
     zpty -w z 'print D''ONE'
     zpty -r -m z rest '*DONE*'
     print -r -- "$seen$rest"
     zpty -d z`,
  ],
};

describe.each(Object.keys(asking))('in %s', (shell) => {
  let directory: string;

  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), 'hivemind-completion-'));
    await bundleTool(directory);
    const program = join(directory, 'hivemind');
    await writeFile(program, `#!/bin/sh\nexec node ${directory}/hivemind.js "$@"\n`);
    await chmod(program, 0o755);
  });
  afterAll(() => rm(directory, { recursive: true }));

  const lines = [
    ['hivemind lo', 'logs'],
    ['hivemind status sh', 'shop'],
    ['hivemind logs shop/d', 'shop/db.1'],
  ] as const;
  test.skipIf(!hasShell(shell)).each(lines)(
    `%s<Tab> (${hasShell(shell) ? 'real' : 'not installed'})`,
    async (line, expected) => {
      const { stdout } = await promisify(execFile)(shell, asking[shell]!(line), {
        env: {
          PATH: `${directory}:${readEnvironment()['PATH']}`,
          TERM: 'xterm',
          HOME: directory,
          HIVEMIND_ADDRESS: node.socket,
        },
        timeout: 15_000,
      });
      expect(stdout).toContain(expected);
    },
  );
});
