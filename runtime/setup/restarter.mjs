/**
 * Keeps one daemon going where no systemd does: it ends itself with 70 when its root supervisor gives up, and then a
 * new one starts after a pause; so it does when it was killed. Any other end is final: a wrong flag does not mend
 * itself. Stop signals pass through to it.
 */
import { spawn } from 'node:child_process';
import { say } from './commands.mjs';

const escalated = 70;
const pauseMs = { first: 1_000, last: 30_000 };
/** A daemon that ran this long has earned the short pause again. */
const forgivenMs = 60_000;

/** Resolves with the exit code when the daemon is to stay down. `onStart` hears of each daemon, `env` is its environment. */
export async function keepRunning(command, args, env, onStart = () => {}) {
  const state = { child: undefined, stopping: undefined, wake: undefined };
  const pass = (signal) => {
    state.stopping = signal;
    state.child?.kill(signal);
    state.wake?.();
  };
  const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'];
  for (const signal of signals) process.on(signal, pass);
  try {
    return await loop(state, command, args, env, onStart);
  } finally {
    for (const signal of signals) process.off(signal, pass);
  }
}

async function loop(state, command, args, env, onStart) {
  let pause = pauseMs.first;
  for (;;) {
    const startedAt = performance.now();
    const { code, signal } = await once(state, command, args, env, onStart);
    if (state.stopping || (code !== escalated && signal === null)) return code ?? 143;
    if (performance.now() - startedAt > forgivenMs) pause = pauseMs.first;
    say(`hivemind-node ended (${signal ?? `exit ${code}`}); a new one starts in ${pause / 1000} s`);
    await new Promise((resolve) => {
      const timer = setTimeout(resolve, pause);
      state.wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
    state.wake = undefined;
    if (state.stopping) return 0;
    pause = Math.min(pause * 2, pauseMs.last);
  }
}

function once(state, command, args, env, onStart) {
  return new Promise((resolve) => {
    // A group of its own: a Ctrl-C of the terminal reaches it once, through us.
    const child = spawn(command, args, { stdio: ['ignore', 'inherit', 'inherit'], detached: true, env });
    state.child = child;
    child.once('error', (error) => {
      say(`${command}: ${error.message}`);
      resolve({ code: 1, signal: null });
    });
    child.once('exit', (code, signal) => resolve({ code, signal }));
    onStart(child);
  });
}
