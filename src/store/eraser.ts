import { setTimeout as timer } from 'node:timers/promises';
import type { ErasedTable, ErasureSubject } from '../model/erasure.js';
import { identifier, type StoreClient } from './client.js';
import { localName, storageOf } from './cluster.js';
import { erasurePlan, type ErasureStep, type TableColumn } from './erasure-plan.js';

/** Between two looks whether a mutation is through, the first and the longest. */
const LOOK_MIN_MS = 20;
const LOOK_MAX_MS = 1_000;
/** For one table; a mutation rewrites every part that holds a row of the subject. */
const STEP_MS = 30 * 60_000;

export interface EraseRequest {
  tenant: string;
  subject: ErasureSubject;
  /** Keyed hash of a person's name, as prompts and results carry it. */
  hash: number;
}

/** Rows that an erasure would concern, table by table; tables without any are left out. @throws StoreError */
export async function countErasure(client: StoreClient, request: EraseRequest): Promise<ErasedTable[]> {
  const { params, steps } = erasurePlan(request, await columnsOf(client));
  const counts: [ErasureStep, number][] = [];
  for (const step of steps) counts.push([step, await countRows(client, step, params)]);
  return byTable(counts);
}

/**
 * Erases: not only marks rows as deleted, but has the files rewritten that hold them. Table by table, each until no row is left.
 *
 * @returns rows by table, as they were found
 * @throws StoreError, or an Error where rows are still there after half an hour
 */
export async function erase(client: StoreClient, request: EraseRequest): Promise<ErasedTable[]> {
  const { params, steps } = erasurePlan(request, await columnsOf(client));
  const counts: [ErasureStep, number][] = [];
  for (const step of steps) {
    const rows = await countRows(client, step, params);
    counts.push([step, rows]);
    if (rows === 0) continue;
    const change =
      step.kind === 'delete' ? `DELETE WHERE ${step.where}` : `UPDATE ${step.set.join(', ')} WHERE ${step.where}`;
    await client.mutate(`ALTER TABLE ${storageOf(step.table, client)} ${change}`, params);
    await untilGone(client, step, params);
  }
  return byTable(counts);
}

type Params = Parameters<StoreClient['select']>[1];

async function countRows(client: StoreClient, { table, where }: ErasureStep, params: Params): Promise<number> {
  const [row] = await client.select<{ rows: string }>(
    `SELECT count() AS rows FROM ${identifier(table)} WHERE ${where}`,
    params,
  );
  return Number(row?.rows ?? 0);
}

/** A mutation goes on in the background, where no time limit of a request ends it; reads see it part by part. */
async function untilGone(client: StoreClient, step: ErasureStep, params: Params): Promise<void> {
  let waitedMs = 0;
  for (
    let waitMs = LOOK_MIN_MS;
    (await countRows(client, step, params)) > 0;
    waitMs = Math.min(2 * waitMs, LOOK_MAX_MS)
  ) {
    if (waitedMs > STEP_MS) throw new Error(`rows of ${step.table} are still there; see system.mutations`);
    await timer(waitMs);
    waitedMs += waitMs;
  }
}

async function columnsOf(client: StoreClient): Promise<TableColumn[]> {
  const suffix = client.cluster === undefined ? '' : localName('');
  const rows = await client.select<{ table: string; name: string; type: string; isKey: number }>(
    `SELECT table, name, type, is_in_sorting_key OR is_in_partition_key AS isKey FROM system.columns
     WHERE database = {database:String} AND default_kind != 'ALIAS' AND table IN (
       SELECT name FROM system.tables WHERE database = {database:String} AND engine LIKE '%ReplacingMergeTree')
     ORDER BY table, position`,
    { database: client.database },
  );
  return rows
    .filter(({ table }) => table.endsWith(suffix))
    .map(({ table, isKey, ...column }) => ({
      ...column,
      table: table.slice(0, table.length - suffix.length),
      isKey: isKey === 1,
    }));
}

function byTable(counts: readonly [ErasureStep, number][]): ErasedTable[] {
  const tables = new Map<string, ErasedTable>();
  for (const [{ table, kind }, rows] of counts) {
    if (rows === 0) continue;
    const counted = tables.get(table) ?? { table, deleted: 0, blanked: 0 };
    counted[kind === 'delete' ? 'deleted' : 'blanked'] += rows;
    tables.set(table, counted);
  }
  return [...tables.values()];
}
