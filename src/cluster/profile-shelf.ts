import { profileVersion, type ClassContribution, type ClassPlace } from '../baseline/class-profile.js';
import type { StateSeal } from '../baseline/state-seal.js';
import type { ReceivedRecord } from '../kafka/port.js';
import { DROP_REASONS, readProfileRecord, type DropReason, type GivenOut } from './profile-records.js';

/** Most text of contributions that is held, and what each of them costs besides. */
const MAX_HELD_CHARS = 128 * 1024 * 1024;
const OVERHEAD_CHARS = 1_024;

interface HeldClass extends ClassPlace {
  /** The last of each partition. */
  contributions: Map<number, ClassContribution>;
  givenOut: GivenOut | undefined;
  /** When the first came that was not looked at yet, epoch ms. */
  changedAt: number | undefined;
}

/** A class of which there may be a new version. */
export interface DueClass extends ClassPlace {
  version: string;
  contributions: ClassContribution[];
}

export interface ShelfOptions {
  partitions: number;
  seal: StateSeal;
  /** At most one version of a class in so long, ms. */
  restMs: number;
  /** So long others may take that give at about the same time, ms. */
  settleMs: number;
  maxHeldChars?: number;
  /** Told of every record that counts for nothing. */
  dropped: (reason: DropReason, offset: number) => void;
}

/** All contributions of the topic that this install made, by class, while this node leads. */
export class ProfileShelf {
  readonly #options: ShelfOptions;
  readonly #classes = new Map<string, HeldClass>();
  #heldChars = 0;
  #position = 0;

  constructor(options: ShelfOptions) {
    this.#options = options;
  }

  /** Offset of the next record to read. */
  get position(): number {
    return this.#position;
  }

  /** Takes in records of the topic, in order. @param now epoch ms */
  take(records: readonly ReceivedRecord[], now: number): void {
    const { seal, partitions, dropped } = this.#options;
    for (const record of records) {
      // After a break reading may begin a little before.
      if (record.offset < this.#position) continue;
      this.#position = record.offset + 1;
      const read = readProfileRecord(record, seal, partitions);
      // What was held stays: a record that somebody else put in its place takes nothing away.
      if ('dropped' in read) dropped(read.dropped, record.offset);
      else if ('givenOut' in read) this.#note(read.givenOut, now);
      else if (!this.#hold(read.contribution, now)) dropped('full', record.offset);
    }
  }

  /**
   * The next class of which there is another version than the one that was given out last.
   *
   * @param now epoch ms
   */
  next(now: number): DueClass | undefined {
    const { restMs, settleMs } = this.#options;
    for (const held of this.#classes.values()) {
      const { changedAt, givenOut } = held;
      if (changedAt === undefined || held.contributions.size === 0) continue;
      if (!isOver(changedAt, settleMs, now) || (givenOut !== undefined && !isOver(givenOut.at, restMs, now))) continue;
      held.changedAt = undefined;
      const contributions = [...held.contributions.values()];
      const { tenant, agentClass, version } = profileVersion(held, contributions);
      if (version !== givenOut?.version) return { tenant, agentClass, version, contributions };
    }
    return undefined;
  }

  /** A class whose version did not get everywhere is looked at again. @param now epoch ms */
  putBack({ tenant, agentClass }: ClassPlace, now: number): void {
    this.#class(tenant, agentClass).changedAt ??= now;
  }

  #note(givenOut: GivenOut, now: number): void {
    const held = this.#class(givenOut.tenant, givenOut.agentClass);
    held.givenOut = givenOut;
    // Another node may have led meanwhile, and known less.
    held.changedAt ??= now;
  }

  #hold(contribution: ClassContribution, now: number): boolean {
    const { maxHeldChars = MAX_HELD_CHARS } = this.#options;
    const { tenant, agentClass, partition, state } = contribution;
    const held = this.#class(tenant, agentClass);
    const before = held.contributions.get(partition);
    const total = this.#heldChars + state.length + (before === undefined ? OVERHEAD_CHARS : -before.state.length);
    if (total > maxHeldChars) return false;
    this.#heldChars = total;
    held.contributions.set(partition, contribution);
    held.changedAt ??= now;
    return true;
  }

  #class(tenant: string, agentClass: string): HeldClass {
    const key = JSON.stringify([tenant, agentClass]);
    const held = this.#classes.get(key) ?? {
      tenant,
      agentClass,
      contributions: new Map<number, ClassContribution>(),
      givenOut: undefined,
      changedAt: undefined,
    };
    this.#classes.set(key, held);
    return held;
  }
}

/** How many records counted for nothing, by reason. */
export function noDrops(): Record<DropReason, number> {
  return Object.fromEntries(DROP_REASONS.map((reason) => [reason, 0])) as Record<DropReason, number>;
}

/** Whether a time has passed; a clock that was set back must not put anything off. */
function isOver(since: number, ms: number, now: number): boolean {
  return now - since >= ms || now < since;
}
