/** What the observed actor is asked: by other nodes for records, by this one's API for all it knows. */
import type { Decision } from '../../effects.ts';
import { reason } from '../../errors.ts';
import { at, digestsOf } from '../book.ts';
import { digestOf } from '../digest.ts';
import { reportOf } from '../report.ts';
import { answerCompare, answerPull, unpackRequest } from '../wire.ts';
import type { ObservedValue } from './value.ts';

type Value = ObservedValue;

const give = (value: Value, event: { body: unknown; replyTo?: string }): Decision<Value> => {
  const request = unpackRequest(event.body);
  return answered(value, event.replyTo, request && answerPull(at(value.held, request.id), request));
};

const say = (value: Value, event: { body: unknown; replyTo?: string }): Decision<Value> => {
  const own = at(value.held, value.self);
  const digest = own && digestOf(value.self, own);
  return answered(value, event.replyTo, answerCompare(digest, digestsOf(value), event.body));
};

const report = (value: Value, event: { replyTo?: string }): Decision<Value> =>
  answered(value, event.replyTo, reportOf(value));

function answered(value: Value, to: string | undefined, answer: unknown): Decision<Value> {
  if (to === undefined) return [value, []];
  if (answer !== undefined) return [value, [{ do: 'reply', to, value: answer }]];
  return [value, [{ do: 'reply', to, error: reason('HM-PEER-MESSAGE', 'The question is not in form') }]];
}

export const answerSteps = { give, say, report };
