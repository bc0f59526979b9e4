/**
 * Tags of resources and the conditions that name them (RFC 9110 section 13). A tag is strong: it changes with every
 * byte of the answer. Where a resource shows what is wished beside what is observed, the tag has two halves,
 * `"wished.whole"`: `If-None-Match` compares the whole, `If-Match` only the wish, because a container that restarts
 * meanwhile is no reason to refuse a change.
 */
import { hash } from 'node:crypto';
import { coded } from '../../../protocols/errors.ts';
import { wishTag } from '../../../protocols/hash.ts';

/** Of a representation; `wished`: the part that a change must have seen. */
export function tagOf(text: string, wished?: unknown): string {
  const whole = hash('sha1', text, 'base64url');
  return wished === undefined ? `"${whole}"` : `"${wishTag(wished)}.${whole}"`;
}

const wishOf = (tag: string): string => tag.split('.')[0]!.replace(/^"|"$/g, '');

function tagsIn(header: string): readonly string[] {
  return header.split(',').map((tag) => tag.trim());
}

/** Does `If-None-Match` name the tag? Weakly compared, as the RFC has it. */
export function isKnown(header: string | undefined, tag: string): boolean {
  if (header === undefined) return false;
  const tags = tagsIn(header);
  return tags.includes('*') || tags.some((one) => one.replace(/^W\//, '') === tag);
}

/** What a command may compare once more: the wishes of `If-Match`, `-` for nothing yet; `undefined` without a condition. */
export function wishesOf(ifMatch: string | undefined, ifNoneMatch: string | undefined) {
  return wishesIn(ifMatch) ?? (ifNoneMatch?.trim() === '*' ? ['-'] : undefined);
}

/** The wishes that `If-Match` names, `*` among them when any will do; `undefined` without the header. */
function wishesIn(header: string | undefined): readonly string[] | undefined {
  if (header === undefined) return undefined;
  // A weak tag never matches.
  return tagsIn(header).flatMap((tag) => (tag.startsWith('W/') ? [] : [tag === '*' ? '*' : wishOf(tag)]));
}

export function isMatched(header: string | undefined, tag: string | undefined): boolean {
  const wishes = wishesIn(header);
  if (!wishes) return true;
  return tag !== undefined && (wishes.includes('*') || wishes.includes(wishOf(tag)));
}

/** HM-API-PRECONDITION, which carries the present tag. */
export function notMatched(tag: string | undefined): Error {
  return tag === undefined
    ? coded('HM-API-PRECONDITION', 'There is nothing of this name', {}, 'Leave If-Match out to make it.')
    : coded('HM-API-PRECONDITION', `The resource is ${tag} by now`, { etag: tag });
}

/** Before a change: If-Match names what is there, `If-None-Match: *` wants nothing there. */
export async function assertConditions(
  headers: { readonly ifMatch: string | undefined; readonly ifNoneMatch: string | undefined },
  current: (() => Promise<string | undefined>) | undefined,
): Promise<void> {
  const { ifMatch, ifNoneMatch } = headers;
  if (ifMatch === undefined && ifNoneMatch === undefined) return;
  if (ifNoneMatch !== undefined && ifNoneMatch.trim() !== '*')
    throw coded('HM-API-REQUEST', 'For a change If-None-Match may only be *', { at: 'header.if-none-match' });
  if (!current)
    throw coded(
      'HM-API-REQUEST',
      'What this request changes has no tag',
      { at: 'header.if-match' },
      'Leave the condition out.',
    );
  const tag = await current();
  if (ifNoneMatch !== undefined && tag !== undefined)
    throw coded('HM-API-PRECONDITION', `It is there already, as ${tag}`, { etag: tag });
  if (!isMatched(ifMatch, tag)) throw notMatched(tag);
}
