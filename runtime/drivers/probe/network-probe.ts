/**
 * The probe port over sockets: one connection a question, closed with its answer, and nothing kept in between. What
 * is asked lives at the container's own address; its certificate is not judged, and a redirect is an answer.
 */
import { connect } from 'node:net';
import type { NetworkProbe, ProbeResult } from '../../../protocols/health/model.ts';
import { limits } from '../../../protocols/limits.ts';
import type { Probe } from '../../../protocols/ports.ts';
import { askGrpc } from './grpc-health.ts';
import { askHttp } from './http-probe.ts';

/** Resolves in every case: a probe that nobody waits for any more has not passed. */
export const networkProbe: Probe = {
  probe: async ({ address, action }, { signal }) => {
    const { passed, output } = await ask(address, action, signal);
    return { passed, output: output.slice(0, limits.execOutputBytes) };
  },
};

function ask(address: string, action: NetworkProbe, signal: AbortSignal): Promise<ProbeResult> {
  if (signal.aborted) return Promise.resolve(overdue);
  switch (action.type) {
    case 'tcp':
      return askTcp(address, action.port, signal);
    case 'http':
      return askHttp(address, action, signal);
    case 'grpc':
      return askGrpc(address, action, signal);
  }
}

const overdue: ProbeResult = { passed: false, output: 'no answer in time' };

/** A connection that is made has passed; it is reset at once, so that it leaves nothing behind. */
function askTcp(host: string, port: number, signal: AbortSignal): Promise<ProbeResult> {
  return new Promise((resolve) => {
    const socket = connect({ host, port });
    const settle = (result: ProbeResult) => {
      signal.removeEventListener('abort', abandoned);
      socket.resetAndDestroy();
      resolve(result);
    };
    const abandoned = () => settle(overdue);
    signal.addEventListener('abort', abandoned);
    socket.once('connect', () => settle({ passed: true, output: '' }));
    // Stays: a reset that crosses ours must not be nobody's.
    socket.on('error', (error) => settle({ passed: false, output: error.message }));
  });
}
