/** Keys about a container's way through life: pull, restart, health check, hooks, stop. */
import type { RestartPolicy } from '../../model.ts';
import type { HookSpec } from '../../service-model.ts';
import type { ComposeNode } from '../document.ts';
import { readHealthcheck } from '../healthcheck.ts';
import {
  inside,
  mistyped,
  readAbsolute,
  readBoolean,
  readDuration,
  readKeys,
  readList,
  readMap,
  readText,
  refuse,
  refuseKey,
  type KeyTable,
  type Scope,
} from '../readers.ts';
import { parseSignal, parseSpan } from '../values.ts';
import { type ServiceDraft } from './draft.ts';
import { readArgs, readEnvironment, readUser } from './process.ts';

export const lifecycleKeys: KeyTable<ServiceDraft> = {
  pull_policy: readPullPolicy,
  pull_refresh_after: (draft, node, scope) => {
    const text = readText(scope, node);
    draft.refreshAfterMs = text === undefined ? undefined : parseSpan(text);
    if (text !== undefined && draft.refreshAfterMs === undefined)
      mistyped(scope, node, 'a time like 12h or 7d');
  },
  restart: (draft, node, scope) => (draft.restart = readRestart(scope, node)),
  healthcheck: (draft, node, scope) => (draft.healthcheck = readHealthcheck(scope, node)),
  post_start: (draft, node, scope) => (draft.hooks.postStart = readHooks(draft, node, scope)),
  pre_stop: (draft, node, scope) => (draft.hooks.preStop = readHooks(draft, node, scope)),
  stop_grace_period: (draft, node, scope) => {
    draft.stopGraceMs = readDuration(scope, node) ?? draft.stopGraceMs;
  },
  stop_signal: (draft, node, scope) => (draft.stopSignal = readSignal(scope, node)),
};

export function readSignal(scope: Scope, node: ComposeNode): string | undefined {
  const text = readText(scope, node);
  if (text === undefined) return undefined;
  return parseSignal(text) ?? refuse(scope, node.at, `${text} is not a signal`, 'As in SIGTERM.');
}

const day = 86_400_000;

function readPullPolicy(draft: ServiceDraft, node: ComposeNode, scope: Scope): void {
  const text = readText(scope, node);
  if (text === undefined) return;
  const spanMs = text.startsWith('every_') ? parseSpan(text.slice('every_'.length)) : undefined;
  if (text === 'always' || text === 'never' || text === 'missing') draft.own.pullPolicy = { when: text };
  else if (text === 'if_not_present') draft.own.pullPolicy = { when: 'missing' };
  else if (text === 'daily' || text === 'refresh') draft.own.pullPolicy = { when: 'older', thanMs: day };
  else if (text === 'weekly') draft.own.pullPolicy = { when: 'older', thanMs: 7 * day };
  else if (spanMs !== undefined) draft.own.pullPolicy = { when: 'older', thanMs: spanMs };
  else if (text === 'build') {
    const why = 'Hivemind runs images and does not build them';
    refuseKey(scope, node.at, { why, instead: 'Build the image, then hivemind image import FILE.' });
  } else mistyped(scope, node, 'always, never, missing, daily, weekly or every_12h');
}

function readRestart(scope: Scope, node: ComposeNode): RestartPolicy | undefined {
  const text = readText(scope, node);
  if (text === undefined) return undefined;
  if (text === 'no' || text === 'false') return { condition: 'none' };
  if (text === 'always' || text === 'unless-stopped') return { condition: 'always' };
  const match = /^on-failure(?::(\d{1,6}))?$/.exec(text);
  if (!match) return mistyped(scope, node, 'no, always, on-failure, on-failure:N or unless-stopped');
  return { condition: 'on-failure', ...(match[1] === undefined ? {} : { maxAttempts: Number(match[1]) }) };
}

interface HookDraft {
  command?: readonly string[] | undefined;
  user?: string | undefined;
  workingDir?: string | undefined;
  environment?: ReadonlyMap<string, string>;
  privileged?: boolean | undefined;
}

function readHooks(draft: ServiceDraft, node: ComposeNode, scope: Scope): readonly HookSpec[] {
  const items = readList(scope, node)?.items ?? [];
  return items.flatMap((item, index) => readHook(draft, item, inside(scope, index)) ?? []);
}

function readHook({ context }: ServiceDraft, node: ComposeNode, scope: Scope): HookSpec | undefined {
  const keys: KeyTable<HookDraft> = {
    command: (draft, value, at) => (draft.command = readArgs(at, value)),
    user: (draft, value, at) => (draft.user = readUser(at, value)),
    working_dir: (draft, value, at) => (draft.workingDir = readAbsolute(at, value)),
    environment: (draft, value, at) => (draft.environment = readEnvironment(at, value, context.environment)),
    privileged: (draft, value, at) => (draft.privileged = readBoolean(at, value)),
  };
  const map = readMap(scope, node);
  if (!map) return undefined;
  const hook: HookDraft = {};
  readKeys(scope, map, 'services.hooks', keys, hook);
  const { command, user, workingDir, environment, privileged } = hook;
  if (!command?.length) return refuse(scope, node.at, 'command is missing');
  return {
    command,
    ...(user === undefined ? {} : { user }),
    ...(workingDir === undefined ? {} : { workingDir }),
    ...(environment?.size ? { environment: Object.fromEntries(environment) } : {}),
    ...(privileged === undefined ? {} : { privileged }),
  };
}
