/**
 * A network manager on a simulated machine, with somebody who asks for addresses. What is handed out is checked as it
 * leaves the manager: by then it must be in the journal, on the bridge, and nobody else's.
 */
import { networkManagerMachine } from '../../../actors/network/network-manager.machine.ts';
import { containerId } from '../../../protocols/containers/ids.ts';
import type { NodeEvent } from '../../../protocols/effects.ts';
import type { Reason } from '../../../protocols/errors.ts';
import type { Frame } from '../../../protocols/inspection.ts';
import { contains } from '../../../protocols/network/cidr.ts';
import type { NetworkSettings } from '../../../protocols/network/manager.ts';
import type { NodeSettings } from '../../../runtime/world/world.ts';
import { createKernel, type Kernel } from '../../../runtime/kernel/kernel.ts';
import type { PortCall } from '../../../runtime/world/simulated/gate.ts';
import type { Boot } from '../../../runtime/world/simulated/simulated-node.ts';
import { SimulatedWorld } from '../../../runtime/world/simulated/simulated-world.ts';
import { supervisor, worker } from '../../../supervisors/child-spec.ts';
import { supervisorMachine } from '../../../supervisors/supervisor.machine.ts';
import { newCall } from '../../kit/port-call.ts';
import { workers } from '../../kit/workers.ts';

export type Answer = { readonly address: string; readonly gateway: string } | { readonly reason: Reason };

export class NetworkRig {
  readonly world: SimulatedWorld;
  readonly events: NodeEvent[] = [];
  /** The newest answer to each slot since it was asked for the last time. */
  readonly answers = new Map<string, Answer>();
  /** Addresses in use, by slot: handed out and not given back. */
  readonly owners = new Map<string, string>();
  readonly problems: string[] = [];
  /** Told before a call goes out. */
  onCall: (call: PortCall) => void = () => {};
  readonly #settings: NetworkSettings;
  /** What the journal has acknowledged or told. */
  #kept: Record<string, unknown> = {};
  #boots = 0;
  #boot: Boot | undefined;
  #kernel: Kernel | undefined;

  constructor(seed: number, pool: string) {
    this.world = new SimulatedWorld(seed, { images: [], scriptOf: () => ({}) as never });
    this.#settings = { bridge: 'hive0', tag: 'a1', pool, mtu: 1500, dnsPort: 53, upstreams: [] };
  }

  async start(): Promise<void> {
    const boot = this.world.first.boot();
    this.#boot = boot;
    boot.gate.onCall = (call) => this.onCall(call);
    boot.gate.onAnswer = (call, outcome) => {
      if (call.port !== 'journal' || 'error' in outcome) return;
      if (call.op === 'read') this.#kept = (outcome.value as { entries: Record<string, unknown> }).entries;
      else this.#kept = { ...this.#kept, ...(call.args as { entries: Record<string, unknown> }).entries };
    };
    let opened: Awaited<ReturnType<typeof boot.world.open>> | undefined;
    void boot.world.open({} as NodeSettings).then((world) => (opened = world));
    while (!opened) await this.pass(10);
    this.#kernel = createKernel({
      node: 'n1',
      boot: ++this.#boots,
      clock: boot.world.clock,
      random: boot.world.random,
      ports: opened.ports,
      machines: { ...workers, supervisor: supervisorMachine, 'network-manager': networkManagerMachine },
      emit: (event) => this.events.push(event),
      onFrame: (frame) => this.#see(frame),
    });
    const network = worker('network', 'network-manager', { node: 'n1', settings: this.#settings });
    this.#kernel.start(supervisor('root', 'one_for_one', [network, worker('asker', 'worker')]));
    await this.pass(1_000);
  }

  /** As if the daemon were killed; what stands on the machine stays. */
  async restart(): Promise<void> {
    this.#boot?.end();
    await this.start();
  }

  tell(event: { type: string; [field: string]: unknown }): void {
    this.#kernel?.send('/network', event);
  }

  claim(...slots: string[]): void {
    for (const slot of slots) this.claimFor(slot, 1);
  }

  claimFor(slot: string, placement: number): void {
    this.answers.delete(slot);
    const id = containerId({ slot, placement, run: 1, attempt: 1 });
    this.tell({ type: 'address.claim', slot, id, to: '/asker' });
  }

  async release(...slots: string[]): Promise<void> {
    for (const slot of slots) {
      this.owners.delete(slot);
      this.tell({ type: 'address.release', slot });
    }
    await this.pass(0);
    // An address that was on its way when the release was sent is given back by it all the same.
    for (const slot of slots) this.owners.delete(slot);
  }

  pass(ms: number): Promise<void> {
    return this.world.clock.advance(ms);
  }

  address(slot: string): string | undefined {
    const answer = this.answers.get(slot);
    return answer && 'address' in answer ? answer.address : undefined;
  }

  refusal(slot: string): string | undefined {
    const answer = this.answers.get(slot);
    return answer && 'reason' in answer ? answer.reason.code : undefined;
  }

  /** On the bridge. */
  blocks(): readonly string[] {
    return this.world.first.network.node?.blocks.map(({ block }) => block) ?? [];
  }

  /** In the journal. */
  keptBlocks(): unknown {
    return this.#kept['network/blocks'];
  }

  /** Another node's, or this one's by a claim whose answer got lost. */
  async putRow(node: string, cidr: string): Promise<void> {
    const key = `blocks/${cidr.replace('/', '_')}`;
    const txn = {
      requestId: newCall().key,
      compare: [{ key, field: 'modRevision', equals: 0 }],
      then: [{ op: 'put', key, value: { node, cidr } }],
    } as const;
    const put = this.world.memory.txn(txn, newCall());
    await this.pass(0);
    await put;
  }

  /** Of the store's rows, by node. */
  async rows(): Promise<Readonly<Record<string, readonly string[]>>> {
    const listing = this.world.memory.list({ prefix: 'blocks/' });
    await this.pass(0);
    const byNode: Record<string, string[]> = {};
    for (const { value } of (await listing).kvs) {
      const { node, cidr } = value as { node: string; cidr: string };
      (byNode[node] ??= []).push(cidr);
    }
    return byNode;
  }

  close(): void {
    this.#boot?.end();
  }

  #see(frame: Frame): void {
    if (frame.path !== '/network') return;
    if (frame.type === 'actor.crashed') this.problems.push(`it crashed: ${frame.error.message}`);
    if (frame.type !== 'actor.transitioned') return;
    for (const effect of frame.effects) {
      if (effect.do !== 'send' || effect.to !== '/asker') continue;
      const { type, slot, ...answer } = effect.event as unknown as { type: string; slot: string } & Answer;
      this.answers.set(slot, answer as Answer);
      if (type === 'address.claimed') this.#handedOut(slot, (answer as { address: string }).address);
    }
  }

  #handedOut(slot: string, address: string): void {
    for (const [other, held] of this.owners) {
      if (held === address && other !== slot) this.problems.push(`${address} is ${other}'s and ${slot}'s`);
    }
    const before = this.owners.get(slot);
    if (before !== undefined && before !== address)
      this.problems.push(`${slot} had ${before} and got ${address}`);
    if (this.#kept[`address/${slot}`] !== address)
      this.problems.push(`${address} of ${slot} is not in the journal`);
    const block = this.blocks().find((one) => contains(one, address));
    if (block === undefined) this.problems.push(`${address} is in no block of ${this.blocks().join(', ')}`);
    else if (!(this.keptBlocks() as string[]).includes(block))
      this.problems.push(`${block} is not in the journal`);
    this.owners.set(slot, address);
  }
}
