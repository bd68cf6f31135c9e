import { EXPORT_RESPONSE, RPC_STATUS } from './definitions.js';
import type { OtlpSignal } from './model.js';

const REJECTED: Record<OtlpSignal, string> = {
  traces: 'rejectedSpans',
  logs: 'rejectedLogRecords',
  metrics: 'rejectedDataPoints',
};
const MAX_MESSAGE_CHARS = 512;

/**
 * The answer to an export that was taken in, in the encoding of the request: empty, or a partial success, after which a
 * client must not send again (OTLP 1.11.0, "Partial Success").
 */
export function exportAnswer(
  signal: OtlpSignal,
  encoding: 'protobuf' | 'json',
  { rejected, message }: { rejected: number; message: string },
): Uint8Array {
  const errorMessage = message.slice(0, MAX_MESSAGE_CHARS);
  if (encoding === 'protobuf') {
    const body = rejected === 0 ? {} : { partialSuccess: { rejected, errorMessage } };
    return EXPORT_RESPONSE.encode(EXPORT_RESPONSE.fromObject(body)).finish();
  }
  // 64-bit numbers are text in the JSON mapping.
  const body = rejected === 0 ? {} : { partialSuccess: { [REJECTED[signal]]: String(rejected), errorMessage } };
  return Buffer.from(JSON.stringify(body));
}

/** An error as `google.rpc.Status`, in the encoding of the request. @param code of google.rpc.Code */
export function errorAnswer(encoding: 'protobuf' | 'json', code: number, message: string): Uint8Array {
  const body = { code, message: message.slice(0, MAX_MESSAGE_CHARS) };
  if (encoding === 'json') return Buffer.from(JSON.stringify(body));
  return RPC_STATUS.encode(RPC_STATUS.fromObject(body)).finish();
}
