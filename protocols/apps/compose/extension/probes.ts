/** `x-hivemind.probes` of a service: what asks a container how it is, and how often. */
import type { ProbeAction, ProbeSettings, ProbeSpec } from '../../service-model.ts';
import type { ComposeNode } from '../document.ts';
import {
  inside,
  mistyped,
  oneOf,
  readDuration,
  readInteger,
  readKeys,
  readList,
  readMap,
  readPairs,
  readText,
  readTexts,
  refuse,
  type KeyTable,
  type Scope,
} from '../readers.ts';

type Draft = { -readonly [K in keyof ProbeSettings]: ProbeSettings[K] | undefined };

const keys: KeyTable<Draft> = {
  startup: (draft, node, scope) => (draft.startup = readProbe(scope, node)),
  readiness: (draft, node, scope) => (draft.readiness = readProbe(scope, node)),
  liveness: (draft, node, scope) => (draft.liveness = readProbe(scope, node)),
  drain: (draft, node, scope) => (draft.drainMs = readDuration(scope, node)),
};

export function readProbes(scope: Scope, node: ComposeNode): ProbeSettings | undefined {
  const map = readMap(scope, node);
  const draft: Draft = {};
  if (map) readKeys(scope, map, 'services.x-hivemind.probes', keys, draft);
  return map && Object.fromEntries(Object.entries(draft).filter(([, value]) => value !== undefined));
}

interface ProbeDraft {
  readonly actions: (ProbeAction | undefined)[];
  initialDelayMs: number;
  intervalMs: number;
  timeoutMs: number;
  successes: number;
  failures: number;
}

const probeKeys: KeyTable<ProbeDraft> = {
  http: (draft, node, scope) => draft.actions.push(readHttp(scope, node)),
  tcp: (draft, node, scope) => draft.actions.push(readTcp(scope, node)),
  grpc: (draft, node, scope) => draft.actions.push(readGrpc(scope, node)),
  exec: (draft, node, scope) => draft.actions.push(readExec(scope, node)),
  initialDelay: (draft, node, scope) =>
    (draft.initialDelayMs = readDuration(scope, node) ?? draft.initialDelayMs),
  interval: (draft, node, scope) => (draft.intervalMs = readPause(scope, node) ?? draft.intervalMs),
  timeout: (draft, node, scope) => (draft.timeoutMs = readPause(scope, node) ?? draft.timeoutMs),
  successes: (draft, node, scope) =>
    (draft.successes = readInteger(scope, node, 1, 1_000) ?? draft.successes),
  failures: (draft, node, scope) => (draft.failures = readInteger(scope, node, 1, 1_000) ?? draft.failures),
};

/** Nothing may spin. */
function readPause(scope: Scope, node: ComposeNode): number | undefined {
  const ms = readDuration(scope, node);
  return ms === 0 ? refuse(scope, node.at, 'must be longer than 0') : ms;
}

function readProbe(scope: Scope, node: ComposeNode): ProbeSpec | undefined {
  const map = readMap(scope, node);
  if (!map) return undefined;
  const draft: ProbeDraft = {
    actions: [],
    initialDelayMs: 0,
    intervalMs: 10_000,
    timeoutMs: 1_000,
    successes: 1,
    failures: 3,
  };
  readKeys(scope, map, 'services.x-hivemind.probes.probe', probeKeys, draft);
  const { actions, ...timing } = draft;
  if (actions.length !== 1) return refuse(scope, node.at, 'needs exactly one of http, tcp, grpc and exec');
  const [action] = actions;
  return action && { action, ...timing };
}

const readPort = (scope: Scope, node: ComposeNode) => readInteger(scope, node, 1, 65_535);

interface HttpDraft {
  port?: number | undefined;
  path?: string | undefined;
  scheme?: 'http' | 'https' | undefined;
  host?: string | undefined;
  headers?: Readonly<Record<string, string>> | undefined;
  statuses?: readonly number[] | undefined;
}

