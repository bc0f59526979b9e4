/** Who is told of the keys of the gossip: whoever lives and is registered, at once; who was not there, when it is back. */
import { coded, reasonOf } from '../../../protocols/errors.ts';
import { limits } from '../../../protocols/limits.ts';
import { isLiving, type NodeId } from '../../../protocols/membership/model.ts';
import type { MemberView } from '../../../protocols/membership/views/view.ts';
import type { ClusterPorts } from '../cluster-store.ts';
import { listMembers } from '../members.ts';
import type { SpreadKeys } from '../ring.ts';
import { gossipKeysOf, textOf } from './issued.ts';
import type { Parts } from './parts.ts';

export class KeySpread {
  readonly #ports: ClusterPorts;
  readonly #parts: Parts;
  readonly #debug: (message: string) => void;
  /**
   * Registered, and not told of the keys in use: what they send nobody understands any more. They may understand all that
   * others send, and their connection may have outlasted it, so that they do not ask.
   */
  readonly #behind = new Set<NodeId>();

  constructor(ports: ClusterPorts, parts: Parts, debug: (message: string) => void) {
    this.#ports = ports;
    this.#parts = parts;
    this.#debug = debug;
    parts.membership.onChange(({ member }) => this.#heed(member));
  }

  readonly spread: SpreadKeys = async (ring) => {
    const { care, membership } = this.#parts;
    // Whoever has no row is shut out of the gossip; over streams its certificate is good until it ends.
    const registered = await this.#registered();
    await care.adoptKeys(ring.map(({ secret }) => textOf(secret)));
    const others = membership.members().filter((member) => !member.self && isLiving(member));
    const living = new Set(others.map(({ id }) => id));
    for (const id of registered) if (!living.has(id) && id !== this.#parts.self.id) this.#behind.add(id);
    await Promise.all(others.filter(({ id }) => registered.has(id)).map((member) => this.#tell(member)));
    return others.filter(({ id }) => !registered.has(id)).map(({ name }) => name);
  };

  /** HM-GOSSIP-KEY, and it is told when it is back. */
  async #tell({ id, name, address }: MemberView): Promise<void> {
    const { calls, care } = this.#parts;
    this.#behind.delete(id);
    try {
      const body = { keys: gossipKeysOf(care.issued) };
      await calls.call({ id, address }, 'ring.news', body, { timeoutMs: limits.writeMs });
    } catch (thrown) {
      this.#behind.add(id);
      const because = reasonOf(thrown);
      throw coded(
        'HM-GOSSIP-KEY',
        `the node ${name} could not be told of the new key: ${because.message}`,
        { node: name },
        'Repeat it when the node is reached again: hivemind cluster rotate',
      );
    }
  }

  #heed(member: MemberView): void {
    if (!this.#behind.has(member.id) || !isLiving(member)) return;
    this.#registered()
      .then((registered) => (registered.has(member.id) ? this.#tell(member) : undefined))
      .catch((thrown: unknown) => this.#debug(`keys not told: ${reasonOf(thrown).message}`));
  }

  async #registered(): Promise<ReadonlySet<NodeId>> {
    return new Set((await listMembers(this.#ports)).map(({ id }) => id));
  }
}
