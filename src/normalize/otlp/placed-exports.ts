import type { IncomingRecord, Intake, OtlpEncoding, OtlpSignal } from '../../api/port.js';
import type { Principal } from '../../model/principal.js';
import type { RecordPlace } from '../../model/record-place.js';
import type { RefusedRecord } from '../../model/wire.js';
import { OtlpError, type OtlpBatch, type OtlpLimits } from './decode.js';
import type { OtlpIntake } from './otlp-intake.js';
import { readExport } from './receiver.js';

const RAW_BYTES = 2_048;

/** An export that lies somewhere, such as the OpenTelemetry Collector's in a topic. */
export interface PlacedExport {
  signal: OtlpSignal;
  encoding: OtlpEncoding;
  body: Buffer;
  place: RecordPlace;
}

/**
 * Takes several exports in at once, so that they wait together for what says whose their records are. One that cannot be
 * read is refused as a whole. Ids come from the records: the Collector may write an export twice, at two places.
 *
 * @param through what they are handed on to
 */
export async function acceptExports(
  otlp: OtlpIntake,
  exports: readonly PlacedExport[],
  { principal, limits, through }: { principal: Principal; limits: OtlpLimits; through: Intake },
): Promise<void> {
  const merged: OtlpBatch = { records: [], refused: [] };
  /** By index in the merged batch. */
  const places: (RecordPlace | undefined)[] = [];
  for (const { signal, encoding, body, place } of exports) {
    const first = places.length;
    let batch: OtlpBatch;
    try {
      batch = readExport(signal, encoding, body, limits);
    } catch (error) {
      if (!(error instanceof OtlpError)) throw error;
      const raw = encoding === 'json' ? body.toString('utf8', 0, RAW_BYTES) : body.toString('hex', 0, RAW_BYTES);
      batch = { records: [], refused: [{ index: 0, field: '', reason: error.message, raw }] };
    }
    const move = <T extends { index: number }>(one: T): T => {
      const index = first + one.index;
      places[index] = place;
      return { ...one, index };
    };
    for (const one of batch.records) merged.records.push(move(one));
    for (const one of batch.refused) merged.refused.push(move(one));
  }
  const placed = <T extends { index: number }>(one: T): T & { place?: RecordPlace } => {
    const place = places[one.index];
    return place === undefined ? one : { ...one, place };
  };
  await otlp.accept(merged, principal, {
    accept: (records: readonly IncomingRecord[], refused: readonly RefusedRecord[], ...rest) =>
      through.accept(records.map(placed), refused.map(placed), ...rest),
  });
}
