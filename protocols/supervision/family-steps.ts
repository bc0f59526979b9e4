/** What each event does to a family, and the questions the chart asks. See `children.ts` for the value and its words. */
import type { Decision, Message } from '../effects.ts';
import { reason } from '../errors.ts';
import { restartDelayMs } from './backoff.ts';
import { specProblem, type ChildSpec, type ExitReason } from './child-spec.ts';
import { hasActor, Work, type Child, type Family } from './children.ts';
import { isTooMany, recordRestart } from './intensity.ts';
import { isFailure, isGroup, isRestarted, siblingsOf } from './strategy.ts';
import { tableGet } from './table.ts';

export type ChildExited = Message & {
  readonly id: string;
  readonly reason: ExitReason;
  readonly livedMs: number;
  readonly at: number;
};
type About = Message & { readonly id: string };
type Asked = About & { readonly replyTo?: string };
type StartAsked = Message & { readonly spec: ChildSpec; readonly replyTo?: string };

export const familyGuards = {
  /** Every child is ready, or has ended as it may. */
  allStarted: ({ order, children }: Family) =>
    order.every((id) => ['ready', 'down'].includes(tableGet(children, id)!.standing)),
  allGone: ({ alive }: Family) => alive === 0,
  /** This exit asks for one restart more than the intensity bears. */
  exceedsIntensity: ({ children, window, intensity }: Family, { id, reason: exit, at }: ChildExited) => {
    const child = tableGet(children, id);
    if (child?.standing !== 'starting' && child?.standing !== 'ready') return false;
    return isRestarted(child.spec.restart, exit) && isTooMany(window, at, intensity);
  },
};

export const familySteps = {
  begin: (family: Family) => {
    const work = new Work(family);
    if (family.strategy === 'dynamic') for (const child of work.all()) work.start(child);
    else work.advance();
    return work.done();
  },

  childReady: (family: Family, { id }: About): Decision<Family> => {
    const work = new Work(family);
    const child = work.get(id);
    if (child?.standing !== 'starting') return [family, []];
    work.put({ ...child, standing: 'ready' });
    work.advance();
    return work.done();
  },

  childExited: (family: Family, event: ChildExited): Decision<Family> => {
    const work = new Work(family);
    const child = work.get(event.id);
    if (child === undefined || !hasActor(child)) return [family, []];
    if (child.standing === 'stopping' || child.standing === 'condemned') stopped(work, child);
    else if (isRestarted(child.spec.restart, event.reason)) restart(work, child, event);
    else settle(work, child, event.reason);
    work.advance();
    return work.done();
  },

  restartDue: (family: Family, { id }: About): Decision<Family> => {
    const work = new Work(family);
    const child = work.get(id);
    if (child?.standing !== 'restarting') return [family, []];
    if (isGroup(family.strategy)) {
      work.put({ ...child, standing: 'queued' });
      work.advance();
    } else work.start(child);
    return work.done();
  },

  /** It was asked to end and did not. */
  killDue: (family: Family, { id }: About): Decision<Family> => {
    const child = tableGet(family.children, id);
    if (child?.standing !== 'stopping') return [family, []];
    return [family, [{ do: 'stop', child: id, mode: 'kill' }]];
  },

  startChild: (family: Family, { spec, replyTo }: StartAsked): Decision<Family> => {
    const work = new Work(family);
    const problem = specProblem(spec);
    if (problem !== undefined) {
      if (replyTo !== undefined) {
        work.effects.push({ do: 'reply', to: replyTo, error: reason('HM-API-REQUEST', problem) });
      }
      return work.done();
    }
    const known = work.get(spec.id);
    const started = known === undefined || known.standing === 'down';
    if (started) add(work, spec);
    work.reply(replyTo, { started });
    return work.done();
  },

  stopChild: (family: Family, { id, replyTo }: Asked): Decision<Family> => {
    const work = new Work(family);
    const child = work.get(id);
    if (child === undefined || child.standing === 'down') {
      work.reply(replyTo, { stopped: false });
      return work.done();
    }
    const then = family.strategy === 'dynamic' || child.spec.restart === 'temporary' ? 'forget' : 'rest';
    work.decide(id, 'stop', 'info', 'is stopped on request');
    if (hasActor(child)) {
      const asked = replyTo === undefined ? child.asked : [...(child.asked ?? []), replyTo];
      const next = asked === undefined ? child : { ...child, asked };
      if (child.standing === 'stopping') work.put({ ...next, then });
      else work.stop(next, then);
    } else {
      if (child.standing === 'restarting') work.cancel('restart', child);
      leave(work, child, then);
      work.reply(replyTo, { stopped: true });
      work.advance();
    }
    return work.done();
  },

  restartChild: (family: Family, { id, replyTo }: Asked): Decision<Family> => {
    const work = new Work(family);
    const child = work.get(id);
    const idle = child?.standing === 'down' || child?.standing === 'restarting';
    const restarted = idle || child?.standing === 'starting' || child?.standing === 'ready';
    if (child !== undefined && restarted) {
      work.decide(id, 'restart', 'info', 'is restarted on request');
      if (idle) work.restartAfter(child, 0, 0, 0);
      else work.stop(child, 'restart');
    }
    work.reply(replyTo, { restarted });
    return work.done();
  },

  /** The intensity is exceeded: the family goes down, and the reason goes up. */
  giveUp: (family: Family, { id, reason: exit }: ChildExited): Decision<Family> => {
    const work = new Work(family);
    const { restarts, periodMs } = family.intensity;
    const last = exit.kind === 'error' ? exit.message : exit.kind;
    const text = `more than ${restarts} restarts in ${periodMs} ms; last was ${id}: ${last}`;
    work.decide(id, 'escalate', 'error', `failed too often: ${text}`);
    work.put({ ...work.get(id)!, standing: 'down' });
    work.family = { ...work.family, exit: { kind: 'error', message: text } };
    stopAll(work);
    return work.done();
  },

  shutDown: (family: Family) => {
    const work = new Work(family);
    stopAll(work);
    return work.done();
  },
};

