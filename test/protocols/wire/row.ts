/** A row of plain values, written value by value. */
import type { Writer } from '../../../protocols/wire/writer.ts';

export type Row = readonly (number | string | Uint8Array)[];

export function writeRow(writer: Writer, values: Row): Uint8Array {
  writer.array(values.length);
  for (const one of values) {
    if (typeof one === 'number') writer.natural(one);
    else if (typeof one === 'string') writer.text(one);
    else writer.byteString(one);
  }
  return writer.take();
}
