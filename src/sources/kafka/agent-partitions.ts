import { randomInt } from 'node:crypto';
import { murmur32 } from '../../lib/hash.js';

const SLOTS = 4_096;

/**
 * Notices at run time when records of one agent come from several partitions of a topic: its producer does not key by
 * agent, or two producers do so by different hashes. Fixed memory: an agent whose slot was taken by another is not
 * compared, so what is counted is a lower bound.
 */
export class AgentPartitions {
  readonly #prints = new Uint32Array(SLOTS);
  readonly #partitions = new Int32Array(SLOTS).fill(-1);
  /** Nobody shall choose agents that share a slot. */
  readonly #seed = randomInt(2 ** 32);
  #moves = 0;

  /** How often an agent's record came from another partition than the one before. */
  get moves(): number {
    return this.#moves;
  }

  /** @returns whether the agent was in another partition of the topic before */
  note(topic: string, agentId: string, partition: number): boolean {
    const name = `${topic}/${agentId}`;
    const slot = murmur32(name, this.#seed) % SLOTS;
    const print = murmur32(name, ~this.#seed);
    const isKnown = this.#partitions[slot] !== -1 && this.#prints[slot] === print;
    const hasMoved = isKnown && this.#partitions[slot] !== partition;
    this.#prints[slot] = print;
    this.#partitions[slot] = partition;
    if (hasMoved) this.#moves++;
    return hasMoved;
  }
}
