/**
 * Logs over a WebSocket, subprotocol `v1.logs.hivemind`: the lines of the NDJSON answer in binary frames, whose first
 * byte is the channel: 1 is whole lines, 3 the end or why there is none. A reader that is slow is waited for.
 */
import { WebSocket } from 'ws';
import { coded, reasonOf } from '../../protocols/errors.ts';
import type { Clock } from '../../protocols/ports.ts';
import type { LogLine } from '../node-handle.ts';
import { channel, frame, keepAsking } from './exec.ts';
import { ndjson, streamOf, type LineSource } from './lines.ts';

export const logsProtocol = 'v1.logs.hivemind';

/** To the end of the lines, or of the connection. */
export async function serveLogs(socket: WebSocket, source: LineSource<LogLine>, clock: Clock): Promise<void> {
  const reader = streamOf(source, ndjson, () => undefined).getReader();
  const leave = (): void => void reader.cancel().catch(() => undefined);
  // After an error ws closes it by itself, with the code that says why.
  for (const end of ['close', 'error']) socket.on(end, leave);
  socket.on('message', () => {
    tell(socket, { reason: coded('HM-API-REQUEST', 'Logs are read: nothing is sent to them').reason });
    socket.close(1008);
  });
  keepAsking(socket, clock);
  try {
    for (let piece = await reader.read(); !piece.done; piece = await reader.read())
      if (!(await sent(socket, frame(channel.stdout, piece.value)))) return;
    tell(socket, { end: true });
  } catch (thrown) {
    tell(socket, { reason: reasonOf(thrown) });
  }
  socket.close(1000);
}

/** Once the network has taken it; `false` when nobody is there any more. */
function sent(socket: WebSocket, bytes: Buffer): Promise<boolean> {
  if (socket.readyState !== WebSocket.OPEN) return Promise.resolve(false);
  return new Promise((resolve) => socket.send(bytes, (error) => resolve(!error)));
}

function tell(socket: WebSocket, status: object): void {
  if (socket.readyState === WebSocket.OPEN) socket.send(frame(channel.status, JSON.stringify(status)));
}