const httpKeys: KeyTable<HttpDraft> = {
  port: (draft, node, scope) => (draft.port = readPort(scope, node)),
  path: (draft, node, scope) => {
    const text = readText(scope, node);
    if (text === undefined || /^\/[\x21-\x7e]*$/.test(text)) draft.path = text;
    else mistyped(scope, node, 'a path that begins with /');
  },
  scheme: (draft, node, scope) => (draft.scheme = oneOf('http', 'https')(scope, node)),
  host: (draft, node, scope) => (draft.host = readLine(scope, node)),
  headers: (draft, node, scope) => (draft.headers = readHeaders(scope, node)),
  statuses: (draft, node, scope) =>
    (draft.statuses = readList(scope, node)?.items.flatMap(
      (item, index) => readInteger(inside(scope, index), item, 100, 599) ?? [],
    )),
};

/** What would end a header would begin another one. */
function readLine(scope: Scope, node: ComposeNode): string | undefined {
  const text = readText(scope, node);
  return text === undefined || /^[\x20-\x7e]*$/.test(text) ? text : mistyped(scope, node, 'printable ASCII');
}

function readHeaders(scope: Scope, node: ComposeNode): Readonly<Record<string, string>> | undefined {
  const headers = readPairs(scope, node);
  const wrong = Object.entries(headers ?? {}).find(
    ([name, value]) => !/^[A-Za-z0-9!#$%&'*+.^_`|~-]+$/.test(name) || !/^[\x20-\x7e]*$/.test(value),
  );
  return wrong ? refuse(scope, node.at, `${JSON.stringify(wrong[0])} is not a header`) : headers;
}

function readHttp(scope: Scope, node: ComposeNode): ProbeAction | undefined {
  const map = readMap(scope, node);
  const draft: HttpDraft = {};
  if (map) readKeys(scope, map, 'services.x-hivemind.probes.probe.http', httpKeys, draft);
  const { port, path = '/', scheme = 'http', host, headers, statuses } = draft;
  if (map && !map.entries.some((entry) => entry.key === 'port')) refuse(scope, node.at, 'port is missing');
  if (port === undefined) return undefined;
  if (statuses?.length === 0) return refuse(scope, node.at, 'statuses is empty: nothing would pass');
  return {
    type: 'http',
    port,
    path,
    scheme,
    ...(host === undefined ? {} : { host }),
    ...(headers === undefined ? {} : { headers }),
    ...(statuses === undefined ? {} : { statuses }),
  };
}

interface PortDraft {
  port?: number | undefined;
  service?: string | undefined;
}

const portKeys: KeyTable<PortDraft> = {
  port: (draft, node, scope) => (draft.port = readPort(scope, node)),
  service: (draft, node, scope) => (draft.service = readText(scope, node)),
};

function readPortDraft(scope: Scope, node: ComposeNode, kind: 'tcp' | 'grpc'): PortDraft {
  const draft: PortDraft = {};
  if (node.kind !== 'map') draft.port = readPort(scope, node);
  else {
    readKeys(scope, node, `services.x-hivemind.probes.probe.${kind}`, portKeys, draft);
    if (!node.entries.some((entry) => entry.key === 'port')) refuse(scope, node.at, 'port is missing');
  }
  return draft;
}

/** `tcp: 5432` or `tcp: { port: 5432 }`. */
function readTcp(scope: Scope, node: ComposeNode): ProbeAction | undefined {
  const { port } = readPortDraft(scope, node, 'tcp');
  return port === undefined ? undefined : { type: 'tcp', port };
}

function readGrpc(scope: Scope, node: ComposeNode): ProbeAction | undefined {
  const { port, service } = readPortDraft(scope, node, 'grpc');
  return port === undefined
    ? undefined
    : { type: 'grpc', port, ...(service === undefined ? {} : { service }) };
}

/** A list is argv, a text goes to the container's shell, as in a healthcheck. */
function readExec(scope: Scope, node: ComposeNode): ProbeAction | undefined {
  if (node.kind !== 'list') {
    const text = readText(scope, node);
    return text === undefined ? undefined : { type: 'exec', command: ['/bin/sh', '-c', text] };
  }
  const command = readTexts(scope, node);
  return command.length > 0 ? { type: 'exec', command } : refuse(scope, node.at, 'the command is empty');
}
