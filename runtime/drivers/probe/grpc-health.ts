/**
 * `grpc.health.v1.Health/Check`, without TLS: SERVING has passed. Both messages have one field, so they are written
 * and read by hand.
 */
import { BinaryReader, BinaryWriter, WireType } from '@bufbuild/protobuf/wire';
import { Client, credentials, Metadata, status } from '@grpc/grpc-js';
import type { NetworkProbe, ProbeResult } from '../../../protocols/health/model.ts';

type GrpcProbe = Extract<NetworkProbe, { type: 'grpc' }>;

const method = '/grpc.health.v1.Health/Check';
const names = ['UNKNOWN', 'SERVING', 'NOT_SERVING', 'SERVICE_UNKNOWN'];
const serving = 1;

export function askGrpc(host: string, probe: GrpcProbe, signal: AbortSignal): Promise<ProbeResult> {
  const client = new Client(`ipv4:${host}:${probe.port}`, credentials.createInsecure(), {
    // A connection of its own, straight there, and gone with the answer.
    'grpc.use_local_subchannel_pool': 1,
    'grpc.enable_http_proxy': 0,
    'grpc.enable_retries': 0,
    'grpc.enable_channelz': 0,
    'grpc.max_receive_message_length': 4_096,
  });
  return new Promise((resolve) => {
    const settle = (result: ProbeResult) => {
      signal.removeEventListener('abort', abandoned);
      client.close();
      resolve(result);
    };
    const call = client.makeUnaryRequest(
      method,
      requestBytes,
      servingStatus,
      probe.service ?? '',
      new Metadata(),
      (error, answer) => {
        if (error) return settle({ passed: false, output: `${status[error.code]}: ${error.details}` });
        settle({ passed: answer === serving, output: names[answer ?? 0] ?? `status ${answer}` });
      },
    );
    const abandoned = () => {
      call.cancel();
      settle({ passed: false, output: 'no answer in time' });
    };
    signal.addEventListener('abort', abandoned);
  });
}

function requestBytes(service: string): Buffer {
  const writer = new BinaryWriter();
  if (service !== '') writer.tag(1, WireType.LengthDelimited).string(service);
  return Buffer.from(writer.finish());
}

function servingStatus(bytes: Uint8Array): number {
  const reader = new BinaryReader(bytes);
  let found = 0;
  while (reader.pos < reader.len) {
    const [field, type] = reader.tag();
    if (field === 1 && type === WireType.Varint) found = reader.int32();
    else reader.skip(type);
  }
  return found;
}
