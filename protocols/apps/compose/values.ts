/** The small languages inside Compose values: durations, sizes, shell words, paths, signals. Text in, value or `undefined` out. */
import { parseIpv6 } from '../../network/ipv6.ts';

const durationUnits: Readonly<Record<string, number>> = {
  ns: 1e-6,
  us: 1e-3,
  µs: 1e-3,
  ms: 1,
  s: 1_000,
  m: 60_000,
  h: 3_600_000,
};

/** `1m30s`, `1.5h`, `0` → whole milliseconds. */
export function parseDuration(text: string): number | undefined {
  if (text === '0') return 0;
  if (!/^(\d+(\.\d+)?(ns|us|µs|ms|s|m|h))+$/.test(text) || text.length > 40) return undefined;
  let total = 0;
  for (const [, amount, , unit] of text.matchAll(/(\d+(\.\d+)?)(ns|us|µs|ms|s|m|h)/g)) {
    total += Number(amount) * durationUnits[unit!]!;
  }
  return total <= Number.MAX_SAFE_INTEGER ? Math.round(total) : undefined;
}

/** `64m`, `1gb`, `512k`, `1024` → bytes; units are powers of 1,024 as in Compose. */
export function parseBytes(text: string): number | undefined {
  const match = /^(\d+(?:\.\d+)?)\s*([kmgtp]?)i?b?$/i.exec(text);
  if (!match) return undefined;
  const bytes = Math.round(Number(match[1]) * 1024 ** ' kmgtp'.indexOf(match[2]!.toLowerCase() || ' '));
  return Number.isSafeInteger(bytes) ? bytes : undefined;
}

/** Octal, with or without `0` or `0o`. */
export const parseFileMode = (text: string): number | undefined =>
  /^(0o?)?[0-7]{3,4}$/.test(text) ? Number.parseInt(text.replace(/^0o?/, ''), 8) : undefined;

/** `1w2d`, `12h30m` → milliseconds: the units of `pull_policy: every_…`. */
export function parseSpan(text: string): number | undefined {
  if (!/^(\d{1,6}[wdhms])+$/.test(text) || text.length > 40) return undefined;
  const units: Readonly<Record<string, number>> = {
    w: 604_800_000,
    d: 86_400_000,
    h: 3_600_000,
    m: 60_000,
    s: 1_000,
  };
  let total = 0;
  for (const [, amount, unit] of text.matchAll(/(\d+)([wdhms])/g)) total += Number(amount) * units[unit!]!;
  return total;
}

export function toBase64(bytes: Uint8Array): string {
  let binary = '';
  for (const byte of bytes) binary += String.fromCharCode(byte);
  return btoa(binary);
}

/** A command line as a POSIX shell splits it, without expansions. `undefined`: a quote is left open. */
export function splitWords(line: string): string[] | undefined {
  const words: string[] = [];
  let word: string | undefined;
  for (let i = 0; i < line.length; i++) {
    const char = line[i]!;
    if (/\s/.test(char)) {
      if (word !== undefined) words.push(word);
      word = undefined;
    } else if (char === "'") {
      const end = line.indexOf("'", i + 1);
      if (end < 0) return undefined;
      word = (word ?? '') + line.slice(i + 1, end);
      i = end;
    } else if (char === '"') {
      const quoted = doubleQuoted(line, i + 1);
      if (!quoted) return undefined;
      word = (word ?? '') + quoted.text;
      i = quoted.end;
    } else if (char === '\\') {
      if (i + 1 === line.length) return undefined;
      i += 1;
      word = (word ?? '') + (line[i] === '\n' ? '' : line[i]);
    } else {
      word = (word ?? '') + char;
    }
  }
  if (word !== undefined) words.push(word);
  return words;
}

function doubleQuoted(line: string, start: number): { text: string; end: number } | undefined {
  let text = '';
  for (let i = start; i < line.length; i++) {
    if (line[i] === '"') return { text, end: i };
    if (line[i] === '\\' && '$`"\\\n'.includes(line[i + 1] ?? ' ')) {
      i += 1;
      text += line[i] === '\n' ? '' : line[i];
    } else text += line[i];
  }
  return undefined;
}

/** An absolute path without `.`, `..`, doubled or trailing slashes. `base` is absolute. */
export function resolvePath(base: string, path: string): string {
  const parts: string[] = [];
  for (const part of (path.startsWith('/') ? path : `${base}/${path}`).split('/')) {
    if (part === '..') parts.pop();
    else if (part !== '' && part !== '.') parts.push(part);
  }
  return `/${parts.join('/')}`;
}

const signals = new Set(
  (
    'HUP INT QUIT ILL TRAP ABRT BUS FPE KILL USR1 SEGV USR2 PIPE ALRM TERM STKFLT CHLD CONT STOP TSTP TTIN TTOU ' +
    'URG XCPU XFSZ VTALRM PROF WINCH IO PWR SYS RTMIN RTMAX'
  ).split(' '),
);

/** `SIGUSR1`, `usr1`, `SIGRTMIN+3`, `SIGRTMAX-3` → `SIGUSR1`, …, `SIGRTMIN+27`; `undefined` for what Linux does not have. */
export function parseSignal(text: string): string | undefined {
  const name = text.toUpperCase().replace(/^SIG/, '');
  if (signals.has(name)) return `SIG${name}`;
  const realTime = /^RT(MIN\+|MAX-)(\d{1,2})$/.exec(name);
  if (!realTime || Number(realTime[2]) > realTimeSignals) return undefined;
  const above = realTime[1] === 'MIN+' ? Number(realTime[2]) : realTimeSignals - Number(realTime[2]);
  return `SIGRTMIN+${above}`;
}

/** From SIGRTMIN to SIGRTMAX. */
const realTimeSignals = 30;

export const isIpv4 = (text: string): boolean =>
  /^\d{1,3}(\.\d{1,3}){3}$/.test(text) && text.split('.').every((part) => Number(part) <= 255);

/** Without a zone; an IPv4 tail is allowed. */
export const isIpv6 = (text: string): boolean => parseIpv6(text) !== undefined;

export const isIp = (text: string): boolean => isIpv4(text) || isIpv6(text);
