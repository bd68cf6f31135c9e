import { isUtf8 } from 'node:buffer';
import type { LogRecord } from '../model/log-record.js';
import { SCHEMA_VERSION } from '../model/observation.js';
import { LogDamagedError } from './log-errors.js';
import type { LogEntry } from './port.js';
import { isRecordType } from './segment.js';

export { encodeRecord } from '../model/encode-record.js';

/**
 * The record that `encodeRecord` wrote.
 *
 * @throws LogDamagedError, naming position and type, when the type or the shape's version is unknown or the text is
 *   not JSON
 */
export function decodeRecord(entry: LogEntry): LogRecord {
  const { position, type } = entry;
  if (!isRecordType(type)) {
    throw new LogDamagedError(position, `unknown type ${JSON.stringify(type)}; was it written by a newer version?`);
  }
  const value = parse(entry);
  if (typeof value !== 'object' || value === null) {
    throw new LogDamagedError(position, `a record of type ${type} must hold an object.`);
  }
  if (type === 'observation' && (!('schemaVersion' in value) || value.schemaVersion !== SCHEMA_VERSION)) {
    throw new LogDamagedError(position, `an observation of another version than ${SCHEMA_VERSION}.`);
  }
  // Only encodeRecord writes the log, and it was given the value of exactly this type; parsing every field again
  // would cost more than scoring it.
  return { type, value } as LogRecord;
}

function parse({ position, type, data }: LogEntry): unknown {
  if (!isUtf8(data)) throw new LogDamagedError(position, `a record of type ${type} is not valid UTF-8.`);
  const bytes = Buffer.isBuffer(data) ? data : Buffer.from(data.buffer, data.byteOffset, data.byteLength);
  try {
    return JSON.parse(bytes.toString('utf8'));
  } catch (cause) {
    throw new LogDamagedError(position, `a record of type ${type} is not valid JSON.`, { cause });
  }
}
