import { z } from 'zod';
import type { SigningKeys } from '../signing/port.js';
import type { Registry } from './registry.js';

const PREFIX = 'keys/';
const keysSchema = z.object({ keys: z.array(z.looseObject({ kty: z.string() })) });

/**
 * The keys of this node, whose public halves all nodes publish: a gateway may fetch them anywhere. Private keys never
 * leave the node that made them.
 */
export async function publishedByAll(registry: Registry, nodeId: string, own: SigningKeys): Promise<SigningKeys> {
  const announce = async (): Promise<void> => {
    await registry.put([{ key: PREFIX + nodeId, value: own.published() }]);
  };
  await announce();
  return {
    published: () => {
      const others = [...registry.entries(PREFIX)].filter(({ key }) => key !== PREFIX + nodeId);
      const keys = others.flatMap(({ value }) => {
        const parsed = keysSchema.safeParse(value);
        return parsed.success ? parsed.data.keys : [];
      });
      return { keys: [...own.published().keys, ...keys] };
    },
    rotate: async (leadMs) => {
      const shown = await own.rotate(leadMs);
      await announce();
      return shown;
    },
  };
}
