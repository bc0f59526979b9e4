/**
 * From a failed call of containerd to a coded reason. The texts are runc's and containerd's own: they are
 * matched only where the gRPC status says nothing (runc's errors all arrive as UNKNOWN).
 */
import { status } from '@grpc/grpc-js';
import { coded, CodedError, type ErrorCode, type Reason } from '../../../../protocols/errors.ts';
import { RpcFailure } from './rpc.ts';

const NO_SPACE = /no space left on device|disk quota exceeded/i;
const NO_COMMAND =
  /executable file not found|exec: ".*": (?:stat .*)?(?:no such file or directory|permission denied|is a directory)|exec .*: (?:no such file or directory|permission denied|exec format error|is a directory)|exec format error/i;
const NOT_EXECUTABLE = /permission denied|is a directory|exec format error/i;

/** True when the call failed with one of these gRPC statuses. */
export function failedWith(error: unknown, ...codes: readonly number[]): boolean {
  return error instanceof RpcFailure && codes.includes(error.code);
}

/** What containerd said; empty for anything but a failed call. */
export function failureText(error: unknown): string {
  return error instanceof RpcFailure ? error.detail : '';
}

/** The thing is not there, or the process has ended already. */
export function isGone(error: unknown): boolean {
  if (failedWith(error, status.NOT_FOUND)) return true;
  return (
    error instanceof RpcFailure &&
    /process already finished|process does not exist|no such process/.test(error.detail)
  );
}

/** 127 when runc found no such command, 126 when it may not be run, else undefined. */
export function commandFailure(error: unknown): 126 | 127 | undefined {
  if (!(error instanceof RpcFailure) || !NO_COMMAND.test(error.detail)) return undefined;
  return NOT_EXECUTABLE.test(error.detail) ? 126 : 127;
}

/**
 * What to throw instead: failed calls and file system errors become coded, with `otherwise` for what nothing
 * better is known about. Anything else is a defect and stays as it is.
 */
export function codedFailure(
  thrown: unknown,
  evidence: Reason['evidence'],
  otherwise: ErrorCode = 'HM-CONTAINER-CREATE',
): unknown {
  if (thrown instanceof CodedError) return thrown;
  if (!(thrown instanceof RpcFailure)) {
    const { code, syscall, message } = thrown as NodeJS.ErrnoException;
    if (syscall === undefined) return thrown;
    return coded(code === 'ENOSPC' ? 'HM-DISK-FULL' : otherwise, message, evidence);
  }
  const seen = { ...evidence, status: status[thrown.code] ?? thrown.code };
  if (NO_SPACE.test(thrown.detail)) return coded('HM-DISK-FULL', thrown.detail, seen);
  switch (thrown.code) {
    case status.UNAVAILABLE:
      return coded('HM-RUNTIME-DOWN', `containerd does not answer: ${thrown.detail}`, seen);
    case status.DEADLINE_EXCEEDED:
    case status.CANCELLED:
      return coded('HM-RUNTIME-TIMEOUT', `containerd took too long: ${thrown.detail}`, seen);
    default:
      if (commandFailure(thrown)) return coded('HM-CONTAINER-COMMAND', thrown.detail, seen);
      return coded(otherwise, thrown.detail, seen);
  }
}
