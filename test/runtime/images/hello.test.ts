/** The hello app as it is written, and what its images are built with. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { compile } from '../../../protocols/apps/compile.ts';
import { readCompose } from '../../../runtime/compose/read.ts';
import { readElf } from '../../../runtime/images/elf.ts';

it('is an app that compiles without a warning, from these two images', async () => {
  const projectDirectory = join(import.meta.dirname, '../../../examples/hello');
  const text = await readFile(join(projectDirectory, 'compose.yaml'), 'utf8');
  const read = readCompose({ file: 'compose.yaml', text });
  if (!('root' in read)) throw new Error(JSON.stringify(read.problems));
  const compiled = compile(read.root, {
    projectDirectory,
    environment: {},
  });
  if (!('spec' in compiled)) throw new Error(JSON.stringify(compiled.problems));
  expect(compiled.warnings).toEqual([]);
  const { web, store } = compiled.spec.services;
  expect([web!.image, web!.replicas, store!.image]).toEqual(['hello-web:latest', 2, 'hello-store:latest']);
  expect(web!.ports).toEqual([
    { hostAddress: '127.0.0.1', hostPort: 8080, containerPort: 8000, protocol: 'tcp' },
  ]);
  expect(web!.dependsOn).toEqual([{ service: 'store', condition: 'healthy' }]);
  expect(store!.mounts).toMatchObject([{ type: 'volume', target: '/data', readOnly: false }]);
});

it('reads what a program needs, and tells programs from other files', async () => {
  const node = readElf(await readFile(process.execPath))!;
  expect(node.interpreter).toMatch(/^\/lib.*\/ld-linux/);
  expect(node.needed).toContain('libc.so.6');
  expect(readElf(Buffer.from('#!/bin/sh\n'))).toBeUndefined();
  expect(readElf(Buffer.alloc(0))).toBeUndefined();
});
