import type { OffsetGap, PoisonBatch, ReceivedRecord } from '../kafka/port.js';
import { fromKafka } from '../kafka/record-codec.js';
import type { Clock } from '../lib/clock.js';
import { stableId } from '../lib/hash.js';
import { createHash } from 'node:crypto';
import type { LogEntry, RawRecord } from '../log/port.js';
import { decodeRecord, encodeRecord } from '../log/record-codec.js';
import type { DeadLetter } from '../model/log-record.js';
import type { SharedDetectors } from './shared-detectors.js';

/** Whose trouble it is when the log itself is damaged: no agent's and no emitter's. */
const LOG_EMITTER = 'parallax-log';
const TENANT = 'default';

/** Records of the log with their positions. What is none of ours stands there as a dead letter. */
export async function logEntries(
  records: readonly ReceivedRecord[],
  detectors: Pick<SharedDetectors, 'await'>,
  clock: Clock,
): Promise<LogEntry[]> {
  const entries: LogEntry[] = [];
  for (const record of records) {
    const position = record.offset + 1;
    const read = fromKafka(record);
    if ('poison' in read) {
      const bytes = record.value ?? new Uint8Array();
      const hash = createHash('sha256').update(bytes).digest('hex');
      entries.push({ position, ...deadLetter({ place: String(record.offset), reason: read.poison, hash }, clock) });
      continue;
    }
    const entry: LogEntry = { position, type: read.type, data: read.data };
    // Its text comes another way, and must be here before scoring looks for it.
    if (read.type === 'activation') await awaitDetectors(entry, detectors);
    entries.push(entry);
  }
  return entries;
}

/** What stands in the log for bytes that cannot be read: one dead letter at their end. */
export function unreadable(poison: PoisonBatch, clock: Clock): LogEntry[] {
  const { offset, lastOffset, cause, hash } = poison;
  const place = offset === lastOffset ? `${offset}` : `${offset} to ${lastOffset}`;
  return [{ position: lastOffset + 1, ...deadLetter({ place, reason: cause, hash }, clock) }];
}

/** The record from which an incident says that a part of the log was never scored. */
export function lostRecords({ topic, partition, expected, found }: OffsetGap, clock: Clock): RawRecord {
  const time = clock.now();
  const lost = Math.max(0, found - expected);
  return encodeRecord({
    type: 'source-trouble',
    value: {
      id: stableId('trouble', topic, partition, expected, found),
      time,
      tenant: TENANT,
      principalId: LOG_EMITTER,
      kind: 'gap',
      since: time,
      count: lost,
      detail:
        found < expected
          ? `${topic}/${partition}: the log ends at ${found}, before offset ${expected} that was read already; topics were made anew, or brokers lost data`
          : `${topic}/${partition}: ${lost} records from offset ${expected} on were gone before they were scored; nobody watched what they told`,
    },
  });
}

function deadLetter({ place, reason, hash }: { place: string; reason: string; hash: string }, clock: Clock): RawRecord {
  const value: DeadLetter = {
    id: stableId('dead', LOG_EMITTER, place, hash),
    time: clock.now(),
    tenant: TENANT,
    principalId: LOG_EMITTER,
    field: '',
    reason: `offset ${place}: ${reason}`,
    hash,
    excerpt: '',
  };
  return encodeRecord({ type: 'dead-letter', value });
}

async function awaitDetectors(entry: LogEntry, detectors: Pick<SharedDetectors, 'await'>): Promise<void> {
  try {
    const record = decodeRecord(entry);
    if (record.type === 'activation' && record.value.what === 'detectors') await detectors.await(record.value.value);
  } catch {
    // Scoring counts it among what cannot be read.
  }
}
