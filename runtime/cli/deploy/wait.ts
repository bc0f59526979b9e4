/**
 * Waiting until an app is as wished, with progress on the way. The node does the work whether or not anybody
 * waits: an interrupt or a time-out ends the wait, never the deployment.
 */
import type { AppView } from '../../../protocols/apps/status.ts';
import { coded, reasonOf, type CodedError, type Reason } from '../../../protocols/errors.ts';
import type { Cli } from '../cli.ts';
import { tailOf } from '../commands/observing/logs.ts';
import { serves, slotRows, type SlotRow } from '../views/slot-rows.ts';
import { appPath, type AppAnswer } from '../connection/answers.ts';
import { exitCodeOf, exitCodes, printReasons } from '../failure.ts';
import { elapsed } from '../output/units.ts';
import type { Progress } from './progress.ts';

export interface Wait {
  readonly app: string;
  /** `Deploying shop rev 3` */
  readonly title: string;
  readonly timeoutMs: number;
  /** Beyond being converged: that what was asked for is what converged. */
  readonly reached: (view: AppView) => boolean;
  /** `shop rev 3 is live` */
  readonly done: (view: AppView) => string;
}

/** A person who waits loses half of it at the end; a look costs the node one or two milliseconds. */
const everyMs = 75;
/** A slot that has restarted so often since we look is in a crash loop. */
const crashLoop = 3;
/** Reasons that do not go away by waiting; a glimpse of one may be the state before ours, so many looks are not. */
const lasting: ReadonlySet<string> = new Set([
  'HM-IMAGE-MISSING',
  'HM-IMAGE-PLATFORM',
  'HM-IMAGE-DIGEST',
  'HM-IMAGE-LAYER',
  'HM-REGISTRY-UNREACHABLE',
  'HM-REGISTRY-AUTH',
  'HM-REGISTRY-ANSWER',
  'HM-PORT-TAKEN',
  'HM-BIND-MISSING',
  'HM-CONTAINER-COMMAND',
  'HM-CONTAINER-CREATE',
  'HM-CONTAINER-SETTING',
  'HM-CONTAINER-USER',
  'HM-IMAGE-DIGEST',
  'HM-REGISTRY-AUTH',
  'HM-SECRET-UNKNOWN',
  'HM-VOLUME-UNKNOWN',
  'HM-NETWORK-ADDRESS',
  'HM-HEALTH-FAILED',
  'HM-HOOK-FAILED',
  'HM-CRASH-LOOP',
  'HM-RESTART-BUDGET',
]);
const lastingLooks = 20;

/** Answers the exit code; the progress is closed afterwards. */
export async function waitFor(cli: Cli, wait: Wait, progress: Progress): Promise<number> {
  const { clock, interrupted } = cli.process;
  const startMs = clock.monotonicMs();
  const doubts = new Doubts();
  let lost = false;
  while (!interrupted.aborted) {
    const passedMs = clock.monotonicMs() - startMs;
    try {
      const { view } = await (await cli.client()).get<AppAnswer>(appPath(wait.app));
      lost = false;
      progress.show(wait.title, view, passedMs);
      if (view.converged && wait.reached(view)) {
        progress.finish(`${wait.done(view)}   ${elapsed(passedMs)}`, view);
        return exitCodes.ok;
      }
      const failed = doubts.look(slotRows([view], []).flatMap((row) => speaksFor(row, view)));
      if (failed) return await giveUp(cli, wait, failed, view, progress);
    } catch (thrown) {
      if (reasonOf(thrown).code !== 'HM-API-UNREACHABLE') throw thrown;
      if (!lost) progress.note('the connection is lost; trying again');
      lost = true;
    }
    if (passedMs > wait.timeoutMs) throw timedOut(wait, progress, passedMs);
    await cli.pause(everyMs);
  }
  const text = `${wait.title} continues in the background. Follow: hivemind ps ${wait.app} -w`;
  progress.end({ type: 'interrupted', text });
  cli.say(text);
  return exitCodes.interrupted;
}

