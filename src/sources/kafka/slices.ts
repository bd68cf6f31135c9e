import type { ReceivedRecord } from '../../kafka/port.js';

/** Records of a partition that are taken in together. */
export interface Slice {
  /** In the order of the partition; those without a value are left out. */
  records: (ReceivedRecord & { value: Uint8Array })[];
  /** As their headers or the source say. */
  format: string;
  /** Records without a value among them. */
  tombstones: number;
  /** Offset behind the last. */
  next: number;
  /** Latest time in the records, epoch ms. */
  time: number;
}

export interface SliceLimits {
  maxRecords: number;
  maxBytes: number;
  /** Longest time from the first record of a slice to its last, by their own times, ms. */
  maxSpanMs: number;
}

/** Cuts a batch into slices that are small in number, size and time, and of one format each. */
export function* slicesOf(
  records: readonly ReceivedRecord[],
  formatOf: (record: ReceivedRecord) => string,
  { maxRecords, maxBytes, maxSpanMs }: SliceLimits,
): Generator<Slice, void, undefined> {
  let slice: Slice | undefined;
  let bytes = 0;
  let begunAt = 0;
  for (const record of records) {
    const { value, time, offset } = record;
    const format = value === null ? (slice?.format ?? '') : formatOf(record);
    const size = value?.length ?? 0;
    const isFull =
      slice !== undefined &&
      ((slice.format !== format && slice.records.length > 0) ||
        slice.records.length + slice.tombstones >= maxRecords ||
        (bytes > 0 && bytes + size > maxBytes) ||
        time - begunAt > maxSpanMs);
    if (slice !== undefined && isFull) yield slice;
    if (slice === undefined || isFull) {
      slice = { records: [], format, tombstones: 0, next: offset + 1, time };
      bytes = 0;
      begunAt = time;
    }
    if (value === null) slice.tombstones++;
    else {
      slice.format = format;
      slice.records.push({ ...record, value });
    }
    bytes += size;
    slice.next = offset + 1;
    slice.time = Math.max(slice.time, time);
  }
  if (slice !== undefined) yield slice;
}
