/**
 * The long kill loop: `npx tsx test/soak/store-kill.ts [kills] [seed]`, 1,000 kills unless told. Prints its report and
 * exits with 1 when something was lost.
 */
import { killLoop } from '../runtime/drivers/store/kill-loop.ts';

const [kills = '1000', seed = '1'] = process.argv.slice(2);
const report = await killLoop(Number(kills), Number(seed), (killed) =>
  console.error(`${killed} of ${kills}`),
);
console.log(JSON.stringify(report));
process.exitCode = report.failures.length === 0 ? 0 : 1;
