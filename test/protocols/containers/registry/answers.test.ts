/** What registries answer: known forms are read, and whatever else comes is refused in words, never thrown at. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { shortImageName } from '../../../../protocols/containers/image-name.ts';
import {
  rangeStart,
  redirectOf,
  retryAfterMs,
  verdictOf,
} from '../../../../protocols/containers/registry/attempts.ts';
import {
  authenticate,
  parseChallenges,
  readToken,
} from '../../../../protocols/containers/registry/challenge.ts';
import {
  credentialSource,
  helperCredential,
  secretCredential,
} from '../../../../protocols/containers/registry/docker-config.ts';
import { mediaTypeOf, readRegistryDocument } from '../../../../protocols/containers/registry/documents.ts';
import { endpointsOf } from '../../../../protocols/containers/registry/endpoints.ts';
import { choosePlatform, parsePlatform } from '../../../../protocols/containers/registry/platform.ts';
import { parsePullPolicy, pullDecision } from '../../../../protocols/containers/registry/policy.ts';
import { pinnedImageName, registryReference } from '../../../../protocols/containers/registry/reference.ts';
import { catalogue } from '../../../../protocols/errors.ts';
import { limits } from '../../../../protocols/limits.ts';

const digest = `sha256:${'a'.repeat(64)}`;

describe('names', () => {
  it.each([
    ['redis', 'docker.io', 'library/redis', 'latest'],
    ['team/box:2', 'docker.io', 'team/box', '2'],
    ['localhost:5000/a/b:1', 'localhost:5000', 'a/b', '1'],
    [`ghcr.io/a/b:1@${digest}`, 'ghcr.io', 'a/b', digest],
  ])('%s is asked for where it is', (name, registry, repository, wanted) => {
    expect(registryReference(shortImageName(name)!)).toMatchObject({ registry, repository, wanted });
  });

  it('a pin has no tag', () => {
    expect(pinnedImageName('localhost:5000/box:1', digest)).toBe(`localhost:5000/box@${digest}`);
  });

  it('mirrors come first; a blocked registry is never asked', () => {
    const registries = { 'docker.io': { mirrors: ['http://m:1/x'] }, '*': { blocked: true } };
    const bases = (registry: string) => endpointsOf(registry, registries).map(({ base }) => base);
    expect(bases('docker.io')).toEqual(['http://m:1/x', 'https://registry-1.docker.io']);
    expect(bases('ghcr.io')).toEqual([]);
  });
});

describe('challenges', () => {
  it('are read with their parameters', () => {
    const header =
      'Bearer realm="https://t/token",service="r, \\"q\\"",scope="repository:a:pull", Basic realm=x';
    expect(parseChallenges(header)).toEqual([
      {
        scheme: 'bearer',
        parameters: { realm: 'https://t/token', service: 'r, "q"', scope: 'repository:a:pull' },
      },
      { scheme: 'basic', parameters: { realm: 'x' } },
    ]);
  });

  it('a password goes to no token server without TLS', () => {
    const challenge = parseChallenges('Bearer realm="http://t/token"');
    expect(authenticate(challenge, 'a', { username: 'u', password: 'p' }, false).by).toBe('nothing');
    expect(authenticate(challenge, 'a', { username: 'u', password: 'p' }, true).by).toBe('token');
  });

  it.each([['one\ntwo'], [''], [7], ['a b']])('%j is no token', (token) => {
    expect(readToken({ token })).toBeUndefined();
  });
});

describe('platforms', () => {
  const entries = ['linux/amd64', 'linux/arm/v6', 'linux/arm/v7', 'linux/arm64/v8'].map((text) => ({
    text,
    platform: parsePlatform(text)!,
  }));
  it.each([
    ['linux/arm64', 'linux/arm64/v8'],
    ['linux/aarch64', 'linux/arm64/v8'],
    ['linux/arm', 'linux/arm/v7'],
    ['linux/arm/v6', 'linux/arm/v6'],
    ['linux/arm/v5', undefined],
    ['linux/s390x', undefined],
  ])('%s gets %s', (wanted, text) => {
    expect(choosePlatform(entries, parsePlatform(wanted)!)?.text).toBe(text);
  });
});

describe('policies', () => {
  it.each([
    ['every_1d12h', { when: 'older', thanMs: 129_600_000 }],
    ['daily', { when: 'older', thanMs: 86_400_000 }],
    ['every_', undefined],
    ['sometimes', undefined],
  ])('%s', (text, policy) => expect(parsePullPolicy(text)).toEqual(policy));

  it('what is fixed is never asked about', () => {
    const here = { present: true, lookedAtMs: 0, fixed: true };
    expect(pullDecision({ when: 'always' }, here, 1e12)).toBe('use');
  });
});

describe('logins', () => {
  const auth = btoa('ann:pass:word');
  it.each([
    ['docker.io', { auths: { 'https://index.docker.io/v1/': { auth } } }, 'file'],
    ['r:5', { auths: { 'https://r:5/v2/': { auth } } }, 'file'],
    ['r:5', { credHelpers: { 'r:5': 'pass' }, auths: { 'r:5': { auth } } }, 'helper'],
    ['r:5', { credsStore: '../../bin/sh' }, 'nowhere'],
  ])('%s from %j', (registry, config, from) => expect(credentialSource(config, registry).from).toBe(from));

  it('of a secret', () =>
    expect(secretCredential('ann:x:y\n')).toEqual({ username: 'ann', password: 'x:y' }));
});

it('whatever comes is read or refused, with a code that exists, in bounded time', () => {
  const manifest = JSON.stringify({
    schemaVersion: 2,
    config: { mediaType: 'application/vnd.oci.image.config.v1+json', digest, size: 2 },
    layers: [{ mediaType: 'application/vnd.oci.image.layer.v1.tar+gzip', digest, size: 3 }],
  });
  const cut = fc.record({ at: fc.nat(manifest.length), drop: fc.nat(40), add: fc.string({ maxLength: 20 }) });
  const mutated = fc
    .array(cut, { maxLength: 4 })
    .map((cuts) =>
      cuts.reduce((text, { at, drop, add }) => text.slice(0, at) + add + text.slice(at + drop), manifest),
    );
  const anything = fc.oneof(mutated, fc.json(), fc.string(), fc.string({ unit: 'binary' }));
  fc.assert(
    fc.property(anything, fc.anything(), fc.integer(), fc.nat(1e9), (text, value, status, offset) => {
      const read = readRegistryDocument(Buffer.from(text));
      if (read.kind === 'manifest') expect(read.layers.length).toBeLessThanOrEqual(limits.imageLayers);
      mediaTypeOf(Buffer.from(text), text);
      authenticate(parseChallenges(text), 'a', undefined, false);
      readToken(value);
      credentialSource(value, 'r');
      helperCredential(value);
      secretCredential(text);
      const verdict = verdictOf(
        { kind: 'status', status, retryAfter: text },
        { attempt: 1, nowMs: 0, chance: 0 },
      );
      if (verdict.do === 'refuse') expect(Object.keys(catalogue)).toContain(verdict.code);
      if (verdict.do === 'retry') expect(verdict.afterMs).toBeLessThanOrEqual(limits.registryRetryAfterMs);
      const led = redirectOf('https://r/x', text, 0, false);
      if ('to' in led) expect(new URL(led.to).protocol).toBe('https:');
      const start = rangeStart(206, text, offset);
      expect(start === undefined || start === offset).toBe(true);
      const wait = retryAfterMs(text, 0);
      expect(wait === undefined || wait >= 0).toBe(true);
    }),
    { numRuns: 2_000 },
  );
});
