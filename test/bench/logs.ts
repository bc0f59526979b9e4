/**
 * `logs -f` of a container that says more than can be read, on the bundles: process → shim → file → daemon → API →
 * tool. Every line bears its number, so that one that is missing or comes twice is seen; the daemon's memory before,
 * at its most and after.
 */
import { readFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { startDaemon } from '../kit/node/daemon.ts';
import { followLogs } from '../kit/node/following.ts';
import { importBusybox } from '../kit/node/images.ts';
import { until } from '../kit/until.ts';

export interface LogFigures {
  readonly sent: number;
  readonly received: number;
  readonly perSecond: number;
  readonly rssBeforeMb: number;
  readonly rssMostMb: number;
  readonly rssAfterMb: number;
}

/** With its words 38 MB: within what is kept, so that a reader who is slower loses nothing and may fall behind at will. */
const sent = 500_000;
/** A usual length of a line: the number and 70 characters of text. Said as fast as they can be; the last tells that all was said. */
const words = 'x'.repeat(70);
const script = `sleep 5; busybox seq 1 ${sent} | busybox sed "s/$$/ ${words}/"; echo end; sleep 1000`;

export async function measureLogs(): Promise<LogFigures> {
  const daemon = await startDaemon();
  try {
    await importBusybox(daemon);
    const file = join(daemon.dir, 'loud.yaml');
    const command = JSON.stringify(['sh', '-c', script]);
    await writeFile(file, `services:\n  web:\n    image: busybox\n    command: ${command}\n`);
    const { code, stderr } = await daemon.cli('deploy', '-f', file, '-p', 'loud');
    if (code !== 0) throw new Error(stderr);
    let received = 0;
    let [from, to] = [0, 0];
    let wrong = '';
    const following = followLogs(daemon.socketPath, ['loud/web', '-n', '0'], (text) => {
      if (text === 'end') to = performance.now();
      else if (Number.parseInt(text, 10) === received + 1) received += 1;
      else wrong ||= `${text} behind ${received}`;
      if (from === 0) from = performance.now();
    });
    const rssBeforeMb = rss(daemon.pid);
    let rssMostMb = rssBeforeMb;
    await until(
      'all was said',
      () => {
        rssMostMb = Math.max(rssMostMb, rss(daemon.pid));
        return to > 0 || wrong !== '';
      },
      120_000,
    );
    if (wrong !== '') throw new Error(wrong);
    await following.stop();
    const rssAfterMb = rss(daemon.pid);
    const perSecond = received / ((to - from) / 1_000);
    return { sent, received, perSecond, rssBeforeMb, rssMostMb, rssAfterMb };
  } finally {
    await daemon.end();
  }
}

const rss = (pid: number): number =>
  Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]) / 1_024;
