/**
 * What restoring a scoring store from its changelog costs: a compacted changelog with so many keys, replayed into an
 * empty store; and the tail that a standby applies when it takes over. Without a broker: only what is done here.
 *
 * Usage: node dist/bench/restore.js [--json] [--keys N] [--bytes BYTES_A_VALUE]
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { systemClock } from '../src/lib/clock.js';
import { EmbeddedEnvironment } from '../src/log/embedded-environment.js';
import type { Changelog, ChangelogRecord } from '../src/log/port.js';
import type { ReplicatedScoringStore } from '../src/log/replicated-scoring-store.js';
import { StateReplica } from '../src/log/state-replica.js';

const { values } = parseArgs({
  options: {
    json: { type: 'boolean' },
    keys: { type: 'string', default: '100000' },
    bytes: { type: 'string', default: '700' },
  },
});
const KEYS = Number(values.keys);
const VALUE_BYTES = Number(values.bytes);
/** Keys of one checkpoint: what a busy half minute changes. */
const CHECKPOINT_KEYS = 10_000;
/** Records a consumer hands over at once. */
const FETCH_RECORDS = 2_000;

const records: ChangelogRecord[] = [];

function connect(generation: number): Changelog {
  return {
    generation,
    append: (entries) => {
      for (const entry of entries) records.push({ ...entry, generation, offset: records.length });
      return Promise.resolve(records.length - 1);
    },
  };
}

interface Machine {
  replica: StateReplica;
  end: () => Promise<void>;
}

async function machine(): Promise<Machine> {
  const directory = mkdtempSync(join(tmpdir(), 'parallax-bench-'));
  const environment = EmbeddedEnvironment.open({ directory, clock: systemClock, reserveBytes: 0, isReplica: true });
  const replica = await StateReplica.open({ environment, clock: systemClock });
  return {
    replica,
    end: async () => {
      await replica.close();
      await environment.close();
      rmSync(directory, { recursive: true, force: true });
    },
  };
}

async function follow({ replica }: Machine): Promise<void> {
  while (replica.nextOffset < records.length) {
    const from = replica.nextOffset;
    await replica.apply(records.slice(from, from + FETCH_RECORDS), from + FETCH_RECORDS >= records.length);
  }
}

async function takeOver(one: Machine, generation: number): Promise<ReplicatedScoringStore> {
  const taking = one.replica.takeOver(connect(generation));
  await new Promise((resolve) => setImmediate(resolve));
  await follow(one);
  return taking;
}

async function timed(step: () => Promise<unknown>): Promise<{ wallMs: number; cpuMs: number }> {
  const cpu = process.cpuUsage();
  const begun = process.hrtime.bigint();
  await step();
  const { user, system } = process.cpuUsage(cpu);
  return { wallMs: Number(process.hrtime.bigint() - begun) / 1e6, cpuMs: (user + system) / 1e3 };
}

async function checkpoints(store: ReplicatedScoringStore): Promise<void> {
  for (let first = 0, position = 1; first < KEYS; first += CHECKPOINT_KEYS) {
    const open = store.openCheckpoint(++position);
    for (let key = first; key < Math.min(KEYS, first + CHECKPOINT_KEYS); key++) {
      // Spread as keys of agents are: not in the order in which they come.
      open.put(`session/${(key * 7919) % KEYS}/${key}`, Buffer.alloc(VALUE_BYTES, key));
    }
    await open.finish();
  }
}

const owner = await machine();
const standby = await machine();
const late = await machine();
try {
  const store = await takeOver(owner, 1);
  const written = await timed(() => checkpoints(store));
  await follow(standby);
  const entries = records.length;
  const bytes = records.reduce((sum, { key, value }) => sum + key.length + (value?.byteLength ?? 0), 0);
  const restored = await timed(() => takeOver(late, 2));
  const before = standby.replica.progress.entries;
  const taken = await timed(() => takeOver(standby, 3));
  const tail = standby.replica.progress.entries - before;
  const result = { keys: KEYS, entries, bytes, written, restored, standby: { ...taken, entries: tail } };
  if (values.json) console.log(JSON.stringify(result));
  else {
    const rate = (entries / restored.wallMs) * 1000;
    console.log(`${KEYS} keys written in checkpoints of ${CHECKPOINT_KEYS}: ${line(written)}`);
    console.log(
      `restored from ${entries} entries, ${(bytes / 1e6).toFixed(1)} MB: ${line(restored)}, ${rate.toFixed(0)} entries/s`,
    );
    console.log(`taken over by a standby with ${tail} entries: ${line(taken)}`);
  }
} finally {
  await Promise.all([owner.end(), standby.end(), late.end()]);
}

function line({ wallMs, cpuMs }: { wallMs: number; cpuMs: number }): string {
  return `${wallMs.toFixed(0)} ms, ${cpuMs.toFixed(0)} ms CPU`;
}
