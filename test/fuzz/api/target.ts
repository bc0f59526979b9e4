/**
 * The API in front of a real node over scripted containers, asked on real connections: every answer is a success or a
 * problem with a code, nothing crashes, no actor either, and memory stays bounded.
 */
import { catalogue } from '../../../protocols/errors.ts';
import { seededRandom } from '../../../runtime/world/seeded-random.ts';
import { problemView } from '../../../runtime/api/schemas/views.ts';
import { apiRig, app, service, type ApiRig } from '../../runtime/api/rig.ts';
import { atEnd, type Outcome } from '../target.ts';
import { askRaw, type RawAnswer } from './ask.ts';
import { mutatedRequest } from './mutate.ts';

const heapBytes = 1_073_741_824;
/** Apps that mutated bodies deployed are removed now and then. */
const tidyEvery = 1_000;

let opened: Promise<ApiRig> | undefined;
let loose: string | undefined;
let crashes = 0;

async function open(): Promise<ApiRig> {
  const rig = await apiRig();
  atEnd(async () => {
    opened = undefined;
    await rig.end();
  });
  await rig.deploy(app('shop', service('web', { replicas: 2 })));
  for (const event of ['uncaughtException', 'unhandledRejection'] as const)
    process.on(
      event,
      (thrown: unknown) => (loose ??= thrown instanceof Error ? thrown.stack : String(thrown)),
    );
  return rig;
}

export async function fuzzApi(seed: number): Promise<Outcome> {
  const rig = await (opened ??= open());
  if (seed % tidyEvery === 0) await tidy(rig);
  const pieces = mutatedRequest(seededRandom(seed));
  const answer = await askRaw(rig.api.socketPath, pieces);
  const outcome = judged(answer);
  const shown = (finding: string): Outcome => ({
    outcome: 'a finding',
    finding: `${finding} ← ${JSON.stringify(Buffer.concat(pieces).toString('latin1').slice(0, 300))}`,
  });
  if (loose !== undefined) {
    const finding = loose;
    loose = undefined;
    return shown(`thrown and not caught: ${finding}`);
  }
  const { crashes: now } = rig.node.actors.counters();
  if (now > crashes) {
    crashes = now;
    return shown('an actor crashed');
  }
  const { heapUsed } = process.memoryUsage();
  if (heapUsed > heapBytes) return shown(`${Math.round(heapUsed / 1_048_576)} MB of heap`);
  return outcome.finding === undefined ? outcome : shown(outcome.finding);
}

function judged(answer: RawAnswer | 'silence' | undefined): Outcome {
  if (answer === 'silence') return { outcome: 'silence', finding: 'no answer' };
  // Bytes that end before they are a request have none to answer.
  if (answer === undefined) return { outcome: 'closed' };
  const { status, head, body } = answer;
  if (status < 400 && status > 0) return { outcome: String(status) };
  // HEAD has no body.
  if (body === '' && /^content-type: application\/problem\+json/im.test(head))
    return { outcome: `${status} without a body` };
  try {
    const { code, detail, hint } = problemView.parse(JSON.parse(body));
    if (code === 'HM-INTERNAL' || !Object.hasOwn(catalogue, code))
      return { outcome: code, finding: `${status} ${detail}` };
    if (hint === '' || detail.length > 20_000)
      return { outcome: code, finding: `a strange detail: ${detail.slice(0, 200)}` };
    return { outcome: code };
  } catch {
    return {
      outcome: 'no problem',
      finding: `${status} without a code: ${head.slice(0, 200)} ${body.slice(0, 200)}`,
    };
  }
}

async function tidy(rig: ApiRig): Promise<void> {
  const { json } = await rig.ask('GET', '/v1/apps');
  for (const { name } of (json as { apps: { name: string }[] }).apps)
    if (name !== 'shop') await rig.ask('DELETE', `/v1/apps/${name}?volumes=true`);
  await rig.ask('PUT', '/v1/apps/shop', {
    body: JSON.stringify({ spec: app('shop', service('web', { replicas: 2 })) }),
    headers: { 'content-type': 'application/json' },
  });
}
