/** From flags and variables to a client. */
import type { CliProcess, CommonOptions } from '../cli.ts';
import { resolveAddress } from './address.ts';
import { ApiClient } from './client.ts';

export async function openClient(
  process: CliProcess,
  options: CommonOptions,
  onGap: (lines: number | undefined) => void,
): Promise<ApiClient> {
  return new ApiClient(await resolveAddress(process, options), onGap, process.clock);
}
