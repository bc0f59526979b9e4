/**
 * How loading asks for files: it is a generator that yields what it wants to read and is given the answer, so that
 * everything but the reading itself is decided here and runs in a test without a disk. `runtime/compose` answers.
 */
import type { Reason } from '../../../errors.ts';
import type { ComposeNode } from '../document.ts';

/** `file` is what messages call it. Paths are absolute, but for `-`: standard input. */
export type FileRequest =
  | { readonly want: 'tree'; readonly path: string; readonly file: string }
  | { readonly want: 'bytes'; readonly path: string; readonly most: number }
  /** The first of these names that is a file in the directory, or in one above it; several of one directory are all told. */
  | {
      readonly want: 'search';
      readonly directory: string;
      readonly names: readonly string[];
      readonly upwards: boolean;
    };

export type FileAnswer =
  | { readonly root: ComposeNode }
  | { readonly problems: readonly Reason[] }
  | { readonly bytes: Uint8Array }
  | { readonly found: readonly string[] }
  /** `absent`: there is no such file, which may be no trouble. */
  | { readonly failed: Reason; readonly absent: boolean };

export type Loading<Result> = Generator<FileRequest, Result, FileAnswer>;

/** What a file held that the model takes in whole, or why it cannot be read: told when something uses it. */
export type FileContent = { readonly bytes: Uint8Array } | { readonly failed: Reason };
