/** The restart window: a supervisor that restarts more often than it may gives up, and its own supervisor decides. */

/** `restarts` within `periodMs` are borne; one more is too many (OTP's MaxR and MaxT). */
export interface Intensity {
  readonly restarts: number;
  readonly periodMs: number;
}

/** World times of the restarts that still count, oldest first. Never longer than `restarts`. */
export type RestartWindow = readonly number[];

function within(window: RestartWindow, at: number, { periodMs }: Intensity): RestartWindow {
  const first = window.findIndex((time) => Math.abs(at - time) <= periodMs);
  if (first === 0) return window;
  return first === -1 ? [] : window.slice(first);
}

/** Whether one more restart at this time is one too many. */
export function isTooMany(window: RestartWindow, at: number, intensity: Intensity): boolean {
  return within(window, at, intensity).length >= intensity.restarts;
}

export function recordRestart(window: RestartWindow, at: number, intensity: Intensity): RestartWindow {
  return [...within(window, at, intensity), at];
}
