/**
 * Events over crashes: whatever happens to process, power and disk, what is read back was appended, in order; and
 * what is missing is told, by the numbers, by the floor or by HM-EVENTS-TORN. Never a silent gap.
 */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { Reason } from '../../../../protocols/errors.ts';
import { comparePlaces } from '../../../../protocols/events/place.ts';
import type { LoggedEvent } from '../../../../runtime/node-handle.ts';
import { openEventFiles } from '../../../../runtime/telemetry/events/event-files.ts';
import { createEventLog, lostBoots } from '../../../../runtime/telemetry/events/event-log.ts';
import { realClock } from '../../../../runtime/world/real-clock.ts';
import { seededRandom } from '../../../../runtime/world/seeded-random.ts';
import { soundDisk, VirtualDisk } from '../../../../runtime/world/simulated/virtual-disk.ts';
import { until } from '../../../kit/until.ts';

const folder = '/events';
const quick = { ...soundDisk, syncMs: 0 };
const event = (text: string) =>
  ({ type: 'slot.started', subject: text, level: 'info', message: text }) as const;

const end = fc.constantFrom(
  'close' as const,
  'kill' as const,
  'power' as const,
  'full' as const,
  'damage' as const,
);
const lives = fc.array(fc.record({ count: fc.nat(12), end, share: fc.integer({ min: 1, max: 99 }) }), {
  minLength: 1,
  maxLength: 6,
});

test('what is read back was appended, in order, and what is missing is told', async () => {
  let exercised = { lost: 0, whole: 0 };
  await fc.assert(
    fc.asyncProperty(lives, fc.nat(), fc.integer({ min: 200, max: 2_000 }), async (plan, seed, fileBytes) => {
      const disk = new VirtualDisk(realClock, seededRandom(seed));
      disk.faults = quick;
      const appended: LoggedEvent[] = [];
      let machine = 1;
      const killed = new Set<number>();
      for (const [index, { count, end: how, share }] of [
        ...plan,
        { count: 0, end: 'close' as const, share: 1 },
      ].entries()) {
        const boot = index + 1;
        const bounds = { fileBytes, files: 3 };
        const options = { disk: disk.mount(), folder, machineBoot: String(machine), bounds };
        const opened = await openEventFiles(options);
        const log = createEventLog({ now: () => 1 }, { boot, store: opened.store });
        const recovered = [...opened.recovered, ...lostBoots(opened.store.kept, boot)];
        const lost = assertTold(appended, log, { found: opened.store.kept, recovered, killed });
        exercised = { lost: exercised.lost + lost, whole: exercised.whole + (lost === 0 ? 1 : 0) };
        // What a node says when it starts.
        if (recovered.length > 0) appended.push(log.append(event('recovered')));
        appended.push(log.append(event(`started ${boot}`)));
        for (let i = 0; i < count; i++) {
          if (how === 'full' && i === count >> 1) disk.faults = { ...quick, full: true };
          appended.push(log.append(event(`e${boot}.${i} ${'x'.repeat(i * 7)}`)));
        }
        // A process that ends in peace writes what waits; what it could not is its loss.
        if (how !== 'power' && how !== 'kill') await opened.close();
        if (how === 'kill') {
          await turns(share % 20);
          killed.add(boot);
          disk.kill();
        }
        if (how === 'power') {
          machine += 1;
          disk.lose();
        }
        disk.faults = quick;
        if (how === 'damage')
          disk.spoil(`${folder}/events-${String(boot).padStart(8, '0')}.log`, share / 100);
      }
    }),
    { numRuns: 150 },
  );
  expect(exercised.lost).toBeGreaterThan(0);
  expect(exercised.whole).toBeGreaterThan(0);
});

const turns = async (count: number): Promise<void> => {
  for (let i = 0; i < count; i++) await Promise.resolve();
};

interface ReadBack {
  readonly found: readonly LoggedEvent[];
  readonly recovered: readonly Reason[];
  /** Boots that were killed: their last moments may be missing without a word. */
  readonly killed: ReadonlySet<number>;
}

