import { afterEach, beforeEach, expect, it } from 'vitest';
import type { IncomingRecord, Intake } from '../../../../src/api/port.js';
import type { KafkaAdmin, KafkaGroup, KafkaGroupOptions, OffsetCommit } from '../../../../src/kafka/port.js';
import { systemClock } from '../../../../src/lib/clock.js';
import { OverloadError } from '../../../../src/lib/overload.js';
import { topicSourceSchema } from '../../../../src/model/source-settings.js';
import type { RefusedRecord } from '../../../../src/model/wire.js';
import { TopicSource, type TopicSourceParts } from '../../../../src/sources/kafka/topic-source.js';
import { eventually } from '../../../support/eventually.js';

/** What a broker is hard to bring to: the group's side is played here; the rest is as it is. */
class PlayedGroup {
  readonly commits: OffsetCommit[] = [];
  readonly seeks: number[] = [];
  commitError: Error | undefined;
  options: KafkaGroupOptions | undefined;

  readonly client: TopicSourceParts['client'] = {
    openGroup: (options) => {
      this.options = options;
      const group: Partial<KafkaGroup> = {
        generation: 1,
        commit: async (offsets) => {
          if (this.commitError !== undefined) throw this.commitError;
          this.commits.push(...offsets);
        },
        seek: (_topic, _partition, offset) => void this.seeks.push(offset),
        lag: () => [],
        stop: () => Promise.resolve(),
      };
      // The source uses no more of it.
      return group as KafkaGroup;
    },
    topicOffsets: () => Promise.resolve([{ partition: 0, low: 3, high: 20 }]),
    admin: this.#admin(),
  };

  #admin(): KafkaAdmin {
    const admin: Partial<KafkaAdmin> = {
      committed: () => Promise.resolve([{ topic: 'calls', partition: 0, offset: 9 }]),
    };
    // Nor of this.
    return admin as KafkaAdmin;
  }
}

let played: PlayedGroup;
let source: TopicSource;
let taken: { records: readonly IncomingRecord[]; refused: readonly RefusedRecord[] }[];
let troubles: { kind: string; detail: string; count?: number }[];
let overload: OverloadError | undefined;

beforeEach(() => {
  played = new PlayedGroup();
  taken = [];
  troubles = [];
  overload = undefined;
  const intake: Intake = {
    accept: (records, refused) => {
      if (overload !== undefined) return Promise.reject(overload);
      taken.push({ records, refused });
      return Promise.resolve({ accepted: records.length, refused: [...refused] });
    },
  };
  source = new TopicSource({
    settings: topicSourceSchema.parse({
      id: 'src',
      kafka: { brokers: ['127.0.0.1:1'] },
      topics: ['calls'],
      format: 'native',
      principal: 'p',
    }),
    principal: { id: 'p', role: 'ingest', tenant: 't', streams: new Set(), agents: ['*'] },
    client: played.client,
    doors: {
      intake,
      json: (value) => ({ records: [{ index: 0, value: value.toString(), bytes: value.length }], refused: [] }),
      cloudEvent: () => undefined,
      exports: () => Promise.resolve(),
    },
    clock: systemClock,
    trouble: (noted) => troubles.push(noted),
    notice: () => {},
  });
  source.start();
});
afterEach(() => source.stop());

const handlers = () => {
  const found = played.options?.handlers;
  if (found === undefined) throw new Error('no group was opened');
  return found;
};
const assigned = async () => handlers().assigned(1, [{ topic: 'calls', partition: 0 }]);
const record = (offset: number) => ({ offset, time: 0, key: null, value: Buffer.from(`v${offset}`), headers: {} });
const batch = (...offsets: number[]) => ({ records: offsets.map(record), highWatermark: 20, generation: 1 });

it('knows where it begins and what waits there, and commits the offset behind what the log has', async () => {
  await assigned();
  expect(source.report()).toMatchObject({ state: 'reading', partitions: [{ partition: 0, position: 9, lag: 11 }] });
  await handlers().records('calls', 0, batch(9, 10));
  expect(played.commits).toEqual([{ topic: 'calls', partition: 0, offset: 11 }]);
  expect(source.report()).toMatchObject({ records: 2, partitions: [{ position: 11, lag: 9 }] });
});

it('keeps of a batch that cannot be read where it lies, its hash and why, and reads on behind it', async () => {
  await assigned();
  const poison = {
    topic: 'calls',
    partition: 0,
    offset: 9,
    lastOffset: 12,
    cause: 'wrong CRC',
    hash: 'ab12',
    bytes: 70,
  };
  await handlers().poison?.(poison);
  const [letter] = taken[0]?.refused ?? [];
  expect(letter?.place?.name).toBe('topic calls, partition 0, offsets 9 to 12');
  expect(letter?.place?.hash()).toBe('ab12');
  expect(letter?.reason).toBe('70 bytes cannot be read: wrong CRC');
  expect(troubles).toMatchObject([{ kind: 'unreadable', count: 4 }]);
  expect(played.commits).toEqual([{ topic: 'calls', partition: 0, offset: 13 }]);
  expect(source.report().unreadable).toBe(4);
});

it('reads a topic from its beginning that ends before what was read of it', async () => {
  await assigned();
  await handlers().gap({ topic: 'calls', partition: 0, expected: 500, found: 20 });
  expect(played.seeks).toEqual([3]);
  expect(troubles).toMatchObject([{ kind: 'gap', detail: expect.stringMatching(/made anew, or lost its end/) }]);
  expect(source.report().lost).toBe(0);
});

it('commits nothing of what it gave up, and goes on when others have the partition', async () => {
  await assigned();
  overload = new OverloadError('full', 503, 60);
  const handled = handlers().records('calls', 0, batch(9));
  await eventually('it waits', () => source.report().state === 'waiting');
  handlers().revoked([{ topic: 'calls', partition: 0 }]);
  await handled;
  expect(played.commits).toEqual([]);
  expect(source.report().partitions).toEqual([]);
});

it('takes a commit that others forbid for no error, and any other for one that passes', async () => {
  await assigned();
  played.commitError = Object.assign(new Error('fenced'), { code: 'KAFKA_FENCED' });
  await handlers().records('calls', 0, batch(9));
  expect(source.report()).toMatchObject({ uncommitted: 1, records: 1 });
  expect(source.report().lastError).toBeUndefined();
  played.commitError = Object.assign(new Error('away'), { code: 'KAFKA_UNAVAILABLE' });
  await handlers().records('calls', 0, batch(10));
  expect(source.report()).toMatchObject({ uncommitted: 2, lastError: { message: 'away' } });
});

it('says that its topics cannot be read, and as what', async () => {
  await assigned();
  handlers().fatal(new Error('not authorized'));
  await eventually('it says so', () => source.report().state === 'failed');
  expect(source.report().lastError?.message).toBe('not authorized');
  expect(troubles).toMatchObject([
    { kind: 'unreadable', detail: expect.stringMatching(/calls cannot be read: not auth/) },
  ]);
});
