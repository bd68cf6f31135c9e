import { closeSync, mkdirSync, openSync, readFileSync } from 'node:fs';
import { open, rename } from 'node:fs/promises';
import { dirname } from 'node:path';
import { COMMAND_ACTIONS } from '../model/command.js';
import { isRecord, parseJson } from './json.js';
import { readEntry, readList } from './messages.js';
import { describeFault } from './observer-http.js';
import type { HeldCommand } from './restriction-cache.js';

/** What a gateway keeps over a restart. */
export interface KeptState {
  /** Whose messages it comes from, and whom they were for. */
  issuer: string;
  gatewayId: string;
  epoch: number;
  counter: number;
  sequence: number;
  commands: HeldCommand[];
}

const VERSION = 1;

/**
 * What the file holds; undefined where there is none yet.
 *
 * @throws Error when there is one that cannot be used
 */
export function readKeptState(path: string, owner: { issuer: string; gatewayId: string }): KeptState | undefined {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (fault) {
    if (fault instanceof Error && 'code' in fault && fault.code === 'ENOENT') return undefined;
    throw fault;
  }
  const kept = parseState(parseJson(text));
  if (kept === undefined) throw new Error('it is damaged');
  if (kept.issuer !== owner.issuer || kept.gatewayId !== owner.gatewayId) {
    throw new Error(`it belongs to gateway "${kept.gatewayId}" of "${kept.issuer}"`);
  }
  return kept;
}

/**
 * Writes the state as a whole, one at a time; readable by the owner only. A change that comes while one is being
 * written goes with the next.
 */
export class RestrictionFile {
  readonly #path: string;
  #running: Promise<string | undefined> = Promise.resolve(undefined);
  #next: Promise<string | undefined> | undefined;

  constructor(path: string) {
    this.#path = path;
  }

  /**
   * @param state asked when its turn comes, so that the newest is written
   * @returns why it could not be written; undefined when it is durable
   */
  save(state: () => KeptState): Promise<string | undefined> {
    this.#next ??= this.#running.then(() => {
      this.#next = undefined;
      return this.#write(state());
    });
    this.#running = this.#next;
    return this.#next;
  }

  /** Resolves when nothing is being written any more. */
  async close(): Promise<void> {
    await this.#running;
  }

  async #write(state: KeptState): Promise<string | undefined> {
    const fresh = `${this.#path}.new`;
    try {
      const file = await open(fresh, 'w', 0o600);
      try {
        await file.writeFile(JSON.stringify({ version: VERSION, ...state }));
        await file.sync();
      } finally {
        await file.close();
      }
      await rename(fresh, this.#path);
      const folder = await open(dirname(this.#path), 'r');
      try {
        // Without this the old name may come back after a power cut.
        await folder.sync();
      } finally {
        await folder.close();
      }
      return undefined;
    } catch (fault) {
      return describeFault(fault);
    }
  }
}

/** Makes the folder, and shows that the state can be kept at this path. @throws Error naming the path */
export function probeStateFile(path: string): void {
  try {
    mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
    closeSync(openSync(`${path}.new`, 'w', 0o600));
  } catch (fault) {
    throw new Error(`${path}: the restriction state cannot be kept here: ${describeFault(fault)}`, { cause: fault });
  }
}

function parseState(value: unknown): KeptState | undefined {
  if (!isRecord(value) || value['version'] !== VERSION) return undefined;
  const { issuer, gatewayId, epoch, counter, sequence } = value;
  const commands = readList(value['commands'], readHeld);
  if (commands === undefined || typeof issuer !== 'string' || typeof gatewayId !== 'string') return undefined;
  if (typeof epoch !== 'number' || typeof counter !== 'number' || typeof sequence !== 'number') return undefined;
  return { issuer, gatewayId, epoch, counter, sequence, commands };
}

function readHeld(value: unknown): HeldCommand | undefined {
  if (!isRecord(value)) return undefined;
  const { agentId, subject } = value;
  const action = COMMAND_ACTIONS.find((known) => known === value['action']);
  const entry = readEntry(value['entry']);
  if (typeof agentId !== 'string' || typeof subject !== 'string') return undefined;
  if (action === undefined || entry === undefined) return undefined;
  const held: HeldCommand = { agentId, action, subject, entry };
  return value['isForgotten'] === true ? { ...held, isForgotten: true } : held;
}
