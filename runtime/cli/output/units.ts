/** Numbers as people read them: ages, durations, sizes, times, ports. */
import type { PortSpec } from '../../../protocols/apps/model.ts';

/** `42s`, `7m`, `3h`, `12d`. */
export function age(ms: number): string {
  const seconds = Math.max(0, Math.floor(ms / 1_000));
  if (seconds < 120) return `${seconds}s`;
  if (seconds < 7_200) return `${Math.floor(seconds / 60)}m`;
  if (seconds < 172_800) return `${Math.floor(seconds / 3_600)}h`;
  return `${Math.floor(seconds / 86_400)}d`;
}

/** `4.2s`, `1m05s`. */
export function elapsed(ms: number): string {
  if (ms < 60_000) return `${(ms / 1_000).toFixed(1)}s`;
  const seconds = Math.round(ms / 1_000);
  return `${Math.floor(seconds / 60)}m${String(seconds % 60).padStart(2, '0')}s`;
}

/** `512B`, `88.0MiB`. */
export function bytes(count: number): string {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];
  const step = Math.min(units.length - 1, count < 1 ? 0 : Math.floor(Math.log2(count) / 10));
  return step === 0 ? `${count}B` : `${(count / 1024 ** step).toFixed(1)}${units[step]}`;
}

/** `2026-11-23T12:03:09Z` */
export const timestamp = (at: number): string => `${new Date(at).toISOString().slice(0, 19)}Z`;

/** `12:03:09.114`, in UTC as every time that is shown. */
export const timeOfDay = (at: number): string => new Date(at).toISOString().slice(11, 23);

/** `8080→80`, `127.0.0.1:53→53/udp` */
export function port({ hostAddress, hostPort, containerPort, protocol }: PortSpec): string {
  const address = hostAddress === '0.0.0.0' ? '' : `${hostAddress}:`;
  return `${address}${hostPort}→${containerPort}${protocol === 'udp' ? '/udp' : ''}`;
}

export const ports = (list: readonly PortSpec[]): string =>
  list.length === 0 ? '-' : list.map(port).join(',');
