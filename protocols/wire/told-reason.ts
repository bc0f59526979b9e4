/** A refusal on its way between nodes: bounded, and also of use to a node that does not know its code. */
import { catalogue, reason, type ErrorCode, type Reason } from '../errors.ts';
import { isWellFormed } from './codec.ts';
import { Fields } from './fields.ts';

const most = { text: 2_048, entries: 32, key: 64, value: 512 } as const;

/** As plain values, shortened to what `reasonTold` takes. */
export function tellReason({ code, message, hint, evidence }: Reason): readonly unknown[] {
  const told: Record<string, string | number | boolean> = {};
  for (const [key, value] of Object.entries(evidence).slice(0, most.entries)) {
    if (key.length > most.key || key === '__proto__' || !isWellFormed(key)) continue;
    if (typeof value === 'string') told[key] = shortened(value, most.value);
    else if (typeof value === 'boolean' || Number.isFinite(value)) told[key] = value;
  }
  return [code, shortened(message, most.text), shortened(hint, most.text), told];
}

/** `undefined` when the value is none. A code of a newer version becomes HM-PEER-REFUSED, with its name in the message. */
export function reasonTold(value: unknown): Reason | undefined {
  const fields = Fields.of(value);
  const [code, message, hint] = [fields.text(most.key), fields.text(most.text, 0), fields.text(most.text, 0)];
  const evidence = evidenceTold(fields.rest());
  if (!fields.good() || !evidence) return undefined;
  if (!Object.hasOwn(catalogue, code))
    return reason('HM-PEER-REFUSED', `${code}: ${message}`, evidence, hint === '' ? undefined : hint);
  return { code: code as ErrorCode, message, hint, evidence };
}

function evidenceTold([value, ...more]: readonly unknown[]): Reason['evidence'] | undefined {
  if (typeof value !== 'object' || value === null || Array.isArray(value) || more.length > 0)
    return undefined;
  const entries = Object.entries(value);
  const good = entries.every(
    ([key, item]) =>
      key.length <= most.key &&
      (typeof item === 'number' ||
        typeof item === 'boolean' ||
        (typeof item === 'string' && item.length <= most.value)),
  );
  return good && entries.length <= most.entries ? (value as Reason['evidence']) : undefined;
}

function shortened(text: string, length: number): string {
  const cut = text.length <= length ? text : `${text.slice(0, length - 1)}…`;
  return isWellFormed(cut) ? cut : cut.replaceAll(/\p{Surrogate}/gu, '\uFFFD');
}
