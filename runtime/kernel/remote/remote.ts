/**
 * Actors of other nodes: messages, questions and watches that leave, over calls between nodes; `door.ts` has those that
 * come in. Both ends hold to the catalogue: what it does not name is a dead letter here and never travels.
 */
import type { Message } from '../../../protocols/effects.ts';
import { coded, reasonOf, type ErrorCode } from '../../../protocols/errors.ts';
import { limits } from '../../../protocols/limits.ts';
import type { Stop } from '../../../protocols/ports.ts';
import type { ExitReason } from '../../../protocols/supervision/child-spec.ts';
import { parseAddress, type Target } from '../../../protocols/wire/address.ts';
import { actorMessages, actorWatches, type NodeRole } from '../../../protocols/wire/catalogue.ts';
import type { Calls, Peer } from '../../../protocols/wire/calls.ts';
import type { DeadLetter } from '../recorder.ts';
import type { Host } from '../host.ts';
import { readFate, writeAsked, writeTold, type Place } from './bodies.ts';
import { openDoor } from './door.ts';
import { watchRemote } from './watching.ts';

/** Who may, by what: a type of message, or the path of an actor. */
export type Admitted = Readonly<Record<string, readonly NodeRole[]>>;

/** Of this node: by path or full address. */
export type AskHere = (to: string, event: Message, timeoutMs: number) => Promise<unknown>;

export interface RemoteOptions {
  readonly calls: Calls;
  /** A node of the cluster by its name; `undefined` when there is none, or it is dead. */
  resolve(node: string): Peer | undefined;
  /** What actors may be sent from other nodes; the catalogue unless a test has its own. */
  readonly messages?: Admitted;
  /** Which actors may be watched from other nodes; the catalogue unless a test has its own. */
  readonly watches?: Admitted;
}

export interface Remote {
  /** At most once, in the order of each sender. What is known to be lost, or not known to be there, is a dead letter. */
  send(to: Target, message: Message, from?: { readonly address: string }): void;
  ask(to: Target, event: Message, timeoutMs: number): Promise<unknown>;
  watch(target: Target, exited: (because: ExitReason) => void): Stop;
  /** Nothing of other nodes is heard any more. */
  close(): void;
}

export function openRemote(host: Host, options: RemoteOptions, askHere: AskHere): Remote {
  const { calls, resolve, messages = actorMessages, watches = actorWatches } = options;
  const shut = openDoor(host, { calls, messages, watches, askHere });
  let closed = false;
  return {
    send: (to, message, from) => {
      void send(options, messages, to, message, from).then((why) => {
        if (why === undefined || closed || host.halted) return;
        const about = { path: to.path, incarnation: to.life?.incarnation ?? 0 };
        host.recorder.dead(about, textOf(to), message.type, why, from?.address);
      });
    },
    ask: async (to, event, timeoutMs) => {
      if (!Object.hasOwn(messages, event.type)) throw refused(event.type);
      const peer = resolve(to.node);
      if (peer === undefined) throw unknownNode(to.node);
      // Its own deadline first: it says more than that nothing came.
      const patience = { timeoutMs: timeoutMs + Math.min(timeoutMs / 2, limits.peerHeartbeatMs) };
      return await calls.call(peer, 'actor.ask', writeAsked({ to, event, timeoutMs }), patience);
    },
    watch: (target, exited) => watchRemote({ clock: host.clock, calls, resolve, watches }, target, exited),
    close: () => {
      closed = true;
      shut();
    },
  };
}

/** Why it did not get into a mailbox, as far as is known; `undefined`: it is in one. */
async function send(
  { calls, resolve }: RemoteOptions,
  messages: Admitted,
  to: Target,
  event: Message,
  from?: { readonly address: string },
): Promise<DeadLetter['why'] | undefined> {
  if (!Object.hasOwn(messages, event.type)) return 'refused';
  const peer = resolve(to.node);
  if (peer === undefined) return 'unreachable';
  try {
    const told = writeTold({ to, event, ...(from === undefined ? {} : { from: placeOf(from.address) }) });
    // For as long as the connection stands: whoever does not read ends it.
    return readFate(await calls.call(peer, 'actor.tell', told, { timeoutMs: Infinity }));
  } catch (thrown) {
    return whyOf(reasonOf(thrown).code);
  }
}

function whyOf(code: ErrorCode): DeadLetter['why'] {
  if (code === 'HM-PEER-BUSY') return 'overflow';
  return code === 'HM-PEER-REFUSED' || code === 'HM-PEER-MESSAGE' ? 'refused' : 'unreachable';
}

function placeOf(address: string): Place {
  const { path, boot, incarnation } = parseAddress(address)!;
  return { path, life: { boot, incarnation } };
}

function textOf({ node, path, life }: Target): string {
  return `hive://${node}${path}${life === undefined ? '' : `#${life.boot}.${life.incarnation}`}`;
}

export function refused(message: string): Error {
  return coded('HM-PEER-REFUSED', `Actors of other nodes are not sent ${message}.`, { message });
}

export function unknownNode(node: string): Error {
  return coded('HM-PEER-UNREACHABLE', `This node knows none that is called ${node}.`, { node });
}