/** How many of the appended are not there any more. */
function assertTold(
  appended: readonly LoggedEvent[],
  log: ReturnType<typeof createEventLog>,
  { found, recovered, killed }: ReadBack,
): number {
  const isTold = recovered.length > 0;
  const texts = new Set(found.map((one) => JSON.stringify(one)));
  const kept = appended.filter((one) => texts.has(JSON.stringify(one)));
  expect(found).toEqual(kept);
  const missing = appended.filter((one) => !texts.has(JSON.stringify(one)));
  for (const one of missing) {
    const isBelow = comparePlaces(one, log.floor) <= 0;
    const byNumber = kept.some((other) => other.boot === one.boot && other.seq > one.seq);
    const byBoot = !kept.some(({ boot }) => boot === one.boot) && kept.some(({ boot }) => boot > one.boot);
    // A loss of power may cost what earlier boots wrote too; it is told once.
    const byNext = kept.some(({ boot, message }) => boot > one.boot && message === 'recovered');
    const isLast = killed.has(one.boot) && kept.some(({ boot }) => boot === one.boot);
    expect([one, isTold || isBelow || byNumber || byBoot || byNext || isLast]).toEqual([one, true]);
  }
  return missing.length;
}

test('files are bounded, and begin anew with each boot', async () => {
  const disk = new VirtualDisk(realClock, seededRandom(1));
  disk.faults = quick;
  for (let boot = 1; boot <= 5; boot++) {
    const bounds = { fileBytes: 500, files: 3 };
    const { store, close } = await openEventFiles({ disk: disk.mount(), folder, machineBoot: 'm', bounds });
    const log = createEventLog({ now: () => 1 }, { boot, store });
    for (let i = 0; i < 10; i++) {
      log.append(event(`${i}`));
      await new Promise((resolve) => setImmediate(resolve));
    }
    await close();
    expect((await disk.mount().list(folder)).length).toBeLessThanOrEqual(3);
  }
});

test('a quiet log writes nothing', async () => {
  const disk = new VirtualDisk(realClock, seededRandom(1));
  disk.faults = quick;
  const { close } = await openEventFiles({ disk: disk.mount(), folder, machineBoot: 'm' });
  await close();
  expect(await disk.mount().list(folder)).toEqual([]);
});

/** Boots after one another, each ending as it is told to; what each of them was told at its start. */
async function toldOver(
  ends: readonly ((disk: VirtualDisk, file: string) => void)[],
  machines: readonly string[] = [],
): Promise<readonly string[][]> {
  const disk = new VirtualDisk(realClock, seededRandom(1));
  disk.faults = quick;
  const told: string[][] = [];
  for (let boot = 1; boot <= ends.length + 1; boot++) {
    const machineBoot = machines[boot - 1] ?? 'm';
    const { store, recovered } = await openEventFiles({ disk: disk.mount(), folder, machineBoot });
    told.push(recovered.map(({ code }) => code));
    const log = createEventLog({ now: () => 1 }, { boot, store });
    for (let i = 0; i < 5; i++) log.append(event(`${boot}.${i}`));
    const file = `${folder}/events-${String(boot).padStart(8, '0')}.log`;
    await until('it is written', async () => ((await disk.mount().read(file))?.length ?? 0) > 300);
    ends[boot - 1]?.(disk, file);
  }
  return told;
}

test('a killed process has lost nothing, nor has one that was just writing a line', async () => {
  const kill = (disk: VirtualDisk) => disk.kill();
  const torn = (disk: VirtualDisk, file: string) => {
    disk.kill();
    disk.truncate(file, 0.9);
  };
  expect(await toldOver([kill, torn, kill])).toEqual([[], [], [], []]);
});

test('a loss is told at the next start, and once', async () => {
  const kill = (disk: VirtualDisk) => disk.kill();
  const spoilt = (disk: VirtualDisk, file: string) => {
    disk.kill();
    disk.spoil(file, 0.5);
  };
  expect(await toldOver([kill, spoilt, kill, kill])).toEqual([[], [], ['HM-EVENTS-TORN'], [], []]);
  // The machine has started anew, and nobody said farewell: what was written last may not have reached the disk.
  expect(await toldOver([kill, kill], ['a', 'b', 'b'])).toEqual([[], ['HM-EVENTS-TORN'], []]);
});
