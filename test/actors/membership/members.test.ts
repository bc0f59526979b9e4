/** Actors of members under their kernel: who gets one, what the event log hears, what a crash loses (nothing). */
import { expect, test } from 'vitest';
import type { MemberStatus } from '../../../protocols/membership/model.ts';
import type { Recalled, RosterEntry } from '../../../protocols/membership/views/port.ts';
import type { Standing } from '../../../protocols/membership/views/news.ts';
import type { MemberView } from '../../../protocols/membership/views/view.ts';
import { membershipMachines } from '../../../runtime/membership/host/machines.ts';
import { membershipTree } from '../../../supervisors/trees/membership.tree.ts';
import { rig, type Rig } from '../../kit/rig.ts';

const id = '0123456789abcdef0123456789abcdef';
const path = '/membership/members/n2.01234567';

function view(status: MemberStatus, change: Partial<MemberView> = {}): MemberView {
  return {
    id,
    name: 'n2',
    address: { host: '10.0.0.2', port: 4484 },
    zone: '',
    self: false,
    status,
    incarnation: { boot: 1, counter: 0 },
    condition: 'ready',
    since: 0,
    suspectedBy: status === 'suspected' ? [{ id: 'i1', name: 'n1', since: 0 }] : [],
    planes: { datagram: { heardAt: 0 }, stream: {} },
    ...change,
  };
}

/** A core that knows one member, and what the event log heard of it, as the host keeps it. */
interface Core {
  view?: MemberView;
  told?: Standing;
  asked: string[];
}

function open(core: Core, seeds = false): Rig {
  const entries = (): RosterEntry[] =>
    core.view
      ? [{ ...core.view, streamTriedAt: 0 }].map(({ id: one, name, address, status, streamTriedAt }) => ({
          id: one,
          name,
          address,
          status,
          streamTriedAt,
        }))
      : [];
  const opened = rig(
    membershipTree({
      node: 'n1',
      seeds: seeds ? [{ host: '10.0.0.9', port: 4484 }] : [],
      probing: { everyMs: 5_000, timeoutMs: 1_000 },
    }),
    {
      machines: membershipMachines,
      ports: {
        roster: {
          list: async () => ({ members: entries() }),
          recall: async (): Promise<Recalled> => ({
            ...(core.view ? { view: core.view } : {}),
            ...(core.told ? { told: core.told } : {}),
          }),
          ask: async ({ id: asked }: { id: string }) => {
            core.asked.push(asked);
            return { rttMs: 1 };
          },
        },
      },
    },
  );
  return opened;
}

/** As the host does it: the core changes, the actors hear of it, and what they tell is noted. */
async function become(opened: Rig, core: Core, next: MemberView): Promise<void> {
  const met = core.view === undefined;
  core.view = next;
  if (met) opened.kernel.send('/membership/joiner', { type: 'member.met', member: { id, name: 'n2' } });
  else opened.kernel.send(path, { type: 'member.heard', view: next });
  await opened.clock.advance(1);
  core.told = { status: next.status, boot: next.incarnation.boot };
}

const told = ({ events }: Rig): string[] =>
  events.map(({ type }) => type).filter((type) => type.startsWith('member.'));
const phase = ({ kernel }: Rig): string | undefined => kernel.directory.show(path)?.phase;

