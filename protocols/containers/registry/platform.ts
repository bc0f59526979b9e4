/** Which manifest of an index fits a platform. Pure. */

export interface Platform {
  readonly os: string;
  readonly architecture: string;
  readonly variant?: string | undefined;
}

/** `linux/arm64/v8` */
export function platformText({ os, architecture, variant }: Platform): string {
  return variant === undefined || variant === ''
    ? `${os}/${architecture}`
    : `${os}/${architecture}/${variant}`;
}

/** What machines call themselves and what images are called. `undefined`: not of the form OS/ARCHITECTURE[/VARIANT]. */
export function parsePlatform(text: string): Platform | undefined {
  const match = /^([a-z0-9_.-]+)\/([a-z0-9_.-]+)(?:\/([a-z0-9_.-]+))?$/.exec(text.toLowerCase());
  if (!match) return undefined;
  const [, os = '', architecture = '', variant] = match;
  const known = { x86_64: 'amd64', aarch64: 'arm64', armhf: 'arm' }[architecture] ?? architecture;
  return { os, architecture: known, ...(variant === undefined ? {} : { variant }) };
}

/**
 * The best entry: same system and architecture; of variants the wanted one, else the newest that such a machine also
 * runs. Entries without a platform fit only when there is nothing better.
 */
export function choosePlatform<Entry extends { readonly platform?: Platform | undefined }>(
  entries: readonly Entry[],
  wanted: Platform,
): Entry | undefined {
  let best: Entry | undefined;
  let bestScore = 0;
  for (const entry of entries) {
    const score = fitness(entry.platform, wanted);
    if (score > bestScore) [best, bestScore] = [entry, score];
  }
  return best;
}

const usual: Readonly<Record<string, string>> = { arm64: 'v8', arm: 'v7', amd64: 'v1' };

function fitness(offered: Platform | undefined, wanted: Platform): number {
  if (!offered) return 1;
  if (offered.os !== wanted.os || offered.architecture !== wanted.architecture) return 0;
  const variant = wanted.variant ?? usual[wanted.architecture] ?? '';
  const own = offered.variant ?? usual[offered.architecture] ?? '';
  if (own === variant) return 1_000;
  const [level, ownLevel] = [versionOf(variant), versionOf(own)];
  // An older variant runs on a newer machine, not the other way round.
  return level !== undefined && ownLevel !== undefined && ownLevel < level ? 10 + ownLevel : 0;
}

function versionOf(variant: string): number | undefined {
  const match = /^v(\d{1,2})$/.exec(variant);
  return match ? Number(match[1]) : undefined;
}
