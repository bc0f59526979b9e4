/** What kernels say to each other about actors, as plain values: arrays, read field by field. */
import type { Message } from '../../../protocols/effects.ts';
import { coded } from '../../../protocols/errors.ts';
import type { ExitReason } from '../../../protocols/supervision/child-spec.ts';
import type { ActorPath, Life, Target } from '../../../protocols/wire/address.ts';
import { Fields } from '../../../protocols/wire/fields.ts';

/** Slots and containers have the longest: an app, a service, numbers. */
const longestPath = 1_024;

/** An actor of the node that is spoken to, or that speaks. */
export type Place = Omit<Target, 'node'>;

const writePlace = ({ path, life }: Place): readonly unknown[] => [
  path,
  life?.boot ?? 0,
  life?.incarnation ?? 0,
];

function readPlace(fields: Fields): Place {
  const path = fields.text(longestPath);
  const life: Life = { boot: fields.natural(), incarnation: fields.natural() };
  if (!path.startsWith('/') || path.includes('#')) throw notOfOurs();
  return life.incarnation === 0 ? { path: path as ActorPath } : { path: path as ActorPath, life };
}

export interface Told {
  readonly to: Place;
  readonly event: Message;
  /** The actor that sent it. */
  readonly from?: Place;
}

export function writeTold({ to, event, from }: Told): readonly unknown[] {
  return [event, ...writePlace(to), ...(from === undefined ? [] : writePlace(from))];
}

export function readTold(body: unknown): Told {
  const fields = Fields.of(body);
  const event = bare(fields.message());
  const to = readPlace(fields);
  const from = fields.more() ? { from: readPlace(fields) } : {};
  return whole(fields, { to, event, ...from });
}

/** Why a message that was told is in no mailbox; `undefined`: it is in one. Where the peer throws it is refused. */
export type Fate = 'no-actor' | 'old-incarnation' | 'overflow' | 'refused' | undefined;

const fates = [
  undefined,
  'no-actor',
  'old-incarnation',
  'overflow',
  'refused',
] as const satisfies readonly Fate[];

export const writeFate = (fate: Fate): number => fates.indexOf(fate);

/** What is no answer of ours says nothing of the message: it may be there. */
export function readFate(body: unknown): Fate | 'unreachable' {
  return typeof body === 'number' && Object.hasOwn(fates, body) ? fates[body] : 'unreachable';
}

export interface Asked {
  readonly to: Place;
  readonly event: Message;
  /** How long the asker waits. */
  readonly timeoutMs: number;
}

export function writeAsked({ to, event, timeoutMs }: Asked): readonly unknown[] {
  return [event, ...writePlace(to), Math.ceil(timeoutMs)];
}

export function readAsked(body: unknown): Asked {
  const fields = Fields.of(body);
  const event = bare(fields.message());
  return whole(fields, { event, to: readPlace(fields), timeoutMs: fields.natural() });
}

/** Without a life: which one is there? With one: when does it end? */
export function writeWatched(place: Place): readonly unknown[] {
  return writePlace(place);
}

export function readWatched(body: unknown): Place {
  const fields = Fields.of(body);
  return whole(fields, readPlace(fields));
}

/** What is answered to it: the life that is there, or that there is none (any more). */
export type Watched = { readonly life: Life } | { readonly exit: ExitReason };

const exits = ['normal', 'shutdown', 'killed', 'error'] as const satisfies readonly ExitReason['kind'][];

/** How it ended, not why: that stays at its node. */
export function writeAnswer(answer: Watched): readonly unknown[] {
  return 'life' in answer
    ? [true, answer.life.boot, answer.life.incarnation]
    : [false, exits.indexOf(answer.exit.kind)];
}

export function readAnswer(body: unknown): Watched {
  const fields = Fields.of(body);
  if (fields.flag())
    return whole(fields, { life: { boot: fields.natural(), incarnation: fields.natural() } });
  const kind = fields.one(exits);
  const exit: ExitReason = kind === 'error' ? { kind, message: 'it crashed, or is not there' } : { kind };
  return whole(fields, { exit });
}

/** What the kernel adds on delivery comes from nobody else: it says who sent a message, and who waits for its answer. */
function bare(event: Message): Message {
  const { at: _at, from: _from, replyTo: _replyTo, ...rest } = event as Message & Record<string, unknown>;
  return rest as Message;
}

function whole<Value>(fields: Fields, value: Value): Value {
  if (!fields.good()) throw notOfOurs();
  return value;
}

function notOfOurs(): Error {
  return coded('HM-PEER-MESSAGE', 'The message about an actor is not in form.');
}