test('a member gets an actor that shows where it stands, and the event log hears each step once', async () => {
  const core: Core = { asked: [] };
  const opened = open(core);
  await opened.clock.advance(1);
  const steps: [MemberView, string][] = [
    [view('alive'), 'member.joined'],
    [view('suspected'), 'member.suspected'],
    [view('alive', { incarnation: { boot: 1, counter: 1 } }), 'member.recovered'],
    [view('suspected', { incarnation: { boot: 1, counter: 1 } }), 'member.suspected'],
    [view('dead', { incarnation: { boot: 1, counter: 1 } }), 'member.died'],
    [view('alive', { incarnation: { boot: 2, counter: 0 } }), 'member.restarted'],
    [view('alive', { incarnation: { boot: 2, counter: 1 }, condition: 'stalled' }), 'member.described'],
    [view('left', { incarnation: { boot: 2, counter: 2 } }), 'member.left'],
  ];
  for (const [next, news] of steps) {
    await become(opened, core, next);
    expect([told(opened).at(-1), phase(opened)]).toEqual([news, next.status]);
  }
  expect(told(opened)).toHaveLength(steps.length);
  const suspected = opened.events.find(({ type }) => type === 'member.suspected');
  expect(suspected?.reason).toMatchObject({ code: 'HM-MEMBER-SUSPECTED', evidence: { suspectedBy: 'n1' } });
});

test('an actor that crashed takes up what the core knows, and tells nothing twice', async () => {
  const core: Core = { asked: [] };
  const opened = open(core);
  await opened.clock.advance(1);
  await become(opened, core, view('alive'));
  await become(opened, core, view('suspected'));
  // A view that no core makes: the defect is the sender's, the crash the actor's.
  opened.kernel.send(path, { type: 'member.heard' });
  await opened.clock.advance(1);
  expect(opened.framesOf('actor.crashed').map(({ path: crashed }) => crashed)).toEqual([path]);
  // Meanwhile it recovered: that is told when the actor is back, and the suspicion is not told again.
  core.view = view('alive', { incarnation: { boot: 1, counter: 1 } });
  await opened.clock.advance(1_000);
  expect(phase(opened)).toBe('alive');
  expect(told(opened)).toEqual(['member.joined', 'member.suspected', 'member.recovered']);
});

test('a member that is first heard of when it is gone is kept, and no news', async () => {
  const core: Core = { asked: [] };
  const opened = open(core);
  await opened.clock.advance(1);
  await become(opened, core, view('dead'));
  expect([told(opened), phase(opened)]).toEqual([[], 'dead']);
});

test('a joiner that crashed gives every member an actor again, and the members of before keep theirs', async () => {
  const core: Core = { asked: [] };
  const opened = open(core);
  await opened.clock.advance(1);
  await become(opened, core, view('alive'));
  opened.kernel.send('/membership/joiner', { type: 'member.met' });
  await opened.clock.advance(1_000);
  expect(opened.framesOf('actor.crashed').map(({ path: crashed }) => crashed)).toEqual([
    '/membership/joiner',
  ]);
  expect(opened.living()).toContain(`${path}#1`);
  expect(opened.kernel.directory.show('/membership/joiner')?.phase).toBe('joined');
});

test('the prober asks over streams by turns, and at once whom the core cannot reach', async () => {
  const core: Core = { asked: [] };
  const opened = open(core);
  await opened.clock.advance(1);
  await become(opened, core, view('alive'));
  await opened.clock.advance(20_000);
  expect(core.asked.length).toBeGreaterThanOrEqual(3);
  const before = core.asked.length;
  opened.kernel.send('/membership/prober', { type: 'ask.wanted', member: id });
  await opened.clock.advance(1);
  expect(core.asked.length).toBe(before + 1);
});

test('who finds nobody where it was told to look says so once, with what each try gave', async () => {
  const opened = open({ asked: [] }, true);
  await opened.clock.advance(1);
  const error = { code: 'HM-PEER-UNREACHABLE', message: 'refused', hint: '', evidence: {} };
  opened.kernel.send('/membership/joiner', {
    type: 'exchange.failed',
    address: { host: '10.0.0.9', port: 4484 },
    error,
  });
  await opened.clock.advance(60_000);
  const failed = opened.events.filter(({ type }) => type === 'seeds.failed');
  expect(failed.map(({ reason }) => [reason?.code, reason?.evidence])).toEqual([
    ['HM-MEMBERSHIP-SEEDS', { seeds: '10.0.0.9:4484', tries: '10.0.0.9:4484: refused' }],
  ]);
});
