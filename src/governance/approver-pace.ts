import { CappedStateTable, type CappedEntry } from '../lib/capped-state-table.js';
import { keyOf } from './agent-record.js';

/** Approvals of one person within it count together, ms of event time. */
const RUBBER_STAMP_MS = 60_000;
const MAX_TIMES = 64;
const MAX_APPROVERS = 20_000;

interface ApproverRecord extends CappedEntry {
  /** Event times of the latest approvals, ascending, epoch ms. */
  times: number[];
}

/** How quickly each person approves, by event time. Bounded: of an approver the latest 64 approvals are kept. */
export class ApproverPace {
  readonly table: CappedStateTable<ApproverRecord>;

  constructor(options: { inMemory: number; load: (key: string) => Uint8Array | undefined }) {
    this.table = new CappedStateTable({ ...options, prefix: 'approver/', cap: MAX_APPROVERS });
  }

  /** Counts one approval; nobody's word is nobody's approval. */
  add(tenant: string, approverId: string, time: number): void {
    if (approverId === '') return;
    const key = keyOf(tenant, approverId);
    const record = this.table.get(key) ?? { key, changed: 0, times: [] };
    record.times.push(time);
    record.times.sort((a, b) => a - b);
    if (record.times.length > MAX_TIMES) record.times.shift();
    this.table.set(record);
  }

  /** Approvals by the person in the minute up to a time, epoch ms. */
  recentBy(tenant: string, approverId: string, time: number): number {
    const times = approverId === '' ? undefined : this.table.get(keyOf(tenant, approverId))?.times;
    return times?.filter((one) => one > time - RUBBER_STAMP_MS && one <= time).length ?? 0;
  }
}
