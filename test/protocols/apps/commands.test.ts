/** What operators may ask, what is refused and why, and that asking twice is asking once. */
import { describe, expect, it } from 'vitest';
import type { PortSpec } from '../../../protocols/apps/model.ts';
import { limits } from '../../../protocols/limits.ts';
import { keys } from '../../../protocols/state/keys.ts';
import type { AppCommand, Verdict } from '../../../protocols/apps/commands.ts';
import { appOf, serviceOf, Town } from './town.ts';

const port = (hostPort: number, more: Partial<PortSpec> = {}): PortSpec => ({
  hostAddress: '0.0.0.0',
  hostPort,
  containerPort: 80,
  protocol: 'tcp',
  ...more,
});
const shop = appOf('shop', [serviceOf('web', { replicas: 2 }), serviceOf('db')], ['files']);
const deployed = (): Town => {
  const town = new Town();
  town.deploy(shop);
  town.converge();
  return town;
};
const refusal = (verdict: Verdict) => ('refusal' in verdict ? verdict.refusal.code : undefined);
const answer = (verdict: Verdict) => ('answer' in verdict ? verdict.answer : verdict.refusal);
const wrote = (verdict: Verdict) => 'writes' in verdict && verdict.writes.then.length > 0;

describe('deploy', () => {
  it('writes head, revision and missing volumes; the same again writes nothing', () => {
    const town = new Town();
    expect(answer(town.deploy(shop))).toEqual({ app: 'shop', revision: 1, changed: true });
    expect(Object.keys(town.mirror.rows).sort()).toEqual([
      keys.app('shop'),
      keys.revision('shop', 1),
      keys.volume('shop', 'files'),
    ]);
    const again = town.deploy(shop);
    expect(wrote(again)).toBe(false);
    expect(answer(again)).toEqual({ app: 'shop', revision: 1, changed: false });
  });

  it('the same file with another content of its image is another revision', () => {
    const town = deployed();
    expect(answer(town.deploy(shop, { 'web:1': 'sha256:b' }))).toMatchObject({ revision: 2, changed: true });
    expect(wrote(town.deploy(shop, { 'web:1': 'sha256:b' }))).toBe(false);
  });

  it('takes back what scale said, and keeps what restart said', () => {
    const town = deployed();
    town.command({ type: 'app.scale', app: 'shop', service: 'web', replicas: 4 });
    town.command({ type: 'app.restart', app: 'shop' });
    expect(answer(town.deploy(shop))).toEqual({ app: 'shop', revision: 1, changed: true });
    expect(town.apps()[0]).toMatchObject({ scale: {}, restarts: { '*': 1 }, revision: 1 });
  });

  it.each<[string, PortSpec, PortSpec, boolean]>([
    ['the same port', port(80), port(80), true],
    ['everywhere and one address', port(80), port(80, { hostAddress: '127.0.0.1' }), true],
    ['two addresses', port(80, { hostAddress: '127.0.0.2' }), port(80, { hostAddress: '127.0.0.1' }), false],
    ['tcp and udp', port(80), port(80, { protocol: 'udp' }), false],
    ['two ports', port(80), port(81), false],
  ])('%s of two apps, and of two services', (_, one, other, clashes) => {
    const town = new Town();
    town.deploy(appOf('shop', [serviceOf('web', { ports: [one] })]));
    const code = clashes ? 'HM-PORT-TAKEN' : undefined;
    expect(refusal(town.deploy(appOf('blog', [serviceOf('web', { ports: [other] })])))).toBe(code);
    const both = [serviceOf('web', { ports: [one] }), serviceOf('api', { ports: [other] })];
    expect(refusal(new Town().deploy(appOf('shop', both)))).toBe(code);
  });

  it('a port may move within an app, and is free once its app is being removed', () => {
    const town = new Town();
    town.deploy(appOf('shop', [serviceOf('web', { ports: [port(80)] })]));
    expect(refusal(town.deploy(appOf('shop', [serviceOf('www', { ports: [port(80)] })])))).toBeUndefined();
    town.command({ type: 'app.remove', app: 'shop', volumes: false });
    expect(refusal(town.deploy(appOf('blog', [serviceOf('web', { ports: [port(80)] })])))).toBeUndefined();
  });
});

