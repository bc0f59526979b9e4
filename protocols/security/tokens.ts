/** Named tokens of the API as values: what is kept of one, and whether it still holds. The token itself is kept nowhere. */

/** What a token allows: each holds the one before. */
export type Scope = 'read' | 'write' | 'admin';

/** In the store under `keys.token(name)`. */
export interface TokenRecord {
  readonly name: string;
  readonly scope: Scope;
  /** SHA-256 of the token, hexadecimal: with 256 bits of chance in it there is nothing to guess. */
  readonly hash: string;
  /** ms since 1970. */
  readonly createdAt: number;
  readonly expiresAt?: number;
}

/** What may be shown of one. */
export type TokenView = Omit<TokenRecord, 'hash'> & { readonly expired: boolean };

export function isExpired({ expiresAt }: Pick<TokenRecord, 'expiresAt'>, now: number): boolean {
  return expiresAt !== undefined && expiresAt <= now;
}

export function tokenView(record: TokenRecord, now: number): TokenView {
  const { hash: _, ...shown } = record;
  return { ...shown, expired: isExpired(record, now) };
}
