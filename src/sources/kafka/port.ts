import type { IncomingRecord, Intake, OtlpEncoding, OtlpSignal } from '../../api/port.js';
import type { Principal } from '../../model/principal.js';
import type { RecordPlace } from '../../model/record-place.js';
import type { RefusedRecord } from '../../model/wire.js';

/** Where a topic's records go. Declared here by its consumer; handed over by `topic-intake.ts`. */
export interface TopicDoors {
  intake: Intake;
  /** Takes a value apart into JSON records: one, an array, or one a line. Never throws. */
  json: (value: Buffer) => { records: IncomingRecord[]; refused: RefusedRecord[] };
  /** A CloudEvent from Kafka's binary form. */
  cloudEvent: (headers: Iterable<readonly [string, Uint8Array]>, data: unknown) => unknown;
  /** Takes OTLP exports in. @param through the intake that they are handed on to */
  exports: (exports: readonly TopicExport[], principal: Principal, through: Intake) => Promise<void>;
}

/** An OTLP export as the Collector writes it into a topic. */
export interface TopicExport {
  signal: OtlpSignal;
  encoding: OtlpEncoding;
  body: Buffer;
  place: RecordPlace;
}
