/** The actors beside a real core: one that crashes takes up what the core knows, and those of the long gone are let go. */
import { expect, test } from 'vitest';
import { encodePacket } from '../../../protocols/membership/packets.ts';
import { timesOf } from '../../../protocols/membership/profile.ts';
import { Self } from '../../../protocols/membership/self.ts';
import { Swim } from '../../../protocols/membership/swim.ts';
import type { MemberView } from '../../../protocols/membership/views/view.ts';
import { HostActors, mostGone } from '../../../runtime/membership/host/actors.ts';
import { Views } from '../../../runtime/membership/host/views.ts';
import type { FromHost } from '../../../runtime/membership/messages.ts';
import { simulatedNotary } from '../../../runtime/simulation/membership/notary.ts';
import { HeapClock } from '../../../runtime/world/heap-clock.ts';
import { seededRandom } from '../../../runtime/world/seeded-random.ts';

const address = { host: '10.0.0.1', port: 4_484 };
const words = (name: string) => ({ name, address, condition: 'ready', versions: [1, 1], zone: '' }) as const;

function rig() {
  const clock = new HeapClock();
  const random = seededRandom(1);
  const notary = simulatedNotary('i1', 'n1');
  const self = new Self('i1', 1, words('n1'), notary);
  const swim = new Swim({ times: timesOf.lan, random, notary, self, seeds: [] });
  const views = new Views(clock, self, swim);
  const said: FromHost[] = [];
  const actors = new HostActors({
    start: {
      self: { id: 'i1', name: 'n1', address, zone: '' },
      boot: 1,
      seeds: [],
      times: timesOf.lan,
      told: {},
    },
    told: {},
    clock,
    random,
    views,
    swim,
    ask: async () => 1,
    out: (message) => said.push(message),
    ended: () => {},
    onFrame: undefined,
  });
  actors.start();
  const told = (): string[] => said.flatMap((one) => (one.kind === 'event' ? [one.event.type] : []));
  /** As the core hears of it. */
  const meet = (id: string, name: string): MemberView => {
    const other = new Self(id, 1, words(name), simulatedNotary(id, name));
    const packet = encodePacket({ kind: 'gossip' }, [other.statement.bytes]);
    swim.step({ kind: 'received', from: { id, address }, packet }, clock.monotonicMs());
    return views.of(swim.member(id)!)!;
  };
  return { clock, actors, said, told, meet };
}

test('the actor of a member that crashed is there again as the core has it, and nothing is told twice', async () => {
  const { clock, actors, told, meet } = rig();
  await clock.advance(1);
  const view = meet('i2', 'n2');
  actors.heard(view);
  await clock.advance(1);
  // No core makes such a view: a defect, as any other.
  actors.heard({ ...view, incarnation: undefined as never });
  await clock.advance(2_000);
  const [shown] = (
    actors.inspect({ of: 'tree' }) as { machine: string; phase: string; restarts: number }[]
  ).filter(({ machine }) => machine === 'member');
  expect(shown).toMatchObject({ phase: 'alive', restarts: 1 });
  expect(told().filter((type) => type.startsWith('member.'))).toEqual(['member.joined']);
});

test('of those that are gone no more than the newest keep an actor', async () => {
  const { clock, actors, said, meet } = rig();
  await clock.advance(1);
  const template = meet('i2', 'n2');
  for (let at = 0; at <= mostGone + 4; at += 1)
    actors.heard({ ...template, id: `gone${at}`, name: `gone${at}`, status: 'dead', since: at });
  await clock.advance(1_000);
  const forgotten = said.flatMap((one) => (one.kind === 'forgotten' ? [one.id] : []));
  expect(forgotten).toEqual(['gone0', 'gone1', 'gone2', 'gone3', 'gone4']);
  const members = (actors.inspect({ of: 'tree' }) as { machine: string }[]).filter(
    ({ machine }) => machine === 'member',
  );
  expect(members).toHaveLength(mostGone);
});
