import { z } from 'zod';
import type { Clock } from '../lib/clock.js';
import type { SigningKeys } from '../signing/port.js';
import type { Registry } from './registry.js';

const PREFIX = 'keys/';
/** How often a node says that its keys are still its own, ms. */
const RENEW_MS = 60 * 60_000;
/** Keys of a node that was not heard of for so long are published no more, and forgotten, ms. */
const STALE_MS = 24 * 60 * 60_000;

const keysSchema = z.object({
  /** When the node said so last, epoch ms. */
  at: z.number(),
  keys: z.array(z.looseObject({ kty: z.string() })),
});

/**
 * The keys of this node, whose public halves all nodes publish: a gateway may fetch them anywhere. Private keys never
 * leave the node that made them. Those of a node that is gone end: nobody knows who has its disk.
 */
export async function publishedByAll(
  registry: Registry,
  nodeId: string,
  own: SigningKeys,
  clock: Clock,
): Promise<SigningKeys> {
  const others = () =>
    [...registry.entries(PREFIX)]
      .filter(({ key }) => key !== PREFIX + nodeId)
      .map(({ key, value }) => ({ key, parsed: keysSchema.safeParse(value).data }));
  const isStale = (at: number | undefined): boolean => at === undefined || clock.now() - at > STALE_MS;
  const announce = async (): Promise<void> => {
    const gone = others().filter(({ parsed }) => isStale(parsed?.at));
    await registry.put([
      { key: PREFIX + nodeId, value: { at: clock.now(), ...own.published() } },
      ...gone.map(({ key }) => ({ key, value: undefined })),
    ]);
  };
  await announce();
  // While Kafka is away the next time does.
  setInterval(() => void announce().catch(() => {}), RENEW_MS).unref();
  return {
    published: () => {
      const keys = others().flatMap(({ parsed }) => (isStale(parsed?.at) ? [] : (parsed?.keys ?? [])));
      return { keys: [...own.published().keys, ...keys] };
    },
    rotate: async (leadMs) => {
      const shown = await own.rotate(leadMs);
      await announce();
      return shown;
    },
  };
}
