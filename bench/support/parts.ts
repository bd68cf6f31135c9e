import { readBatch } from '../../src/api/batch.js';
import { STREAMS } from '../../src/model/observation.js';
import type { Principal } from '../../src/model/principal.js';
import { encodeRecord } from '../../src/log/record-codec.js';
import type { RawRecord } from '../../src/log/port.js';
import { nativeNormalizer } from '../../src/normalize/native.js';
import { blockToken, encodeRows, type Row } from '../../src/store/row.js';
import type { Group } from './traffic.js';

/** Costs of functions that no timer can be put around from outside, us per event. */
export interface PartCosts {
  scanAndParseUs: number;
  encodeUs: number;
  storeRowsUs: number;
  /** Mean size on the wire. */
  wireBytes: number;
}

const ROUNDS = 3;
const LIMITS = { maxDepth: 32, maxRecordBytes: 1024 * 1024, maxRecords: 20_000 };
const BLOCK_ROWS = 10_000;
const principal: Principal = { id: 'bench', role: 'ingest', tenant: 'bench', streams: new Set(STREAMS), agents: ['*'] };

/** Runs the service's own functions over the same requests once more. */
export function applyParts(groups: readonly Group[]): PartCosts {
  const bodies = groups.flatMap(({ batches }) => batches.map(({ body }) => body));
  const events = groups.reduce((sum, group) => sum + group.events, 0);
  let values: unknown[] = [];
  const scanAndParseUs = cpuUs(() => {
    values = bodies.flatMap((body) => readBatch(body, true, LIMITS).records.map(({ value }) => value));
  });
  const made = values.flatMap((value) => nativeNormalizer.normalize(value, { principal, observedAt: 1, seed: 1 }));
  let raw: RawRecord[] = [];
  const encodeUs = cpuUs(() => {
    raw = [];
    for (const one of made) {
      if (!one.ok) throw new Error(one.reason);
      raw.push(encodeRecord({ type: 'observation', value: one.observation }));
      if (one.payload !== undefined) raw.push(encodeRecord({ type: 'payload', value: one.payload }));
    }
  });
  const storeRowsUs = cpuUs(() => {
    for (let at = 0; at < raw.length; at += BLOCK_ROWS) {
      const rows = raw.slice(at, at + BLOCK_ROWS).map(({ type, data }, i): Row => {
        const place = at + i;
        const table = type === 'payload' ? 'payloads' : 'observations';
        return { table, place, lead: `"position":${place},"partition":0`, json: data };
      });
      for (const table of ['observations', 'payloads']) {
        const own = rows.filter((row) => row.table === table);
        if (own.length > 0) blockToken(table, encodeRows(own).length, own);
      }
    }
  });
  const bytes = bodies.reduce((sum, body) => sum + body.length, 0);
  const us = (whole: number) => whole / events;
  return {
    scanAndParseUs: us(scanAndParseUs),
    encodeUs: us(encodeUs),
    storeRowsUs: us(storeRowsUs),
    wireBytes: Math.round(bytes / events),
  };
}

/** CPU of the least of three rounds, us. */
function cpuUs(work: () => void): number {
  const rounds = Array.from({ length: ROUNDS }, () => {
    const before = process.cpuUsage();
    work();
    const { user, system } = process.cpuUsage(before);
    return user + system;
  });
  return Math.min(...rounds);
}
