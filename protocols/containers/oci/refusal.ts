/** A setting that this machine cannot honour: said, never dropped. */
import { coded, type CodedError } from '../../errors.ts';

/** HM-CONTAINER-SETTING. `key` as it is written in a Compose file. */
export function refusal(key: string, why: string): CodedError {
  return coded('HM-CONTAINER-SETTING', `${key}: ${why}`, { key });
}
