import { z } from 'zod';
import type { SignedKind } from '../model/signed-message.js';
import type { Epochs } from '../signing/port.js';
import type { Install } from './install.js';
import type { Registry } from './registry.js';

const PREFIX = 'epoch/';
const takenSchema = z.object({ nodeId: z.string(), run: z.string() });

/**
 * Epochs where several nodes sign for one install: a gateway that comes to another node gets the full state there in an
 * epoch later than the one before. Kafka orders them: an epoch is when the install began (so that it is later than any
 * of an install of one process before it) plus the offset of the record that begins it.
 */
export class AudienceEpochs implements Epochs {
  readonly #registry: Registry;
  readonly #install: Install;
  readonly #self: { nodeId: string; run: string };
  readonly #epochs = new Map<string, number>();
  #newest = 0;

  /** @param self this node, and this run of it: another run does not know which counters were used */
  constructor(registry: Registry, install: Install, self: { nodeId: string; run: string }) {
    this.#registry = registry;
    this.#install = install;
    this.#self = self;
  }

  get newest(): number {
    return this.#newest;
  }

  async of(audience: string, kind: SignedKind): Promise<number> {
    const own = this.#epochs.get(audience);
    if (own !== undefined && (kind !== 'state' || this.#isOwn(audience))) return own;
    const offset = await this.#registry.put([{ key: PREFIX + audience, value: this.#self }]);
    const epoch = this.#install.createdAt + offset;
    this.#epochs.set(audience, epoch);
    this.#newest = Math.max(this.#newest, epoch);
    return epoch;
  }

  mayResume(_after: number, audience: string): boolean {
    return this.#epochs.has(audience) && this.#isOwn(audience);
  }

  /** Whether the audience was last given the full state here. */
  #isOwn(audience: string): boolean {
    const taken = takenSchema.safeParse(this.#registry.get(PREFIX + audience));
    return taken.success && taken.data.nodeId === this.#self.nodeId && taken.data.run === this.#self.run;
  }
}
