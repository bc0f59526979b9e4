/**
 * One frame as one aligned line: time, node, actor, from → to, cause, effects. The one printer for tests,
 * `hivemind actor events` and logs; a line never holds more than names and numbers of an effect.
 */
import type { Effect } from '../../protocols/effects.ts';
import type { Frame } from '../../protocols/inspection.ts';
import type { ExitReason } from '../../protocols/supervision/child-spec.ts';

/** `running.healthy`; regions of a parallel state are joined: `running.net.up+running.probe.idle`. */
export function phaseText(value: unknown): string {
  if (typeof value === 'string') return value;
  let text = '';
  for (const [key, below] of Object.entries(value as object)) {
    const inner = phaseText(below);
    const phase = inner === '' ? key : `${key}.${inner.replaceAll('+', `+${key}.`)}`;
    text += text === '' ? phase : `+${phase}`;
  }
  return text;
}

export function transcriptLine(frame: Frame): string {
  const time = new Date(frame.at).toISOString().slice(11, 23);
  const actor = `${frame.path}#${frame.incarnation}`.padEnd(28);
  return `${time}  ${frame.node}  ${actor}  ${story(frame)}`.trimEnd();
}

function story(frame: Frame): string {
  switch (frame.type) {
    case 'actor.started':
      return columns(`→ ${frame.phase}`, `started ${frame.machine}`, effectTexts(frame.effects));
    case 'actor.transitioned': {
      const phases =
        frame.fromPhase === frame.toPhase ? frame.toPhase : `${frame.fromPhase} → ${frame.toPhase}`;
      const cause =
        frame.sender === undefined ? frame.cause : `${frame.cause} from ${shortAddress(frame.sender)}`;
      return columns(phases, cause, frame.handled ? effectTexts(frame.effects) : 'ignored');
    }
    case 'actor.crashed':
      return columns(
        `${frame.phaseBefore} ✗`,
        frame.cause,
        `crashed: ${frame.error.name}: ${frame.error.message}`,
      );
    case 'supervisor.decided': {
      const when = frame.decision === 'restart' ? ` in ${frame.delayMs} ms` : '';
      return columns('', 'decided', `${frame.decision} ${frame.child}${when} (restarts ${frame.restarts})`);
    }
    case 'actor.stopped':
      return columns('∎', 'stopped', exitText(frame.exit));
    case 'message.dead':
      return columns('', frame.message, deadText(frame));
    case 'frames.gap':
      return columns('', 'gap', `${frame.dropped} frames dropped`);
  }
}

/** With the node's name, where it is another one. */
function deadText({ node, to, sender, why }: Extract<Frame, { type: 'message.dead' }>): string {
  const named = (address: string): string =>
    address.startsWith(`hive://${node}/`) ? shortAddress(address) : address;
  return `dead letter to ${named(to)}${sender === undefined ? '' : ` from ${named(sender)}`}: ${why}`;
}

function columns(phases: string, cause: string, rest: string): string {
  return `${phases.padEnd(26)}  ${cause.padEnd(24)}  ${rest}`;
}

function effectTexts(effects: readonly Effect[]): string {
  return effects.map(effectText).join('; ');
}

/** Short and without contents. */
export function effectText(effect: Effect): string {
  switch (effect.do) {
    case 'send':
      return `send ${shortAddress(effect.to)} ${effect.event.type}`;
    case 'watch':
      return `watch ${effect.source.of}${sourceDetail(effect.source)}`;
    case 'start':
      return `start ${effect.spec.id}`;
    case 'stop':
      return `${effect.mode === 'kill' ? 'kill' : 'stop'} ${effect.child}`;
    case 'schedule':
      return `schedule ${effect.event.type} in ${effect.delayMs} ms`;
    case 'cancel':
      return `cancel ${effect.token}`;
    case 'drive':
      return `drive ${effect.call.port}.${effect.call.op} ${effect.id}`;
    case 'write':
      return `write ${effect.id} (${effect.txn.then.length} ops)`;
    case 'reply':
      return effect.error === undefined ? 'reply' : `reply ${effect.error.code}`;
    case 'emit':
      return `emit ${effect.event.type}`;
  }
}

function sourceDetail(source: Extract<Effect, { do: 'watch' }>['source']): string {
  if (source.of === 'actor') return ` ${source.path}`;
  return source.of === 'store' ? ` ${source.prefix}` : '';
}

/** Without scheme and node: the line says the node already. */
function shortAddress(address: string): string {
  return address.replace(/^hive:\/\/[^/]+/, '');
}

export function exitText(exit: ExitReason): string {
  return exit.kind === 'error' ? `error: ${exit.message}` : exit.kind;
}
