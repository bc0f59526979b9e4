/**
 * Profiles: a service that names some is part of the app only when one of them is enabled, or when it is asked for
 * by name, which enables its own. Services without profiles always are.
 */
import { nearest } from '../../../suggest.ts';
import { textOf, withField, type ComposeNode, type MapEntry, type Problems } from '../document.ts';
import { readList, readTexts, refuse, type Scope } from '../readers.ts';

export interface Wanted {
  /** `*` is every profile. */
  readonly profiles: readonly string[];
  /** Services asked for by name. */
  readonly services: readonly string[];
}

export interface Selected {
  readonly root: ComposeNode;
  /** Services left out, with the profiles that would bring them in. */
  readonly disabled: ReadonlyMap<string, readonly string[]>;
}

const profileName = /^[a-zA-Z0-9][a-zA-Z0-9_.-]*$/;

export function selectServices(root: ComposeNode, wanted: Wanted, problems: Problems): Selected {
  const services =
    root.kind === 'map' ? root.entries.find(({ key }) => key === 'services')?.value : undefined;
  if (root.kind !== 'map' || services?.kind !== 'map') return { root, disabled: new Map() };
  const own = new Map(services.entries.map((entry) => [entry.key, profilesOf(entry, problems)]));
  const enabled = new Set(wanted.profiles);
  for (const name of wanted.services) {
    const named = own.get(name);
    named?.forEach((profile) => enabled.add(profile));
    if (!named) {
      const near = nearest(name, own.keys());
      const hint = near === undefined ? undefined : `Did you mean ${near}?`;
      problems.add('HM-COMPOSE-REFERENCE', undefined, `The app has no service ${name}`, hint);
    }
  }
  const isOn = (profiles: readonly string[]): boolean =>
    profiles.length === 0 || enabled.has('*') || profiles.some((profile) => enabled.has(profile));
  const disabled = new Map([...own].filter(([, profiles]) => !isOn(profiles)));
  const entries = services.entries
    .filter(({ key }) => !disabled.has(key))
    .map(({ value, ...entry }) => ({ ...entry, value: withoutProfiles(value) }));
  return { root: withField(root, 'services', { ...services, entries }), disabled };
}

const withoutProfiles = (service: ComposeNode): ComposeNode =>
  service.kind === 'map' ? withField(service, 'profiles', undefined) : service;

function profilesOf({ key, value }: MapEntry, problems: Problems): readonly string[] {
  const node =
    value.kind === 'map' ? value.entries.find((entry) => entry.key === 'profiles')?.value : undefined;
  if (!node || (node.kind === 'scalar' && textOf(node) === undefined)) return [];
  const scope: Scope = { problems, path: `services.${key}.profiles` };
  const list = readList(scope, node);
  const names = list ? readTexts(scope, list) : [];
  for (const name of names)
    if (!profileName.test(name))
      refuse(scope, node.at, `${JSON.stringify(name.slice(0, 60))} is not a profile's name`);
  return names;
}
