/**
 * Which containers the rules know: those that were told as a whole, and those that were attached in this life, which
 * are newer. Several that join at once are one command.
 */
import { coded } from '../../../../protocols/errors.ts';
import { joining, leaving } from '../../../../protocols/network/isolation.ts';
import type { Member } from '../../../../protocols/network/model.ts';
import type { Call } from '../../../../protocols/ports.ts';
import type { CommandResult } from './command.ts';

export class Members {
  readonly #table: string;
  readonly #nft: (text: string, call: Call) => Promise<CommandResult>;
  #told: readonly Member[] = [];
  readonly #attached = new Map<string, Member>();
  #joining: Member[] = [];
  #turn: Promise<void> | undefined;

  constructor(table: string, nft: (text: string, call: Call) => Promise<CommandResult>) {
    this.#table = table;
    this.#nft = nft;
  }

  /** One an address: who was attached later holds it. */
  all(): readonly Member[] {
    const byAddress = new Map(this.#told.map((member) => [member.address, member]));
    for (const member of this.#attached.values()) byAddress.set(member.address, member);
    return [...byAddress.values()];
  }

  tell(members: readonly Member[]): void {
    this.#told = members;
  }

  /** `take` runs its argument when no other change is under way; that answers false when an address leads elsewhere. */
  join(
    id: string,
    member: Member,
    call: Call,
    take: (join: () => Promise<boolean>) => Promise<void>,
  ): Promise<void> {
    this.#attached.set(id, member);
    this.#joining.push(member);
    this.#turn ??= take(async () => {
      const batch = this.#joining;
      this.#joining = [];
      this.#turn = undefined;
      const joined = await this.#nft(joining(this.#table, batch), call);
      if (joined.code === 0) return true;
      if (/File exists/.test(joined.stderr)) return false;
      throw coded('HM-NETWORK-DRIVER', `the rules of ${id}: ${joined.stderr.trim().slice(0, 500)}`, { id });
    });
    return this.#turn;
  }

  /** Without a whole table to write: what stands there of an address is taken out first. */
  async replace(call: Call): Promise<void> {
    for (const member of this.#attached.values()) {
      // Refused when it is not there.
      await this.#nft(leaving(this.#table, member.address), call);
      const joined = await this.#nft(joining(this.#table, [member]), call);
      if (joined.code !== 0)
        throw coded(
          'HM-NETWORK-DRIVER',
          `the rules of ${member.address}: ${joined.stderr.trim().slice(0, 500)}`,
        );
    }
  }

  leave(id: string): void {
    this.#attached.delete(id);
  }

  clear(): void {
    this.#told = [];
    this.#attached.clear();
  }
}
