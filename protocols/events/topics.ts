/**
 * Topics of the event stream: `slot`, `slot:shop/*`, `node.started`. Before the colon a type or its first word, behind
 * it what the event is about, `*` for any text. An event is of interest when one of the topics fits.
 */
import type { NodeEvent } from '../effects.ts';
import { coded } from '../errors.ts';
import { limits } from '../limits.ts';
import { isLike } from '../listing/pattern.ts';

export type EventTest = (event: Pick<NodeEvent, 'type' | 'subject'>) => boolean;

/** Topics side by side, commas between; HM-API-REQUEST on a text that is none. */
export function parseTopics(text: string): EventTest {
  const topics = text.split(',').map((topic) => topicOf(topic.trim()));
  if (topics.length > limits.apiTopics) throw wrong(`at most ${limits.apiTopics} topics`);
  return (event) => topics.some((fits) => fits(event));
}

const wrong = (message: string): Error =>
  coded('HM-API-REQUEST', message, { at: 'query.topic' }, 'As in: slot, slot:shop/*, node.started');

function topicOf(topic: string): EventTest {
  const parts = /^([a-z-]+(?:\.[a-z-]+)*|\*)(?::(.+))?$/.exec(topic);
  if (!parts) throw wrong(`"${topic}" is no topic`);
  const [, kind = '*', subject = '*'] = parts;
  return (event) =>
    (kind === '*' || event.type === kind || event.type.startsWith(`${kind}.`)) &&
    isLike(event.subject, subject);
}
