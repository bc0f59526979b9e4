/**
 * Our trimmed protos against containerd's own, as Debian ships them: every field, enum value and method that we
 * name exists there under the same number and type. The package is fetched, never installed; without it the test
 * is skipped.
 */
import { execFile } from 'node:child_process';
import { access, mkdir, mkdtemp, readdir, readFile, rename, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { DescEnum, DescField, DescFile, DescMessage, DescMethod } from '@bufbuild/protobuf';
import { ScalarType } from '@bufbuild/protobuf';
import { expect, test } from 'vitest';
import { file_payloads_cgroups_v1 } from '../../../../runtime/drivers/container/containerd/gen/payloads/cgroups-v1_pb.ts';
import { file_payloads_cgroups_v2 } from '../../../../runtime/drivers/container/containerd/gen/payloads/cgroups-v2_pb.ts';
import { file_payloads_events } from '../../../../runtime/drivers/container/containerd/gen/payloads/events_pb.ts';
import { file_services_containers } from '../../../../runtime/drivers/container/containerd/gen/services/containers_pb.ts';
import { file_services_content } from '../../../../runtime/drivers/container/containerd/gen/services/content_pb.ts';
import { file_services_diff } from '../../../../runtime/drivers/container/containerd/gen/services/diff_pb.ts';
import { file_services_events } from '../../../../runtime/drivers/container/containerd/gen/services/events_pb.ts';
import { file_services_images } from '../../../../runtime/drivers/container/containerd/gen/services/images_pb.ts';
import { file_services_introspection } from '../../../../runtime/drivers/container/containerd/gen/services/introspection_pb.ts';
import { file_services_leases } from '../../../../runtime/drivers/container/containerd/gen/services/leases_pb.ts';
import { file_services_namespaces } from '../../../../runtime/drivers/container/containerd/gen/services/namespaces_pb.ts';
import { file_services_snapshots } from '../../../../runtime/drivers/container/containerd/gen/services/snapshots_pb.ts';
import { file_services_tasks } from '../../../../runtime/drivers/container/containerd/gen/services/tasks_pb.ts';
import { file_services_version } from '../../../../runtime/drivers/container/containerd/gen/services/version_pb.ts';
import { file_types_task } from '../../../../runtime/drivers/container/containerd/gen/types/task_pb.ts';
import { file_types_types } from '../../../../runtime/drivers/container/containerd/gen/types/types_pb.ts';
import { unpackPackages } from '../../../../runtime/images/debian-packages.ts';

const run = promisify(execFile);
const root = join(import.meta.dirname, '../../../..');
const cache = join(root, '.cache');
const source = 'usr/share/gocode/src/github.com/containerd';
const api = `${source}/containerd/api`;

const pairs: readonly (readonly [DescFile, readonly string[]])[] = [
  ...(
    [
      [file_services_containers, 'containers/v1/containers'],
      [file_services_content, 'content/v1/content'],
      [file_services_diff, 'diff/v1/diff'],
      [file_services_events, 'events/v1/events'],
      [file_services_images, 'images/v1/images'],
      [file_services_introspection, 'introspection/v1/introspection'],
      [file_services_leases, 'leases/v1/leases'],
      [file_services_namespaces, 'namespaces/v1/namespace'],
      [file_services_snapshots, 'snapshots/v1/snapshots'],
      [file_services_tasks, 'tasks/v1/tasks'],
      [file_services_version, 'version/v1/version'],
    ] as const
  ).map(([file, path]) => [file, [`${api}/services/${path}.proto`]] as const),
  [file_types_task, [`${api}/types/task/task.proto`]],
  [
    file_types_types,
    ['descriptor', 'metrics', 'mount', 'platform'].map((name) => `${api}/types/${name}.proto`),
  ],
  [file_payloads_events, ['task', 'container'].map((name) => `${api}/events/${name}.proto`)],
  [file_payloads_cgroups_v1, [`${source}/cgroups/stats/v1/metrics.proto`]],
  [file_payloads_cgroups_v2, [`${source}/cgroups/v2/stats/metrics.proto`]],
];

test('names, numbers and types are those of containerd', { timeout: 180_000 }, async ({ skip }) => {
  const folder = await debianSources().catch((error: unknown) => String(error));
  if (folder.startsWith('Error')) return skip(`Debian's containerd sources cannot be had: ${folder}`);
  const wrong: string[] = [];
  let compared = 0;
  for (const [file, paths] of pairs) {
    const theirs = new Map<string, string>();
    for (const path of paths) {
      for (const [name, line] of declarations(await readFile(join(folder, path), 'utf8')))
        theirs.set(name, line);
    }
    for (const [name, line] of ours(file)) {
      compared += 1;
      const their = theirs.get(name);
      if (their === undefined || !agrees(line, their)) wrong.push(`${name}: ${line}, theirs ${their}`);
    }
  }
  expect(wrong).toEqual([]);
  expect(compared).toBeGreaterThan(250);
});

test('the generated messages are those of the protos', { timeout: 60_000 }, async ({ onTestFinished }) => {
  const driver = join(root, 'runtime/drivers/container/containerd');
  const fresh = await mkdtemp(join(tmpdir(), 'hm-protos-'));
  onTestFinished(() => rm(fresh, { recursive: true, force: true }));
  const env = { ...process.env, PATH: `${join(root, 'node_modules/.bin')}:${process.env['PATH']}` };
  await run('buf', ['generate', '--output', fresh], { cwd: driver, env });
  const [made, kept] = await Promise.all([filesBelow(join(fresh, 'gen')), filesBelow(join(driver, 'gen'))]);
  expect([...kept.keys()]).toEqual([...made.keys()]);
  const stale = [...made].filter(([name, text]) => kept.get(name) !== text).map(([name]) => name);
  expect(stale, 'mend: npm run protos').toEqual([]);
});

async function filesBelow(folder: string): Promise<Map<string, string>> {
  const names = (await readdir(folder, { recursive: true })).filter((name) => name.endsWith('.ts')).sort();
  return new Map(
    await Promise.all(names.map(async (name) => [name, await readFile(join(folder, name), 'utf8')] as const)),
  );
}

async function debianSources(): Promise<string> {
  const folder = join(cache, 'containerd-sources');
  const known = await access(join(folder, api)).then(
    () => true,
    () => false,
  );
  if (known) return folder;
  await mkdir(cache, { recursive: true });
  const fresh = await mkdtemp(join(cache, 'containerd-sources-'));
  try {
    await unpackPackages(
      ['golang-github-containerd-containerd-dev', 'golang-github-containerd-cgroups-dev'],
      fresh,
    );
    await rename(fresh, folder);
  } catch (error) {
    await rm(fresh, { recursive: true, force: true });
    throw error;
  }
  return folder;
}

/** `containerd.types.Mount.options` → `repeated string = 4`; `….Tasks.Kill` → `rpc KillRequest google.protobuf.Empty`. */
function ours(file: DescFile): [string, string][] {
  const lines: [string, string][] = [];
  const message = (desc: DescMessage): void => {
    for (const field of desc.fields) lines.push([`${desc.typeName}.${field.name}`, fieldLine(field)]);
    for (const nested of desc.nestedMessages) if (!isMapEntry(nested)) message(nested);
  };
  file.messages.forEach(message);
  file.enums.forEach((desc: DescEnum) => {
    for (const value of desc.values) lines.push([`${desc.typeName}.${value.name}`, `= ${value.number}`]);
  });
  for (const service of file.services) {
    for (const method of service.methods)
      lines.push([`${service.typeName}.${method.name}`, methodLine(method)]);
  }
  return lines;
}

function isMapEntry(desc: DescMessage): boolean {
  return desc.proto.options?.mapEntry === true;
}

function fieldLine(field: DescField): string {
  switch (field.fieldKind) {
    case 'map': {
      const value = field.mapKind === 'message' ? field.message.typeName : scalar(field.scalar!);
      return `map<${scalar(field.mapKey)},${value}> = ${field.number}`;
    }
    case 'list': {
      const item = field.listKind === 'message' ? field.message.typeName : scalar(field.scalar!);
      return `repeated ${item} = ${field.number}`;
    }
    case 'message':
      return `${field.message.typeName} = ${field.number}`;
    case 'enum':
      return `${field.enum.typeName} = ${field.number}`;
    case 'scalar':
      return `${scalar(field.scalar)} = ${field.number}`;
  }
}

function scalar(type: ScalarType): string {
  return ScalarType[type].toLowerCase();
}

function methodLine(method: DescMethod): string {
  const stream = (on: boolean) => (on ? 'stream ' : '');
  const { clientStreaming, serverStreaming } = method.proto;
  return `rpc ${stream(clientStreaming)}${method.input.typeName} ${stream(serverStreaming)}${method.output.typeName}`;
}

/** Type names there may be relative to the package: `Descriptor` for `containerd.types.Descriptor`. */
function agrees(our: string, their: string): boolean {
  const words = (line: string) => line.split(/([\s<>,]+)/);
  const [a, b] = [words(our), words(their)];
  return (
    a.length === b.length && a.every((word, index) => word === b[index] || word.endsWith(`.${b[index]}`))
  );
}

/** The same lines from the text of a .proto file. */
function declarations(text: string): [string, string][] {
  const plain = text.replace(/\/\*[^]*?\*\//g, '').replace(/\/\/.*$/gm, '');
  const tokens = plain.match(/"[^"]*"|[\w.]+|[{}=;<>,()[\]-]/g) ?? [];
  const lines: [string, string][] = [];
  let at = 0;
  const until = (end: string): string[] => {
    const from = at;
    while (tokens[at] !== end) at += 1;
    return tokens.slice(from, at++);
  };
  const body = (scope: string, isEnum: boolean): void => {
    for (;;) {
      const word = tokens[at++];
      if (word === undefined || word === '}') return;
      if (word === ';') continue;
      if (word === 'message' || word === 'enum' || word === 'service' || word === 'oneof') {
        const name = tokens[at++]!;
        at += 1;
        // The values of an enum are named beside it; here they are kept under it, as we keep ours.
        body(word === 'oneof' ? scope : `${scope}.${name}`, word === 'enum');
      } else if (word === 'package') {
        scope = until(';')[0]!;
      } else if (word === 'rpc') {
        const [name, ...signature] = until(';');
        const types = signature.filter((token) => /^[\w.]+$/.test(token) && token !== 'returns');
        lines.push([`${scope}.${name}`, `rpc ${types.join(' ')}`]);
      } else if (word === 'option' || word === 'syntax' || word === 'import' || word === 'reserved') {
        until(';');
      } else {
        const statement = [word, ...until(';')];
        const equals = statement.indexOf('=');
        const type = statement
          .slice(0, equals - 1)
          .join(' ')
          .replaceAll(/ ?([<>,]) ?/g, '$1');
        lines.push([
          `${scope}.${statement[equals - 1]}`,
          `${isEnum ? '' : type} = ${statement[equals + 1]}`.trim(),
        ]);
      }
    }
  };
  body('', false);
  return lines;
}
