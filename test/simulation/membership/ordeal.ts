/**
 * A seed's ordeal: a few members on a bad network, killed, started anew, cut off, stalled, leaving; then all is well and
 * they have to agree. What must always hold is looked at with every sighting on the way.
 */
import type { Member } from '../../../protocols/membership/model.ts';
import type { Random } from '../../../protocols/ports.ts';
import { idOf, Swarm } from '../../../runtime/simulation/membership/swarm.ts';
import { chanceFor } from '../../../runtime/world/simulated/chance.ts';
import { calm } from '../../../transport/memory/datagrams.ts';

/** After the last fault. */
const agreeMs = 15_000;
const longestMs = 120_000;

const below = (random: Random, bound: number): number => Math.floor(random.next() * bound);

/** What was broken, with the invariant's name; empty when nothing was. */
export function ordeal(seed: number): readonly string[] {
  const random = chanceFor(seed, 'ordeal');
  const members = 3 + below(random, 8);
  const swarm = new Swarm({ seed, members, zones: 1 + below(random, 3) });
  const broken: string[] = [];
  const boots = Array<number>(members).fill(1);
  watch(swarm, boots, broken);
  swarm.run(below(random, 8_000));
  swarm.network.faults = {
    ...calm,
    loss: random.next() * 0.3,
    meanMs: random.next() * 30,
    duplicate: random.next() * 0.1,
    replay: random.next() * 0.2,
  };
  const until = swarm.now + longestMs * random.next();
  while (swarm.now < until) {
    befall(swarm, random, boots);
    swarm.run(below(random, 6_000));
  }
  swarm.network.faults = calm;
  swarm.network.mendAll();
  for (let index = 0; index < members; index++) if (!swarm.core(index)) start(swarm, index, boots);
  swarm.run(3_000);
  for (let index = 0; index < members; index++) if (!swarm.core(index)) start(swarm, index, boots);
  if (swarm.runUntil(() => swarm.agreed(), agreeMs) === undefined)
    broken.push(`M3: ${members} members do not agree`);
  if (swarm.network.counts.tooLong > 0) broken.push('M7: a packet is too long');
  swarm.run(60_000);
  for (const index of swarm.up()) {
    const { health, news } = swarm.core(index)!.condition;
    if (health > 0) broken.push(`M10: ${idOf(index)} thinks itself unwell, ${health}`);
    if (news > 0) broken.push(`M8: ${idOf(index)} still has ${news} pieces of news`);
  }
  return broken;
}

function start(swarm: Swarm, index: number, boots: number[]): void {
  boots[index]! += 1;
  swarm.start(index);
}

function befall(swarm: Swarm, random: Random, boots: number[]): void {
  const index = below(random, swarm.size);
  const all = [...boots.keys()];
  const some = all.filter(() => random.next() < 0.5);
  switch (below(random, 7)) {
    case 0:
      if (swarm.core(index)) swarm.kill(index);
      break;
    case 1:
    case 2:
      if (!swarm.core(index)) start(swarm, index, boots);
      break;
    case 3:
      swarm.partition(
        some,
        all.filter((one) => !some.includes(one)),
        random.next() < 0.4,
      );
      break;
    case 4:
      swarm.network.mendAll();
      break;
    case 5:
      if (swarm.core(index)) swarm.stall(index, below(random, 6_000));
      break;
    default:
      if (random.next() < 0.3) swarm.tell(index, { kind: 'leave' });
      else swarm.tell(index, { kind: 'describe', profile: { zone: `z${below(random, 9)}` } });
  }
}

/** Of its own, not the product's: a checker that shares a mistake does not find it. A farewell outdoes later words of its life. */
function riseOf({ incarnation: a, status }: Member, { incarnation: b, status: now }: Member): number {
  if (a.boot === b.boot && now === 'left' && status !== 'left') return 1;
  return Math.sign(b.boot - a.boot || b.counter - a.counter);
}

/** M4, M5, M6: what one member holds of another only rises, and nobody is held for a life that it did not have. */
function watch(swarm: Swarm, boots: readonly number[], broken: string[]): void {
  const held = new Map<string, Member>();
  swarm.onSighting = ({ by, member }) => {
    const boot = boots[by];
    const key = `${by}.${boot} ${member.id}`;
    const before = held.get(key);
    held.set(key, member);
    const owner = Number(member.id.slice(2));
    if (member.incarnation.boot > boots[owner]!) broken.push(`M4: ${member.id} in a life to come`);
    if (!before) return;
    const rise = riseOf(before, member);
    if (rise < 0) broken.push(`M4: ${member.id} falls back to an earlier word`);
    if (rise === 0 && before.status === 'dead' && member.status !== 'dead' && member.status !== 'left')
      broken.push(`M6: ${member.id} was dead and is ${member.status} by the same word`);
    if (
      before.status === 'left' &&
      member.status !== 'left' &&
      member.incarnation.boot === before.incarnation.boot
    )
      broken.push(`M5: ${member.id} left and is ${member.status}`);
  };
}
