import { z } from 'zod';
import type { Registry } from './registry.js';

const PREFIX = 'owner/';
const ownerSchema = z.object({ nodeId: z.string(), url: z.string(), generation: z.number() });

/** What a node says of itself when it takes a partition over. */
export type Owner = z.infer<typeof ownerSchema>;

/** Who scores which partition, as the owners themselves announced it. */
export class Owners {
  readonly #registry: Registry;
  readonly #self: { nodeId: string; url: string };

  /** @param self this node, and where the others reach it */
  constructor(registry: Registry, self: { nodeId: string; url: string }) {
    this.#registry = registry;
    this.#self = self;
  }

  /** Tells all nodes that a partition is scored here. */
  async announce(partition: number, generation: number): Promise<void> {
    await this.#registry.put([{ key: `${PREFIX}${partition}`, value: { ...this.#self, generation } }]);
  }

  /** Where to reach the owner of a partition; undefined where none is known, or it is this node by name. */
  urlOf(partition: number): string | undefined {
    const owner = ownerSchema.safeParse(this.#registry.get(`${PREFIX}${partition}`));
    return owner.success && owner.data.nodeId !== this.#self.nodeId ? owner.data.url : undefined;
  }

  all(): Record<string, Owner> {
    const owners: Record<string, Owner> = {};
    for (const { key, value } of this.#registry.entries(PREFIX)) {
      const owner = ownerSchema.safeParse(value);
      if (owner.success) owners[key.slice(PREFIX.length)] = owner.data;
    }
    return owners;
  }
}
