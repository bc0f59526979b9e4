/** What this node says of itself. Only here does its own incarnation rise. */
import { sealStatement } from './claims/codec.ts';
import { refutation } from './claims/precedence.ts';
import type { Incarnation, NodeId, Notary, Profile, Statement } from './model.ts';

export class Self {
  readonly #notary: Notary;
  #statement: Statement;

  constructor(id: NodeId, boot: number, profile: Profile, notary: Notary) {
    this.#notary = notary;
    this.#statement = sealStatement({ id, incarnation: { boot, counter: 0 }, left: false, profile }, notary);
  }

  get id(): NodeId {
    return this.#statement.id;
  }

  get statement(): Statement {
    return this.#statement;
  }

  /** Outdoes an accusation. */
  refute(accused: Incarnation): Statement {
    return this.#say({ incarnation: refutation(this.#statement.incarnation, accused) });
  }

  /** Says something new. */
  describe(profile: Profile): Statement {
    return this.#say({ profile });
  }

  /** Final for this boot. */
  leave(): Statement {
    return this.#say({ left: true });
  }

  #say(news: Partial<Pick<Statement, 'incarnation' | 'left' | 'profile'>>): Statement {
    const { id, incarnation, left, profile } = this.#statement;
    const next = { boot: incarnation.boot, counter: incarnation.counter + 1 };
    this.#statement = sealStatement({ id, incarnation: next, left, profile, ...news }, this.#notary);
    return this.#statement;
  }
}
