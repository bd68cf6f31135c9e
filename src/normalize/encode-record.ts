import type { RawRecord } from '../log/port.js';
import type { LogRecord } from '../model/log-record.js';
import { recordKey } from '../model/record-key.js';

/**
 * A record as the log holds it. The JSON's keys are the model's fields, so that storing may pass the bytes on. Its key
 * brings it to the partition of what it is about.
 */
export function encodeRecord(record: LogRecord): RawRecord {
  const data = Buffer.from(JSON.stringify(record.value));
  const key = recordKey(record);
  return key === undefined ? { type: record.type, data } : { type: record.type, data, key };
}