describe('refusals', () => {
  const being = deployed();
  being.command({ type: 'app.remove', app: 'shop', volumes: false });
  it.each<[string, Town, AppCommand, string]>([
    [
      'scale of no app',
      new Town(),
      { type: 'app.scale', app: 'shop', service: 'web', replicas: 1 },
      'HM-APP-UNKNOWN',
    ],
    ['restart of no app', new Town(), { type: 'app.restart', app: 'shop' }, 'HM-APP-UNKNOWN'],
    ['removal of no app', new Town(), { type: 'app.remove', app: 'shop', volumes: true }, 'HM-APP-UNKNOWN'],
    [
      'scale of no service',
      deployed(),
      { type: 'app.scale', app: 'shop', service: 'x', replicas: 1 },
      'HM-SERVICE-UNKNOWN',
    ],
    [
      'restart of no service',
      deployed(),
      { type: 'app.restart', app: 'shop', service: 'x' },
      'HM-SERVICE-UNKNOWN',
    ],
    [
      'restart of no replica',
      deployed(),
      { type: 'app.restart', app: 'shop', service: 'web', index: 3 },
      'HM-SERVICE-UNKNOWN',
    ],
    [
      'less than none',
      deployed(),
      { type: 'app.scale', app: 'shop', service: 'web', replicas: -1 },
      'HM-COMPOSE-LIMIT',
    ],
    [
      'a half',
      deployed(),
      { type: 'app.scale', app: 'shop', service: 'web', replicas: 1.5 },
      'HM-COMPOSE-LIMIT',
    ],
    [
      'too many',
      deployed(),
      { type: 'app.scale', app: 'shop', service: 'web', replicas: limits.composeReplicas + 1 },
      'HM-COMPOSE-LIMIT',
    ],
    ['deploy while it is removed', being, { type: 'app.deploy', spec: shop, at: 1 }, 'HM-APP-CONFLICT'],
    [
      'scale while it is removed',
      being,
      { type: 'app.scale', app: 'shop', service: 'web', replicas: 1 },
      'HM-APP-CONFLICT',
    ],
    ['restart while it is removed', being, { type: 'app.restart', app: 'shop' }, 'HM-APP-CONFLICT'],
  ])('%s', (_, town, command, code) => {
    const before = town.mirror;
    expect(refusal(town.command(command))).toBe(code);
    expect(town.mirror).toBe(before);
  });
});

describe('scale, restart, remove', () => {
  it('scale holds over the revision; the same number again writes nothing', () => {
    const town = deployed();
    const scale: AppCommand = { type: 'app.scale', app: 'shop', service: 'web', replicas: 1 };
    expect(wrote(town.command(scale))).toBe(true);
    expect(wrote(town.command(scale))).toBe(false);
    town.converge();
    expect(town.assignments().map(({ slot }) => slot)).toEqual(['shop/web.1', 'shop/db.1']);
  });

  it.each<[string, Omit<Extract<AppCommand, { type: 'app.restart' }>, 'type' | 'app'>, string[]]>([
    ['an app', {}, ['shop/db.1', 'shop/web.1', 'shop/web.2']],
    ['a service', { service: 'web' }, ['shop/web.1', 'shop/web.2']],
    ['a slot', { service: 'web', index: 2 }, ['shop/web.2']],
  ])('restart of %s places just that anew, each time', (_, which, expected) => {
    const town = deployed();
    for (const times of [2, 3]) {
      const verdict = town.command({ type: 'app.restart', app: 'shop', ...which });
      expect(answer(verdict)).toEqual({ slots: expected.length });
      town.converge();
      const moved = town.assignments().filter(({ placement }) => placement === times);
      expect(moved.map(({ slot }) => slot).sort()).toEqual(expected);
    }
  });

  it('removing twice is removing once; volumes can still be added to it', () => {
    const town = deployed();
    town.command({ type: 'app.remove', app: 'shop', volumes: false });
    expect(wrote(town.command({ type: 'app.remove', app: 'shop', volumes: false }))).toBe(false);
    expect(wrote(town.command({ type: 'app.remove', app: 'shop', volumes: true }))).toBe(true);
    expect(town.mirror.rows[keys.volume('shop', 'files')]?.value).toMatchObject({ removing: true });
    // Those without a name, which the store does not know one by one.
    expect(town.mirror.rows[keys.volume('shop', '*')]?.value).toMatchObject({ removing: true });
  });
});

it('a volume of another app must be there, and is not removed while it is mounted', () => {
  const town = new Town();
  const mounts = [{ type: 'volume', volume: 'data', app: 'other', target: '/d', readOnly: false }] as const;
  const borrower = appOf('shop', [serviceOf('web', { mounts })]);
  const said = (verdict: Verdict): string | undefined =>
    'refusal' in verdict ? `${verdict.refusal.code} ${verdict.refusal.message}` : undefined;
  expect(said(town.deploy(borrower))).toBe(
    'HM-VOLUME-UNKNOWN shop/web mounts other/data, which is not there',
  );
  town.deploy(appOf('other', [serviceOf('db')], ['data']));
  expect(said(town.deploy(borrower))).toBeUndefined();
  const remove = (volumes: boolean) => town.command({ type: 'app.remove', app: 'other', volumes });
  expect(said(remove(true))).toBe('HM-VOLUME-USED other/data is mounted by shop/web');
  expect(said(remove(false))).toBeUndefined();
});
