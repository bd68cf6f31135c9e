import { describe, expect, it } from 'vitest';
import type { ReceivedRecord } from '../../../src/kafka/port.js';
import { fromKafka, toKafka } from '../../../src/kafka/record-codec.js';
import { murmur2, partitionOf, partitionOfKey } from '../../../src/kafka/partitioner.js';
import type { RawRecord } from '../../../src/log/port.js';

function received(parts: Partial<ReceivedRecord>): ReceivedRecord {
  return { offset: 1, time: 0, key: null, value: Buffer.from('{}'), headers: {}, ...parts };
}

describe('records of the log in Kafka', () => {
  it('come back as they went', () => {
    const raw: RawRecord = { type: 'dead-letter', data: Buffer.from('{"a":"ü"}') };
    expect(fromKafka(received(toKafka(raw)))).toEqual(raw);
  });

  it.each<[string, Partial<ReceivedRecord>, RegExp]>([
    ['has no type', {}, /not written by Parallax/],
    ['has a type of a newer version', { headers: { t: Buffer.from('thought') } }, /unknown type "thought"/],
    ['has a type that every object has', { headers: { t: Buffer.from('constructor') } }, /unknown type/],
    ['was deleted', { headers: { t: Buffer.from('tick') }, value: null }, /without a value/],
  ])('is none where it %s', (_, parts, reason) => {
    expect(fromKafka(received(parts))).toMatchObject({ poison: expect.stringMatching(reason) });
  });

  it('has a type that is known, or is not written', () => {
    // From outside the type system: what a bug would hand in.
    const unknown = { type: 'constructor', data: Buffer.alloc(0) } as unknown as RawRecord;
    expect(() => toKafka(unknown)).toThrow(/unknown type/);
  });
});

describe('the partition of a key', () => {
  // From Kafka's own tests (UtilsTest.testMurmur2); kafka-codecs.test.ts compares with a running Java producer.
  it.each([
    ['21', -973932308],
    ['foobar', -790332482],
    ['a-little-bit-long-string', -985981536],
    ['a-little-bit-longer-string', -1486304829],
    ['lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8', -58897971],
    ['abc', 479470107],
  ])('%s', (text, hash) => {
    expect(murmur2(Buffer.from(text))).toBe(hash);
    expect(partitionOfKey(Buffer.from(text), 12)).toBe((hash & 0x7fffffff) % 12);
  });

  it('is that of tenant and agent, and they do not run into each other', () => {
    expect(partitionOf('a', 'b', 1_000)).toBe(partitionOfKey(Buffer.from('a\0b'), 1_000));
    expect(partitionOf('a', 'bc', 1_000_003)).not.toBe(partitionOf('ab', 'c', 1_000_003));
  });
});
