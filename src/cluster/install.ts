import { randomInt, randomUUID } from 'node:crypto';
import { z } from 'zod';
import type { Clock } from '../lib/clock.js';
import type { Registry } from './registry.js';

const PREFIX = 'install/';

const installSchema = z.object({
  /** Keys every hash that is derived from content, 32 bit. */
  seed: z.int().positive(),
  /** Epoch ms. */
  createdAt: z.number(),
});
export type Install = z.infer<typeof installSchema>;

/**
 * What makes an install one: made by the first node, the same for all. Of two nodes that begin at once, the one whose
 * record came first counts: keys differ, so compaction keeps both.
 */
export async function joinInstall(registry: Registry, clock: Clock): Promise<Install> {
  if (firstInstall(registry) === undefined) {
    const install: Install = { seed: randomInt(1, 2 ** 32 - 1), createdAt: clock.now() };
    await registry.put([{ key: PREFIX + randomUUID(), value: install }]);
  }
  const install = firstInstall(registry);
  if (install === undefined) throw new Error('the record of this install cannot be read back from Kafka');
  return install;
}

function firstInstall(registry: Registry): Install | undefined {
  let first: { install: Install; offset: number } | undefined;
  for (const { value, offset } of registry.entries(PREFIX)) {
    const parsed = installSchema.safeParse(value);
    if (parsed.success && (first === undefined || offset < first.offset)) first = { install: parsed.data, offset };
  }
  return first?.install;
}
