/** What a wait shows: a block redrawn in place, plain lines, JSON lines, or nothing. Progress goes to stderr, the result to stdout. */
import type { AppView } from '../../../protocols/apps/status.ts';
import { usage, type Cli } from '../cli.ts';
import type { Reason } from '../../../protocols/errors.ts';
import { pullOf } from '../views/pull-bar.ts';
import { slotRows, type SlotRow } from '../views/slot-rows.ts';
import { Screen, sizeOf } from '../output/screen.ts';
import { paint, tidy } from '../output/style.ts';
import { timestamp } from '../output/units.ts';
import { frame } from '../views/deploy-frame.ts';

export interface Progress {
  show(title: string, view: AppView, passedMs: number): void;
  note(text: string): void;
  finish(text: string, view: AppView): void;
  /** It ends otherwise; what is drawn stays, and the caller says why. */
  end(how: Ending): void;
}

export interface Ending {
  readonly type: 'failed' | 'timed-out' | 'interrupted';
  readonly text: string;
  readonly slot?: string;
  readonly reason?: Reason;
}

const modes = ['auto', 'tty', 'plain', 'json', 'quiet'] as const;

/** By `--progress`; `auto` is a block on a terminal and lines in a pipe. */
export function progressOf(cli: Cli, mode: string): Progress {
  if (!modes.some((known) => known === mode))
    throw usage(`--progress ${mode} is not known`, `Use one of: ${modes.join(', ')}`);
  const { stderr, environment } = cli.process;
  const terminal = stderr.isTTY === true && environment['TERM'] !== 'dumb';
  if (mode === 'json' || (mode === 'auto' && cli.wantsJson)) return new JsonProgress(cli);
  if (mode === 'quiet') return new QuietProgress();
  return mode === 'tty' || (mode === 'auto' && terminal) ? new BlockProgress(cli) : new PlainProgress(cli);
}

class BlockProgress implements Progress {
  readonly #cli: Cli;
  readonly #screen: Screen;
  #notes: string[] = [];

  constructor(cli: Cli) {
    this.#cli = cli;
    this.#screen = new Screen(cli.process.stderr);
  }

  show(title: string, view: AppView, passedMs: number): void {
    const { columns, rows } = sizeOf(this.#cli.process.stderr);
    const ink = paint(this.#cli.colored(this.#cli.process.stderr));
    this.#screen.draw([...frame(title, view, { passedMs, columns, rows, ink }), ...this.#notes]);
    this.#notes = [];
  }

  note(text: string): void {
    this.#notes = [`  ! ${text}`];
  }

  finish(text: string): void {
    this.#cli.print(`${paint(this.#cli.colored(this.#cli.process.stdout)).good('✓')} ${text}`);
  }

  end(): void {
    // The last frame says how far it came.
  }
}

/** A pull is told at each quarter: every look would be a line. */
function pulledQuarters(because: Reason | undefined): string {
  const pull = pullOf(because);
  return pull ? String(Math.floor((4 * pull.doneBytes) / pull.totalBytes)) : '';
}

/** One line for each change of a slot. */
abstract class ChangeProgress implements Progress {
  protected readonly cli: Cli;
  readonly #seen = new Map<string, string>();

  constructor(cli: Cli) {
    this.cli = cli;
  }

  show(_title: string, view: AppView): void {
    for (const row of slotRows([view], [])) {
      const what = `${row.phase} ${row.readiness ?? ''} ${row.placement ?? ''} ${row.next?.placement ?? ''}`;
      const now = `${what} ${this.detail(row)} ${row.reason?.code ?? ''} ${pulledQuarters(row.reason)}`;
      if (this.#seen.get(row.slot) === now) continue;
      this.#seen.set(row.slot, now);
      this.change(row, view);
    }
  }

  protected abstract change(row: SlotRow, view: AppView): void;
  /** What else makes a change. */
  protected detail(_row: SlotRow): string {
    return '';
  }
  abstract note(text: string): void;
  abstract finish(text: string, view: AppView): void;
  abstract end(how: Ending): void;
}

class PlainProgress extends ChangeProgress {
  protected change(row: SlotRow, view: AppView): void {
    const health = row.readiness === undefined || row.readiness === 'none' ? '' : ` ${row.readiness}`;
    const earlier = row.revision === undefined || row.revision >= view.revision ? '' : ` rev ${row.revision}`;
    const reason = row.reason ? `  ${tidy(row.reason.message)}  ${row.reason.code}` : '';
    this.cli.say(`${this.#time()} ${row.slot} ${row.node ?? '-'} ${row.phase}${health}${earlier}${reason}`);
  }

  note(text: string): void {
    this.cli.say(`${this.#time()} ${text}`);
  }

  finish(text: string): void {
    this.cli.print(text);
  }

  end(): void {
    // Every line stands by itself.
  }

  #time(): string {
    return timestamp(this.cli.process.clock.now());
  }
}

/** For programs: one object a line, all on stdout. */
class JsonProgress extends ChangeProgress {
  protected override detail({ settled }: SlotRow): string {
    return settled ? 'settled' : '';
  }

  protected change({ slot, node, phase, readiness, settled, revision, restarts, reason }: SlotRow): void {
    const now = { phase, readiness, settled: settled === true, revision, restarts, reason };
    this.#line({ type: 'slot.changed', slot, node, ...now });
  }

  note(text: string): void {
    this.#line({ type: 'note', text });
  }

  finish(text: string, view: AppView): void {
    this.#line({ type: 'done', text, app: view.name, revision: view.revision });
  }

  end(how: Ending): void {
    this.#line(how);
  }

  #line(content: object): void {
    this.cli.print(JSON.stringify({ at: this.cli.process.clock.now(), ...content }));
  }
}

class QuietProgress implements Progress {
  show(): void {
    // Only the exit code and errors speak.
  }
  note(): void {
    // Likewise.
  }
  finish(): void {
    // Likewise.
  }
  end(): void {
    // Likewise.
  }
}