function timedOut(wait: Wait, progress: Progress, passedMs: number): CodedError {
  const text = `${wait.title}: not done after ${elapsed(passedMs)}, it continues in the background`;
  progress.end({ type: 'timed-out', text });
  return coded('HM-CLI-TIMEOUT', text, {}, `hivemind why ${wait.app}`);
}

/** Says what failed, with the slot's last lines, what serves on, and how to go on from here. */
async function giveUp(
  cli: Cli,
  wait: Wait,
  row: SlotRow,
  view: AppView,
  progress: Progress,
): Promise<number> {
  const because = row.reason ?? endedReason(row);
  const outlook = row.phase === 'failed' ? 'has failed' : 'is not done; the node keeps trying';
  const text = `${wait.title} ${outlook}. See: hivemind why ${row.slot}`;
  progress.end({ type: 'failed', text, slot: row.slot, reason: because });
  printReasons(cli, [{ ...because, message: `${row.slot}: ${because.message}` }]);
  // What an earlier revision said is no news of this one.
  const ofThis = (run: string): boolean => row.placement === undefined || run.startsWith(`${row.placement}.`);
  const said = await tailOf(cli, row.slot, 10).catch(() => []);
  const lines = said.filter(({ run }) => ofThis(run));
  if (lines.length > 0 && !cli.wantsJson) {
    cli.say(`  logs  last ${lines.length === 1 ? 'line' : `${lines.length} lines`} of ${row.slot}`);
    for (const line of lines) cli.say(`        ${line.text}`);
  }
  cli.say(text);
  for (const line of wayBack(row, view)) cli.say(line);
  return exitCodeOf(because);
}

/** Of a revision after the first: what serves meanwhile, and the step back to it. */
function wayBack({ service }: SlotRow, { name, revision, slots }: AppView): readonly string[] {
  if (revision < 2) return [];
  const kept = slots.flatMap(({ status }) =>
    status?.service === service && status.revision < revision && serves(status) ? [status] : [],
  );
  const before = kept[0]?.revision;
  const names = kept.length > 3 ? `${kept.length} replicas` : kept.map(({ slot }) => slot).join(' and ');
  const back = `To what ran before: hivemind rollback ${name}${before === undefined ? '' : ` ${before}`}`;
  if (before === undefined) return [back];
  return [`${names} ${kept.length === 1 ? 'serves' : 'serve'} on as rev ${before}.`, back];
}

function endedReason(row: SlotRow): Reason {
  const code = row.lastExit?.code;
  return coded('HM-CONTAINER-EXIT', `ended${code === undefined ? '' : ` with code ${code}`}`).reason;
}

/**
 * What a slot of an earlier revision, or one that is stopping, suffers from says nothing about the present revision;
 * what waits to replace it does.
 */
function speaksFor(row: SlotRow, view: AppView): SlotRow[] {
  const { next, revision } = row;
  if (next?.revision === view.revision) {
    const { reason: _own, ...rest } = row;
    const because = next.reason ? { reason: next.reason } : {};
    return [{ ...rest, ...because, phase: 'waiting', placement: next.placement }];
  }
  const speaks = row.phase !== 'stopping' && (revision === undefined || revision === view.revision);
  return speaks ? [row] : [];
}

/** Remembers how often a slot was seen in trouble. */
class Doubts {
  readonly #restarts = new Map<string, number>();
  readonly #looks = new Map<string, number>();

  /** The slot that will not become ready by waiting. */
  look(rows: readonly SlotRow[]): SlotRow | undefined {
    return rows.find((row) => this.#isLost(row));
  }

  #isLost(row: SlotRow): boolean {
    const key = `${row.slot}#${row.placement ?? 0}`;
    const before = this.#restarts.get(key) ?? row.restarts ?? 0;
    this.#restarts.set(key, before);
    if ((row.restarts ?? 0) - before >= crashLoop) return true;
    const bad = row.phase === 'failed' || (row.reason !== undefined && lasting.has(row.reason.code));
    const looks = bad ? (this.#looks.get(key) ?? 0) + 1 : 0;
    this.#looks.set(key, looks);
    return looks >= lastingLooks;
  }
}
