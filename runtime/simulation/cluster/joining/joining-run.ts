/** What a run has beside its nodes where they join: who brings them tokens, what befalls them at the door, and the checkers. */
import type { MemberRecord } from '../../../../protocols/cluster/rows.ts';
import type { Reason } from '../../../../protocols/errors.ts';
import { keys } from '../../../../protocols/state/keys.ts';
import { keyPath } from '../../../cluster/opening/places.ts';
import { chanceFor } from '../../../world/simulated/chance.ts';
import { clusterFolder } from '../../../world/simulated/joined-cluster.ts';
import type { SimulatedWorld } from '../../../world/simulated/simulated-world.ts';
import { AnswersLost, OneByName, OnlyInvited } from '../../checkers/cluster/admission.ts';
import { RenewedInTime, SameKeys, type Certified } from '../../checkers/cluster/certificates.ts';
import type { ClusterChecker, ClusterSight } from '../../checkers/checker.ts';
import type { NodeRun } from '../../node/node-run.ts';
import type { JoiningAct, JoiningPlan } from '../../plans/cluster-plan.ts';
import { Intruders, type Former } from './intruders.ts';
import { Registrar } from './registrar.ts';

const downMs = 1_000;

export class JoiningRun {
  readonly checkers: readonly ClusterChecker[];
  readonly #named;
  readonly #world: SimulatedWorld;
  readonly #nodes: readonly NodeRun[];
  readonly #sight: ClusterSight;
  readonly #registrar: Registrar;
  readonly #intruders: Intruders;
  /** Owners of names whose disks were lost, until another has the name. */
  #former: Former[] = [];
  readonly #refusals = new Map<string, Reason>();

  constructor(
    world: SimulatedWorld,
    nodes: readonly NodeRun[],
    { plan, sight }: { readonly plan: JoiningPlan; readonly sight: ClusterSight },
  ) {
    this.#world = world;
    this.#nodes = nodes;
    this.#sight = sight;
    this.#registrar = new Registrar(world, nodes, { tokens: plan.tokens, rows: () => sight.rows });
    this.#intruders = new Intruders(world);
    this.#named = {
      onlyInvited: new OnlyInvited(sight),
      oneByName: new OneByName(sight),
      answersLost: new AnswersLost(sight),
      renewedInTime: new RenewedInTime(sight),
      sameKeys: new SameKeys(sight),
    };
    this.#named.onlyInvited.badTokenOf = (name) => this.#registrar.badTokenOf(name);
    this.checkers = Object.values(this.#named);
    this.#troubleAtDoor(plan);
    for (const act of plan.acts) world.clock.setTimer(act.atMs, () => this.#act(act));
  }

  /** Now and then. */
  look(): void {
    this.#noteRefusals();
    this.#named.renewedInTime.look(this.#certified());
    this.#registrar.look();
    const [gone] = this.#former;
    if (gone && this.#rowOf(gone.name) && this.#rowOf(gone.name)?.id !== gone.identity.id) {
      this.#former = this.#former.slice(1);
      this.#haunt(gone);
    }
  }

  heal(): void {
    this.#registrar.healed = true;
    this.#world.first.onDoor = () => true;
  }

  endQuiet(): void {
    this.#named.sameKeys.judge(this.#certified());
  }

  #troubleAtDoor({ lostAnswers, doorKills }: JoiningPlan): void {
    const { seed, first } = this.#world;
    const random = chanceFor(seed, 'door');
    const { life } = this.#nodes[0]!;
    let asked = -1;
    first.onDoor = (stage) => {
      if (stage === 'asked') asked += 1;
      if (doorKills.some(({ nth, at }) => nth === asked && at === stage)) life.kill(0, downMs);
      return stage === 'asked' || lostAnswers === 0 || random.next() >= lostAnswers;
    };
  }

  #act({ do: what, node: index }: JoiningAct): void {
    if (this.#registrar.healed) return;
    const node = this.#nodes[index % this.#nodes.length]!;
    if (what === 'impostor') void this.#impostor(node.place.name).catch(node.life.defect);
    else if (what === 'move') node.life.kill(0, downMs, () => this.#world.hub.move(node.place.name));
    else
      node.life.kill(0, downMs, async () => {
        const former = await this.#intruders.formerOf(node.place);
        if (former) this.#former.push(former);
        node.wipe();
      });
  }

  async #impostor(name: string): Promise<void> {
    const first = this.#nodes[0]!;
    const made = await first.life
      .during(async () => first.place.cluster?.care?.createToken({ ttlMs: 600_000, uses: 1 }))
      .catch(() => undefined);
    const owner = this.#rowOf(name);
    if (!made || !owner) return;
    const isIn = await this.#intruders.pretend(name, made.token);
    if (!isIn) this.#named.oneByName.refused();
  }

  #haunt(former: Former): void {
    const owner = this.#rowOf(former.name)?.id;
    void this.#intruders.haunt(former).then(
      (had) => {
        // It may have got the name back: its machine cannot, but a store that is older says so.
        if (owner === this.#rowOf(former.name)?.id && !this.#sight.storeIsFalse())
          this.#named.onlyInvited.haunted(former.name, had);
      },
      (error: unknown) => this.#nodes[0]!.life.defect(error),
    );
  }

  #noteRefusals(): void {
    for (const { place, life } of this.#nodes.slice(1)) {
      const { refusal } = life;
      if (refusal === undefined || refusal === this.#refusals.get(place.name)) continue;
      this.#refusals.set(place.name, refusal);
      if (refusal.code === 'HM-CLUSTER-TOKEN') this.#named.onlyInvited.refused();
      const id = idIn(place.disk.safe(keyPath(clusterFolder)));
      if (id !== undefined) this.#named.answersLost.refused(place.name, id, refusal);
    }
  }

  #certified(): readonly Certified[] {
    return this.#nodes.flatMap(({ place, life }) => {
      const care = life.node && place.cluster?.care;
      return care ? [{ node: place.name, care, now: place.time.now(), stands: life.stands }] : [];
    });
  }

  #rowOf(name: string): MemberRecord | undefined {
    return this.#sight.rows.get(keys.member(name)) as MemberRecord | undefined;
  }
}

function idIn(key: Uint8Array | undefined): string | undefined {
  if (!key) return undefined;
  try {
    return (JSON.parse(Buffer.from(key).toString('utf8')) as { readonly id?: string }).id;
  } catch {
    return undefined;
  }
}
