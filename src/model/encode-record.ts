import type { LogRecord, LogRecordType } from './log-record.js';
import { recordKey } from './record-key.js';

/** A record as logs take it: JSON text in UTF-8, whose keys are the model's fields, so that storing may pass it on. */
export interface EncodedRecord {
  type: LogRecordType;
  data: Uint8Array;
  /** What it is about, where it says so itself; decides the partition where there are several. */
  key?: string;
}

export function encodeRecord(record: LogRecord): EncodedRecord {
  const data = Buffer.from(JSON.stringify(record.value));
  const key = recordKey(record);
  return key === undefined ? { type: record.type, data } : { type: record.type, data, key };
}
