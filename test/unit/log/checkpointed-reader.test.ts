import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ManualClock, systemClock } from '../../../src/lib/clock.js';
import { CheckpointedReader } from '../../../src/log/checkpointed-reader.js';
import { EmbeddedEnvironment } from '../../../src/log/embedded-environment.js';
import { MirroredLog } from '../../../src/log/mirrored-log.js';
import type { LogEntry, ScoringStore } from '../../../src/log/port.js';
import { encodeRecord } from '../../../src/log/record-codec.js';
import type { Effect, OutboxEntry } from '../../../src/model/effect.js';
import { CompactedTopic } from '../../support/compacted-topic.js';
import { ReplicaMachine } from '../../support/replica-machine.js';
import { temporaryDirectory } from '../../support/temporary-directory.js';

const HOUR_MS = 3_600_000;

/** A tick is a record that needs no more than a time. */
function tick(position: number): LogEntry {
  return { position, ...encodeRecord({ type: 'tick', value: { now: position } }) };
}

/** Scoring of a kind: one effect a record, which says how many there were before it. */
class Counting {
  count: number;
  #effects: Effect[] = [];

  constructor(store: ScoringStore) {
    this.count = Number(Buffer.from(store.get('count') ?? Buffer.from('0')).toString());
  }

  *take(positions: readonly number[]): Generator<void> {
    for (const position of positions) {
      const id = `${position}: number ${++this.count}`;
      const value = { id, commandId: 'c', tenant: 't', agentId: 'a', time: 1, by: 'test', detail: '' };
      this.#effects.push({ type: 'command-event', value: { ...value, state: 'sent' } });
      yield;
    }
  }

  reader(log: MirroredLog, store: ScoringStore, checkpointRecords: number): CheckpointedReader {
    return new CheckpointedReader({
      log,
      store,
      clock: systemClock,
      checkpointMs: HOUR_MS,
      checkpointRecords,
      maxEffectsRestMs: 0,
      sliceRecords: 4,
      take: (_records, positions) => this.take(positions),
      effects: {
        count: () => this.#effects.length,
        isUrgent: () => true,
        take: () => this.#effects.splice(0),
      },
      drain: () => ({ puts: [{ key: 'count', value: Buffer.from(String(this.count)) }], deletes: [] }),
      committed: () => {},
      damaged: (error) => {
        throw error;
      },
    });
  }
}

describe('reading a mirrored log into a replicated store', () => {
  let directory: { path: string; remove: () => void };
  let environment: EmbeddedEnvironment;
  let log: MirroredLog;
  let topic: CompactedTopic;
  let machines: ReplicaMachine[];
  let failures: unknown[];

  async function machine(): Promise<ReplicaMachine> {
    const clock = new ManualClock(1);
    const made = await ReplicaMachine.start(topic, { clock, maxWarmAgeMs: HOUR_MS });
    machines.push(made);
    return made;
  }
  async function readTo(reader: CheckpointedReader, position: number): Promise<void> {
    reader.start((error) => failures.push(error));
    while (reader.effectsPosition < position && failures.length === 0)
      await new Promise((resolve) => setImmediate(resolve));
    expect(failures).toEqual([]);
  }
  function said(entries: readonly OutboxEntry[]): string[] {
    return entries.map(({ sequence, effect: { value } }) => `${sequence}. ${'id' in value ? value.id : ''}`);
  }

  beforeEach(async () => {
    directory = temporaryDirectory();
    environment = EmbeddedEnvironment.open({ directory: directory.path, clock: systemClock, reserveBytes: 0 });
    const remote = { append: () => Promise.reject(new Error('nothing is appended here')) };
    log = await MirroredLog.open({ environment, remote, begin: 1, gap: () => {} });
    topic = new CompactedTopic({ clock: new ManualClock(1), lagMs: HOUR_MS, deleteRetentionMs: HOUR_MS });
    machines = [];
    failures = [];
  });
  afterEach(async () => {
    await log.close();
    await environment.close();
    for (const each of machines) await each.dispose();
    directory.remove();
  });

  it('says everything once, in the same places, though another machine goes on from the last checkpoint', async () => {
    // Beyond 40 the shared log has lost a hundred.
    const positions = Array.from({ length: 60 }, (_, index) => (index < 40 ? index + 1 : index + 101));
    await log.accept(positions.slice(0, 50).map(tick));
    const first = await machine();
    const connection = topic.connect(1);
    const store = await first.takeOver(connection);
    // Checkpoints come in the midst, the last of them well before the end.
    const before = new Counting(store).reader(log, store, 30);
    await readTo(before, 151);
    while (before.counters.checkpoints === 0) await new Promise((resolve) => setImmediate(resolve));
    const checkpointed = store.nextPosition;
    expect(checkpointed).toBeLessThan(151);
    connection.cut = { entries: 0, isTorn: false };
    await log.accept(positions.slice(50).map(tick));

    const second = await machine();
    const restored = await second.takeOver(topic.connect(2));
    expect([restored.nextPosition, restored.effectsPosition]).toEqual([checkpointed, 151]);
    const counting = new Counting(restored);
    expect(counting.count).toBeLessThan(50);
    const after = counting.reader(log, restored, 1_000);
    await readTo(after, 161);
    await after.stop();
    expect(counting.count).toBe(60);
    expect(said(restored.outbox(0, 1_000))).toEqual(
      positions.map((position, index) => `${index + 1}. ${position}: number ${index + 1}`),
    );
    expect(restored.nextPosition).toBe(161);
  });
});
