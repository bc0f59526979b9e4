/**
 * Who has the next turn. Cells with mail stand in one queue and handle one message a turn, so nobody who is
 * flooded delays the others; after a slice the event loop breathes.
 *
 * Invariant: a slice ends after `limits.sliceMessages` messages or `limits.sliceMs`, whichever is first.
 */
import { limits } from '../../protocols/limits.ts';
import type { Clock } from '../../protocols/ports.ts';
import type { Cell } from './cell.ts';

/** How many turns pass between two looks at the clock: reading it costs a tenth of a turn. */
const turnsPerLook = 16;

export class Router {
  readonly #clock: Clock;
  readonly #turn: (cell: Cell) => void;
  #head: Cell | undefined = undefined;
  #tail: Cell | undefined = undefined;
  #scheduled = false;
  #halted = false;

  constructor(clock: Clock, turn: (cell: Cell) => void) {
    this.#clock = clock;
    this.#turn = turn;
  }

  /** The cell has mail. */
  wake(cell: Cell): void {
    if (cell.queued || this.#halted) return;
    cell.queued = true;
    this.#append(cell);
    this.#schedule();
  }

  halt(): void {
    this.#halted = true;
    this.#head = undefined;
    this.#tail = undefined;
  }

  #append(cell: Cell): void {
    cell.nextReady = undefined;
    if (this.#tail === undefined) this.#head = cell;
    else this.#tail.nextReady = cell;
    this.#tail = cell;
  }

  #schedule(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    this.#clock.defer(this.#slice);
  }

  readonly #slice = (): void => {
    try {
      this.#drain();
    } finally {
      // Also after a defect in the kernel itself: the other actors go on.
      this.#scheduled = false;
      if (this.#head !== undefined) this.#schedule();
    }
  };

  #drain(): void {
    const untilMs = this.#clock.monotonicMs() + limits.sliceMs;
    for (let turns = 1; turns <= limits.sliceMessages; turns += 1) {
      const cell = this.#head;
      if (cell === undefined) return;
      this.#head = cell.nextReady;
      if (this.#head === undefined) this.#tail = undefined;
      if (!cell.ended) this.#turn(cell);
      if (!cell.ended && !this.#halted && cell.system.size + cell.ordinary.size > 0) this.#append(cell);
      else cell.queued = false;
      if (turns % turnsPerLook === 0 && this.#clock.monotonicMs() >= untilMs) return;
    }
  }
}