function add(work: Work, spec: ChildSpec): void {
  const { order, strategy } = work.family;
  const child = { spec, standing: 'queued', failures: 0 } as const;
  if (strategy === 'dynamic') return work.start(child);
  work.put(child);
  if (!order.includes(spec.id)) work.family = { ...work.family, order: [...order, spec.id] };
  work.advance();
}

/** A stop that we wanted is done. */
function stopped(work: Work, child: Child): void {
  if (child.standing === 'stopping') work.cancel('kill', child);
  for (const replyTo of child.asked ?? []) work.reply(replyTo, { stopped: true });
  leave(work, child, child.then ?? 'rest');
}

function leave(work: Work, child: Child, then: NonNullable<Child['then']>): void {
  const { spec, failures } = child;
  switch (then) {
    case 'queue':
      return work.put({ spec, failures, standing: 'queued' });
    case 'rest':
      return work.put({ spec, failures, standing: 'down' });
    case 'restart':
      return work.restartAfter(child, 0, 0, 0);
    case 'forget':
      return work.forget(child);
  }
}

/** It ended by itself, and that is accepted. */
function settle(work: Work, child: Child, exit: ExitReason): void {
  const { strategy } = work.family;
  const text = exit.kind === 'error' ? `failed and stays down: ${exit.message}` : `ended: ${exit.kind}`;
  work.decide(child.spec.id, 'forget', isFailure(exit) ? 'warning' : 'info', text);
  leave(work, child, strategy === 'dynamic' || child.spec.restart === 'temporary' ? 'forget' : 'rest');
}

function restart(work: Work, child: Child, { reason: exit, livedMs, at }: ChildExited): void {
  const { family } = work;
  const { id, backoff } = child.spec;
  work.family = { ...family, window: recordRestart(family.window, at, family.intensity) };
  const failures = livedMs >= backoff.resetAfterMs ? 0 : child.failures;
  const delayMs = restartDelayMs(backoff, failures);
  const why = exit.kind === 'error' ? exit.message : exit.kind;
  work.decide(id, 'restart', 'warning', `ended (${why}) and is restarted in ${delayMs} ms`, delayMs);
  work.restartAfter(child, delayMs, backoff.jitter, failures + 1);
  for (const sibling of siblingsOf(family.strategy, family.order, id)) takeAlong(work, work.get(sibling)!);
}

/** A sibling in a group restart goes down in its turn and comes up again in its turn; a temporary one does not come back. */
function takeAlong(work: Work, child: Child): void {
  const then = child.spec.restart === 'temporary' ? 'forget' : 'queue';
  if (child.standing === 'queued') return;
  if (child.standing === 'stopping') return work.put({ ...child, then });
  if (hasActor(child)) return work.put({ ...child, standing: 'condemned', then });
  if (child.standing === 'restarting') work.cancel('restart', child);
  leave(work, child, then);
}

function stopAll(work: Work): void {
  const isDynamic = work.family.strategy === 'dynamic';
  for (const child of [...work.all()]) {
    if (child.standing === 'stopping') work.put({ ...child, then: 'rest' });
    else if (!hasActor(child)) {
      if (child.standing === 'restarting') work.cancel('restart', child);
      if (child.standing !== 'down') leave(work, child, 'rest');
    } else if (isDynamic) work.stop(child, 'rest');
    else work.put({ ...child, standing: 'condemned', then: 'rest' });
  }
  work.advance();
}
