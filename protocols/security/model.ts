/**
 * Secrets as the store holds them: metadata that anybody may read, and sealed bytes that only the node's secret box
 * opens. A value stands nowhere in here.
 */

/** Envelope encryption, AES-256-GCM: the value under a data key of its own, the data key under a key that is not in the store. Base64. */
export interface SealedValue {
  /** Which key-encryption key wraps the data key. */
  readonly keyId: string;
  /** Nonce, wrapped data key, tag. */
  readonly wrap: string;
  /** Nonce, value, tag. */
  readonly body: string;
}

/** What a sealed value is bound to, and where it stands: `sealed/<name>/<version>`. */
export interface SealedPlace {
  readonly name: string;
  readonly version: string;
}

export interface SecretVersion {
  /** From 1. */
  readonly version: number;
  /** Keyed: it says whether two values are equal and nothing else. */
  readonly digest: string;
  readonly sizeBytes: number;
  /** ms since 1970. */
  readonly createdAt: number;
}

/** Never empty; the last version is the present one. */
export interface SecretRecord {
  readonly name: string;
  readonly versions: readonly SecretVersion[];
}

/** What may be told of a secret. */
export interface SecretView {
  readonly name: string;
  readonly version: number;
  readonly versions: readonly {
    readonly version: number;
    readonly sizeBytes: number;
    readonly createdAt: number;
  }[];
  /** Services that hold it, as `shop/web`. */
  readonly usedBy: readonly string[];
}
