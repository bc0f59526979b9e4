/** One GET. The status decides; of the body only so much is read as is worth showing. */
import { request as httpRequest, type ClientRequest, type IncomingMessage } from 'node:http';
import type { RequestOptions } from 'node:https';
import type { NetworkProbe, ProbeResult } from '../../../protocols/health/model.ts';
import { limits } from '../../../protocols/limits.ts';

type HttpProbe = Extract<NetworkProbe, { type: 'http' }>;

export async function askHttp(host: string, probe: HttpProbe, signal: AbortSignal): Promise<ProbeResult> {
  const options: RequestOptions = {
    ...{ host, port: probe.port, path: probe.path, method: 'GET', agent: false, signal },
    // A body that never ends is not waited for, headers without end are refused.
    maxHeaderSize: 16_384,
    headers: {
      'user-agent': 'hivemind-probe',
      ...(probe.host ? { host: probe.host } : {}),
      ...probe.headers,
    },
  };
  const send = probe.scheme === 'https' ? await httpsRequest() : httpRequest;
  const name = probe.host === undefined ? {} : { servername: probe.host.replace(/:\d+$/, '') };
  return exchange(() => send({ ...options, ...name, rejectUnauthorized: false }), probe);
}

/** Few services are probed over TLS: it is loaded with the first of them. */
const httpsRequest = async () => (await import('node:https')).request;

function exchange(open: () => ClientRequest, probe: HttpProbe): Promise<ProbeResult> {
  return new Promise((resolve) => {
    const failed = (error: Error) =>
      resolve({ passed: false, output: error.name === 'AbortError' ? 'no answer in time' : error.message });
    let request: ClientRequest;
    try {
      request = open();
    } catch (error) {
      // A header or a path that HTTP does not allow.
      return failed(error as Error);
    }
    request.on('error', failed);
    request.on('response', (response) => {
      const status = response.statusCode ?? 0;
      const passed = probe.statuses ? probe.statuses.includes(status) : status >= 200 && status < 400;
      if (passed) {
        resolve({ passed, output: `${status}` });
        return void request.destroy();
      }
      // What it says about its trouble, without waiting for an end of it.
      readSome(response, (text) => {
        resolve({ passed, output: `answered ${status}${text ? `: ${text}` : ''}` });
        request.destroy();
      });
    });
    request.end();
  });
}

function readSome(response: IncomingMessage, then: (text: string) => void): void {
  const chunks: Buffer[] = [];
  let room: number = limits.probeBodyBytes;
  const done = () => then(Buffer.concat(chunks).toString('utf8').trim());
  response.on('data', (chunk: Buffer) => {
    chunks.push(chunk.subarray(0, Math.max(0, room)));
    room -= chunk.length;
    if (room <= 0) done();
  });
  response.once('end', done);
  response.once('error', done);
  response.once('close', done);
}
