/** Image names: one image, one short name, however it is written. */
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { fullImageName, shortImageName } from '../../../protocols/containers/image-name.ts';

const digest = `sha256:${'a'.repeat(64)}`;

it.each([
  ['redis', 'redis:latest', 'docker.io/library/redis:latest'],
  ['redis:7', 'redis:7', 'docker.io/library/redis:7'],
  ['docker.io/library/redis', 'redis:latest', 'docker.io/library/redis:latest'],
  ['index.docker.io/library/redis:7', 'redis:7', 'docker.io/library/redis:7'],
  ['library/redis', 'redis:latest', 'docker.io/library/redis:latest'],
  ['bitnami/redis', 'bitnami/redis:latest', 'docker.io/bitnami/redis:latest'],
  ['ghcr.io/team/app:1.0', 'ghcr.io/team/app:1.0', 'ghcr.io/team/app:1.0'],
  ['localhost/app', 'localhost/app:latest', 'localhost/app:latest'],
  ['localhost:5000/app', 'localhost:5000/app:latest', 'localhost:5000/app:latest'],
  [`redis@${digest}`, `redis@${digest}`, `docker.io/library/redis@${digest}`],
  [`redis:7@${digest}`, `redis:7@${digest}`, `docker.io/library/redis:7@${digest}`],
])('%s', (text, short, full) => {
  expect(shortImageName(text)).toBe(short);
  expect(fullImageName(short)).toBe(full);
});

it.each([
  '',
  ' ',
  'Redis',
  'redis:',
  'redis:a b',
  '/redis',
  'redis/',
  'a//b',
  '../x',
  'Team/app',
  '-x.y/app',
  'redis@sha256:1',
  'x'.repeat(256),
])('refuses %j', (text) => {
  expect(shortImageName(text)).toBeUndefined();
});

it('is the same from either form, and shortening twice changes nothing', () => {
  const word = fc.stringMatching(/^[a-z0-9]{1,8}$/);
  const name = fc
    .tuple(
      fc.constantFrom('', 'docker.io/', 'ghcr.io/', 'localhost:5000/'),
      fc.array(word, { minLength: 1, maxLength: 3 }),
    )
    .map(([registry, parts]) => registry + parts.join('/'));
  fc.assert(
    fc.property(name, fc.option(word), (text, tag) => {
      const short = shortImageName(tag === null ? text : `${text}:${tag}`)!;
      expect(shortImageName(short)).toBe(short);
      expect(shortImageName(fullImageName(short))).toBe(short);
    }),
  );
});
