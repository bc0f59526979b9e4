/** Members as the rest of the node sees them, made from the core's: names for ids, wall time for the core's own. */
import type { Member, MemberAddress, NodeId } from '../../../protocols/membership/model.ts';
import type { Self } from '../../../protocols/membership/self.ts';
import type { Swim } from '../../../protocols/membership/swim.ts';
import type { MemberView, PlanesView, PlaneView } from '../../../protocols/membership/views/view.ts';
import type { Clock } from '../../../protocols/ports.ts';

/** What is found of one member over streams; ms since 1970. */
export interface StreamProbe {
  /** Asked, or heard on a connection that was there anyway. */
  triedAt: number;
  rttMs?: number;
  failingSince?: number;
}

export class Views {
  readonly #clock: Clock;
  readonly #self: Self;
  readonly #swim: Swim;
  readonly #startedAt: number;
  readonly streams = new Map<NodeId, StreamProbe>();

  constructor(clock: Clock, self: Self, swim: Swim) {
    this.#clock = clock;
    this.#self = self;
    this.#swim = swim;
    this.#startedAt = clock.now();
  }

  /** On a connection with others' traffic: as good as an answer. */
  heardOnStream(id: NodeId, rttMs = this.streams.get(id)?.rttMs): void {
    if (!this.#swim.profileOf(id)) return;
    this.streams.set(id, { triedAt: this.#clock.now(), ...(rttMs === undefined ? {} : { rttMs }) });
  }

  own(): MemberView {
    const { id, incarnation, left, profile } = this.#self.statement;
    const { name, address, zone, condition } = profile;
    return {
      id,
      name,
      address,
      zone,
      self: true,
      status: left ? 'left' : 'alive',
      incarnation,
      condition,
      since: this.#startedAt,
      suspectedBy: [],
      planes: { datagram: {}, stream: {} },
    };
  }

  /** `undefined` of a member that was only ever accused: nothing is known of it. */
  of(member: Member): MemberView | undefined {
    const { id, incarnation, status, profile, since } = member;
    if (!profile) return undefined;
    const suspicion = this.#swim.suspicionOf(id);
    return {
      id,
      name: profile.name,
      address: profile.address,
      zone: profile.zone,
      self: false,
      status,
      incarnation,
      condition: profile.condition,
      ...(profile.vouchedUntil === undefined ? {} : { vouchedUntil: profile.vouchedUntil }),
      since: this.#wall(since),
      suspectedBy: member.suspectedBy.map((accuser, at) => ({
        id: accuser,
        name: this.#nameOf(accuser),
        since: this.#wall(suspicion?.heardAt[at] ?? since),
      })),
      planes: this.#planes(id),
    };
  }

  all(): MemberView[] {
    return this.#swim.members().flatMap((member) => this.of(member) ?? []);
  }

  addressOf(id: NodeId): MemberAddress | undefined {
    return this.#swim.profileOf(id)?.address;
  }

  #nameOf(id: NodeId): string {
    if (id === this.#self.id) return this.#self.statement.profile.name;
    return this.#swim.profileOf(id)?.name ?? id;
  }

  #planes(id: NodeId): PlanesView {
    const planes = this.#swim.planesOf(id);
    const stream = this.streams.get(id);
    return {
      datagram: plane(
        this.#wallOr(planes?.datagramAt),
        planes?.roundTripMs,
        this.#wallOr(planes?.datagramFailingSince),
        this.#wallOr(planes?.datagramIndirectSince),
      ),
      stream: plane(this.#wallOr(planes?.streamAt), stream?.rttMs, stream?.failingSince),
    };
  }

  /** ms since 1970 of a time on the core's clock. */
  #wall(at: number): number {
    return Math.round(this.#clock.now() - (this.#clock.monotonicMs() - at));
  }

  #wallOr(at: number | undefined): number | undefined {
    return at === undefined ? undefined : this.#wall(at);
  }
}

function plane(heardAt?: number, rttMs?: number, failingSince?: number, indirectSince?: number): PlaneView {
  return {
    ...(heardAt === undefined ? {} : { heardAt }),
    ...(rttMs === undefined ? {} : { rttMs }),
    ...(failingSince === undefined ? {} : { failingSince }),
    ...(indirectSince === undefined ? {} : { indirectSince }),
  };
}
