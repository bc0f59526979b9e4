/**
 * N1: an address is given to a container only when no other that lives has it. N2: it is freed only when its owner is
 * gone. N3: nothing leaks; who has an address in the journal after quiet is a slot of this node, and who has a link is
 * a container.
 */
import { limits } from '../../../../protocols/limits.ts';
import type { AttachRequest } from '../../../../protocols/network/model.ts';
import type { ScriptedMachine } from '../../../drivers/container/scripted/machine.ts';
import type { MemoryNetwork } from '../../../drivers/network/memory/memory-network.ts';
import type { PortCall } from '../../../world/simulated/gate.ts';
import { entriesOf } from '../../node/journal-view.ts';
import { assignmentsIn } from '../../oracle.ts';
import { Checker, ClusterChecker, type NodeSight } from '../checker.ts';

type Attached = MemoryNetwork['attachments'] extends Map<string, infer Value> ? Value : never;

const entry = /^address\/(.*)$/;

export class OneOwner extends ClusterChecker {
  readonly name = 'N1';
  #cutAtMs = -Infinity;

  override onCut(): void {
    this.#cutAtMs = this.sight.nowMs();
  }

  override onCall({ port, op, args }: PortCall, at: NodeSight): void {
    if (port !== 'network' || op !== 'attach') return;
    const { id, address, networks = [] } = args as AttachRequest;
    const own = [address, ...networks.flatMap((one) => one.address ?? [])];
    const slot = at.machine.find(id)?.key.slot;
    this.exercised += 1;
    for (const [other, machine] of this.#attached()) {
      const held = machine.find(other.id);
      if ((other.id === id && machine === at.machine) || held === undefined || held.phase === 'stopped')
        continue;
      // A damaged journal may start an older run of one slot before the newer one is found again (O2).
      if (held.key.slot === slot && this.sight.nowMs() - this.#cutAtMs < 2 * limits.reconcileMs) continue;
      const both = [other.address, ...(other.fixed ?? [])].find((one) => own.includes(one));
      if (both !== undefined) this.fail(`${id} gets ${both}, which ${other.id} has`);
    }
  }

  *#attached(): Generator<readonly [Attached, ScriptedMachine]> {
    for (const { network, machine } of this.sight.nodes)
      for (const attachment of network.attachments.values()) yield [attachment, machine];
  }
}

export class FreedLast extends Checker {
  readonly name = 'N2';
  /** By slot, as the journal was asked to hold it. */
  readonly #held = new Map<string, string>();
  /** What stood there when the journal was cut: whose it is, is known no more. */
  readonly #unknown = new Set<string>();

  override onCut(): void {
    this.#held.clear();
    for (const { id } of this.sight.machine.list()) this.#unknown.add(id);
  }

  override onCall({ port, op, args }: PortCall): void {
    if (port !== 'journal' || op !== 'append') return;
    for (const [key, value] of Object.entries(entriesOf(args))) {
      const slot = entry.exec(key)?.[1];
      if (slot === undefined) continue;
      const before = this.#held.get(slot);
      if (before !== undefined && before !== value) this.#freed(slot, before);
      if (value === undefined) this.#held.delete(slot);
      else this.#held.set(slot, value as string);
    }
  }

  #freed(slot: string, address: string): void {
    this.exercised += 1;
    const owner = this.sight.machine.list().find(({ id, key, phase, address: own }) => {
      const lives = phase === 'created' || phase === 'running' || phase === 'paused';
      return lives && key.slot === slot && own === address && !this.#unknown.has(id);
    });
    if (owner) this.fail(`${address} is freed, and ${owner.id} is ${owner.phase} with it`);
  }
}

export class NoLeaks extends Checker {
  readonly name = 'N3';
  /** Slots with an address in the journal, as far as it is known. */
  readonly #held = new Set<string>();

  override onCut(): void {
    this.#held.clear();
  }

  override onCall({ port, op, args }: PortCall): void {
    if (port !== 'journal' || op !== 'append') return;
    for (const [key, value] of Object.entries(entriesOf(args))) {
      const slot = entry.exec(key)?.[1];
      if (slot === undefined) continue;
      if (value === undefined) this.#held.delete(slot);
      else this.#held.add(slot);
    }
  }

  /** Everything has been as desired for one more look of every loop. */
  judge(): void {
    const assigned = assignmentsIn(this.sight.rows, this.sight.node);
    for (const slot of this.#held) {
      this.exercised += 1;
      if (!assigned.has(slot)) this.fail(`${slot} has an address and is not here`);
    }
    for (const id of this.sight.network.attachments.keys())
      if (!this.sight.machine.find(id)) this.fail(`the link of ${id} is there without its container`);
  }
}
