import { describe, expect, it } from 'vitest';
import { publishedByAll } from '../../../src/cluster/published-keys.js';
import { Registry } from '../../../src/cluster/registry.js';
import type { KafkaRecord } from '../../../src/kafka/port.js';
import { ManualClock } from '../../../src/lib/clock.js';
import type { SigningKeys } from '../../../src/signing/port.js';

/** A registry over a topic in memory. */
function registryOf(): Registry {
  let offset = 0;
  const produce = (records: readonly KafkaRecord[]): Promise<number> => {
    const first = offset;
    const received = records.map(({ key = new Uint8Array(), value }) => ({
      offset: offset++,
      time: 0,
      key,
      value,
      headers: {},
    }));
    registry.take(received);
    return Promise.resolve(first);
  };
  const registry = new Registry({ client: { produce }, topic: 'nodes' });
  return registry;
}

function keysOf(kid: string): SigningKeys {
  return {
    published: () => ({ keys: [{ kty: 'OKP', kid }] }),
    rotate: () => Promise.reject(new Error('not in this test')),
  };
}

describe('publishedByAll', () => {
  it('publishes the keys of all nodes, and forgets a node that was not heard of for a day', async () => {
    const registry = registryOf();
    const clock = new ManualClock(1_000);
    await publishedByAll(registry, 'gone', keysOf('k-gone'), clock);
    const here = await publishedByAll(registry, 'here', keysOf('k-here'), clock);
    const kids = () => here.published().keys.map(({ kid }) => kid);
    expect(kids()).toEqual(['k-here', 'k-gone']);
    clock.advance(25 * 60 * 60_000);
    expect(kids()).toEqual(['k-here']);
    await publishedByAll(registry, 'new', keysOf('k-new'), clock);
    expect([...registry.entries('keys/')].map(({ key }) => key)).not.toContain('keys/gone');
  });
});
