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
  /** Nothing more will be shown; what is drawn stays. */
  close(): void;
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

  close(): void {
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
      const now = `${what} ${row.reason?.code ?? ''} ${pulledQuarters(row.reason)}`;
      if (this.#seen.get(row.slot) === now) continue;
      this.#seen.set(row.slot, now);
      this.change(row);
    }
  }

  protected abstract change(row: SlotRow): void;
  abstract note(text: string): void;
  abstract finish(text: string, view: AppView): void;

  close(): void {
    // Every line stands by itself.
  }
}

class PlainProgress extends ChangeProgress {
  protected change(row: SlotRow): void {
    const health = row.readiness === undefined || row.readiness === 'none' ? '' : ` ${row.readiness}`;
    const reason = row.reason ? `  ${tidy(row.reason.message)}  ${row.reason.code}` : '';
    this.cli.say(`${this.#time()} ${row.slot} ${row.node ?? '-'} ${row.phase}${health}${reason}`);
  }

  note(text: string): void {
    this.cli.say(`${this.#time()} ${text}`);
  }

  finish(text: string): void {
    this.cli.print(text);
  }

  #time(): string {
    return timestamp(this.cli.process.clock.now());
  }
}

/** For programs: one object a line, all on stdout. */
class JsonProgress extends ChangeProgress {
  protected change({ slot, node, phase, readiness, restarts, reason }: SlotRow): void {
    this.#line({ type: 'slot.changed', slot, node, phase, readiness, restarts, reason });
  }

  note(text: string): void {
    this.#line({ type: 'note', text });
  }

  finish(text: string, view: AppView): void {
    this.#line({ type: 'done', text, app: view.name, revision: view.revision });
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
  close(): void {
    // Likewise.
  }
}
