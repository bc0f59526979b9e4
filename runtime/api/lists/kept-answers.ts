/**
 * The newest answer of a list, given again while no actor of the node has become another: who polls costs neither the
 * actors a question nor the process a text. One a list and node, so that what is kept is bounded by one page.
 */
import type { NodeHandle } from '../../node-handle.ts';
import type { Reply } from '../route.ts';

interface Kept {
  readonly question: string;
  /** `KernelCounters.changed` before the rows were asked for. */
  readonly version: number;
  readonly reply: Reply;
}

export class KeptAnswers {
  readonly #byNode = new WeakMap<NodeHandle, Kept>();

  /** `question`: all that decides the answer; `undefined` when it is made anew each time. */
  async answer(node: NodeHandle, question: string | undefined, make: () => Promise<Reply>): Promise<Reply> {
    if (question === undefined) return make();
    const version = node.actors.counters().changed;
    const kept = this.#byNode.get(node);
    if (kept?.question === question && kept.version === version) return kept.reply;
    const reply = await make();
    this.#byNode.set(node, { question, version, reply });
    return reply;
  }
}
