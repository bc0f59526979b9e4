/** `healthcheck:` of a service. */
import type { HealthcheckSpec } from '../model.ts';
import type { ComposeNode } from './document.ts';
import {
  readBoolean,
  readDuration,
  readInteger,
  readKeys,
  readMap,
  readText,
  readTexts,
  refuse,
  type KeyTable,
  type Scope,
} from './readers.ts';

interface Draft {
  /** `none`: switched off. */
  test?: readonly string[] | 'none' | undefined;
  disable?: boolean | undefined;
  intervalMs: number;
  timeoutMs: number;
  retries: number;
  startPeriodMs: number;
  startIntervalMs?: number | undefined;
}

const keys: KeyTable<Draft> = {
  test: (draft, node, scope) => (draft.test = readTest(scope, node)),
  disable: (draft, node, scope) => (draft.disable = readBoolean(scope, node)),
  interval: (draft, node, scope) => (draft.intervalMs = readPause(scope, node) ?? draft.intervalMs),
  timeout: (draft, node, scope) => (draft.timeoutMs = readPause(scope, node) ?? draft.timeoutMs),
  retries: (draft, node, scope) => (draft.retries = readInteger(scope, node, 1, 1_000) ?? draft.retries),
  start_period: (draft, node, scope) =>
    (draft.startPeriodMs = readDuration(scope, node) ?? draft.startPeriodMs),
  start_interval: (draft, node, scope) => (draft.startIntervalMs = readPause(scope, node)),
};

/** The defaults are Docker's. `undefined`: no health check. */
export function readHealthcheck(scope: Scope, node: ComposeNode): HealthcheckSpec | undefined {
  const map = readMap(scope, node);
  if (!map) return undefined;
  const draft: Draft = { intervalMs: 30_000, timeoutMs: 30_000, retries: 3, startPeriodMs: 0 };
  readKeys(scope, map, 'services.healthcheck', keys, draft);
  if (draft.disable || draft.test === 'none') return undefined;
  if (!map.entries.some((entry) => entry.key === 'test')) {
    const text = `${scope.path} has no effect without test: a check that only the image brings is not run`;
    scope.problems.warn('HM-COMPOSE-KEY', node.at, text);
    return undefined;
  }
  if (!draft.test) return undefined;
  const { test, intervalMs, timeoutMs, retries, startPeriodMs, startIntervalMs } = draft;
  return {
    test,
    intervalMs,
    timeoutMs,
    retries,
    startPeriodMs,
    ...(startIntervalMs === undefined ? {} : { startIntervalMs }),
  };
}

/** At least Docker's 1 ms; nothing may spin. */
function readPause(scope: Scope, node: ComposeNode): number | undefined {
  const ms = readDuration(scope, node);
  return ms === 0 ? refuse(scope, node.at, 'must be longer than 0') : ms;
}

/** A text goes to the container's shell; a list begins with CMD, CMD-SHELL or NONE. */
function readTest(scope: Scope, node: ComposeNode): readonly string[] | 'none' | undefined {
  if (node.kind !== 'list') {
    const text = readText(scope, node);
    return text === undefined ? undefined : ['/bin/sh', '-c', text];
  }
  const [form, ...args] = readTexts(scope, node);
  if (form === 'NONE' && args.length === 0) return 'none';
  if (form === 'CMD' && args.length > 0) return args;
  if (form === 'CMD-SHELL' && args.length === 1) return ['/bin/sh', '-c', args[0]!];
  return refuse(
    scope,
    node.at,
    'a list must begin with CMD, CMD-SHELL or NONE',
    'As in ["CMD", "redis-cli", "ping"].',
  );
}
