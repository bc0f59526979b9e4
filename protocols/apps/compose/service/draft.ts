/** A service while its keys are read: every reader fills its part. What stands in no key stays absent. */
import type { Dependency, HealthcheckSpec, PortSpec, RestartPolicy, ServiceSpec } from '../../model.ts';
import type {
  ClusterSettings,
  FileGrant,
  HookSettings,
  IsolationSettings,
  JobSettings,
  LoggingSettings,
  NameSettings,
  NetworkAttachment,
  ProbeSettings,
  ProcessSettings,
  ResourceSettings,
  ServiceParts,
} from '../../service-model.ts';
import type { ComposeNode, Place } from '../document.ts';
import type { FileContent } from '../files/requests.ts';
import type { Environment } from '../interpolate.ts';
import type { MountContext, PlacedMount } from '../mounts.ts';
import { refuse, type Reader, type Scope } from '../readers.ts';

export interface ServiceContext extends MountContext {
  readonly environment: Environment;
  /** Files that are taken in whole, by absolute path. */
  readonly contents: ReadonlyMap<string, FileContent>;
}

type Filled<T> = { -readonly [K in keyof T]: T[K] };

/** The alias under which a service wants to reach another one. */
export interface Link {
  readonly service: string;
  readonly alias: string;
  readonly at: Place;
}

/** A service whose mounts are wanted too. */
export interface Borrowed {
  readonly service: string;
  readonly readOnly: boolean;
  readonly at: Place;
}

export interface PlacedDependency {
  readonly dependency: Dependency;
  readonly at: Place;
}

interface Parts {
  readonly process: Filled<ProcessSettings>;
  readonly isolation: Filled<IsolationSettings>;
  readonly limits: Filled<NonNullable<ResourceSettings['limits']>>;
  readonly reservations: Filled<NonNullable<ResourceSettings['reservations']>>;
  readonly resources: Filled<Omit<ResourceSettings, 'limits' | 'reservations'>>;
  readonly names: Filled<NameSettings>;
  readonly hooks: Filled<HookSettings>;
  readonly cluster: Filled<ClusterSettings>;
  /** Those that stand for themselves. */
  readonly own: Filled<
    Pick<
      ServiceParts,
      | 'labels'
      | 'annotations'
      | 'serviceLabels'
      | 'pullPolicy'
      | 'platform'
      | 'mode'
      | 'hostProcess'
      | 'onSecretChange'
    >
  >;
}

export interface ServiceDraft extends Parts {
  readonly context: ServiceContext;
  readonly name: string;
  image?: string | undefined;
  build?: ComposeNode | undefined;
  entrypoint?: readonly string[] | undefined;
  command?: readonly string[] | undefined;
  environment: ReadonlyMap<string, string>;
  ports: readonly PortSpec[];
  portsAt?: Place;
  readonly mounts: PlacedMount[];
  dependencies: readonly PlacedDependency[];
  readonly links: Link[];
  readonly borrowed: Borrowed[];
  readonly files: { readonly grant: FileGrant; readonly at: Place }[];
  restart?: RestartPolicy | undefined;
  /** Goes before `restart`. */
  restartPolicy?: RestartPolicy | undefined;
  replicas?: number | undefined;
  healthcheck?: HealthcheckSpec | undefined;
  networkMode: ServiceSpec['networkMode'];
  networkModeAt?: Place;
  networks?: ReadonlyMap<string, NetworkAttachment>;
  networksAt?: Place;
  macAddress?: string | undefined;
  containerName?: string | undefined;
  logging?: LoggingSettings | undefined;
  probes?: ProbeSettings | undefined;
  job?: JobSettings | undefined;
  refreshAfterMs?: number | undefined;
  stopGraceMs: number;
  stopSignal?: string | undefined;
}

export const draftOf = (name: string, context: ServiceContext, stopGraceMs: number): ServiceDraft => ({
  name,
  context,
  environment: new Map(),
  ports: [],
  mounts: [],
  dependencies: [],
  links: [],
  borrowed: [],
  files: [],
  networkMode: 'app',
  stopGraceMs,
  process: {},
  isolation: {},
  limits: {},
  reservations: {},
  resources: {},
  names: {},
  hooks: {},
  cluster: {},
  own: {},
});

type Read<Value> = (scope: Scope, node: ComposeNode) => Value | undefined;

/** A file's bytes, or why there are none, in words that follow its path. */
export function contentOf(
  { contents }: ServiceContext,
  path: string,
): { readonly bytes: Uint8Array } | { readonly why: string } {
  const content = contents.get(path);
  if (!content) return { why: `${path} was not read` };
  return 'bytes' in content ? content : { why: content.failed.message };
}

/** A key that fills one field of one part. */
export const into =
  <Part extends keyof Parts, Field extends keyof Parts[Part]>(
    part: Part,
    field: Field,
    read: Read<Parts[Part][Field]>,
  ): Reader<ServiceDraft> =>
  (draft, node, scope) => {
    const value = read(scope, node);
    if (value !== undefined) draft[part][field] = value;
  };

/** The same for what Compose can say in two places, which must agree. */
export const agreeing =
  <Part extends 'limits' | 'reservations', Field extends keyof Parts[Part]>(
    part: Part,
    field: Field,
    read: Read<Parts[Part][Field]>,
  ): Reader<ServiceDraft> =>
  (draft, node, scope) => {
    const value = read(scope, node);
    if (value === undefined) return;
    const said = draft[part][field];
    if (said !== undefined && said !== value) disagree(scope, node.at);
    else draft[part][field] = value;
  };

export function disagree(scope: Scope, at: Place): void {
  refuse(scope, at, 'another key of the service gives another value', 'Keep one of the two.');
}
