/** Where a registry's images are asked for: its mirrors in the order of the settings, then itself. Pure. */

/** What the node's settings say of one registry (or mirror), by its host: `docker.io`, `127.0.0.1:5000`. */
export interface RegistrySettings {
  /** Asked before the registry itself: `mirror.example:5000` or `https://mirror.example/prefix`. */
  readonly mirrors?: readonly string[];
  /** Its certificate is not checked. */
  readonly insecure?: boolean;
  /** Plain HTTP: nothing is secret and nothing is proven but the digests. */
  readonly plainHttp?: boolean;
  /** PEM file of the authority that its certificate is checked against. */
  readonly caFile?: string;
  /** It is never asked. */
  readonly blocked?: boolean;
}

/** `*` stands for every registry that is not named. */
export type Registries = Readonly<Record<string, RegistrySettings>>;

export interface Endpoint {
  /** `https://registry-1.docker.io`, without a slash at its end. */
  readonly base: string;
  /** Whose credentials go there. */
  readonly registry: string;
  readonly plainHttp: boolean;
  readonly insecure: boolean;
  readonly caFile?: string;
}

/** Docker's registry answers under another name than the one its images have. */
const dockerHost = 'registry-1.docker.io';

/** Empty: the settings forbid to ask for it anywhere. */
export function endpointsOf(registry: string, registries: Registries): readonly Endpoint[] {
  const { mirrors = [], blocked = false } = registries[registry] ?? registries['*'] ?? {};
  return [...mirrors, ...(blocked ? [] : [registry])].map((place) => endpointOf(place, registries));
}

function endpointOf(place: string, registries: Registries): Endpoint {
  const [, scheme, address = place] = /^(https?):\/\/(.*?)\/*$/.exec(place) ?? [];
  const host = address.split('/')[0]!;
  const { plainHttp = scheme === 'http', insecure = false, caFile } = registries[host] ?? {};
  const named = host === 'docker.io' ? address.replace(/^docker\.io/, dockerHost) : address;
  return {
    base: `${plainHttp ? 'http' : 'https'}://${named}`,
    registry: host,
    plainHttp,
    insecure,
    ...(caFile === undefined ? {} : { caFile }),
  };
}
