import type { RawRecord } from '../log/port.js';
import type { LogRecord } from '../model/log-record.js';

/** A record as the log holds it. The JSON's keys are the model's fields, so that storing may pass the bytes on. */
export function encodeRecord(record: LogRecord): RawRecord {
  return { type: record.type, data: Buffer.from(JSON.stringify(record.value)) };
}
