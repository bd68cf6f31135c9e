import type { Intake } from '../../api/port.js';
import type { Principal } from '../../model/principal.js';
import type { TopicSourceReport } from '../../model/source-report.js';
import type { TopicSourceConfig } from '../../model/source-settings.js';
import type { RefusedRecord } from '../../model/wire.js';
import type { InOrder } from './in-order.js';
import type { AgentPartitions } from './agent-partitions.js';
import { GivenUpError, patientIntake } from './patient-intake.js';
import type { TopicDoors } from './port.js';
import { placedValue, readValues, refusal, type PlacedValue } from './read-values.js';
import type { Slice } from './slices.js';

/** Format of a slice whose header names none that is allowed. */
export const NO_FORMAT = '';

/** A partition that is read here. */
export interface Reading {
  topic: string;
  partition: number;
  /** Offset of the next record that is not in the log yet. */
  position: number;
  highWatermark: number;
  /** Aborts when the partition is others'. */
  over: AbortController;
  isWaiting: boolean;
  /** What is on its way into the log. */
  taking: InOrder;
}

export interface SliceTakerParts {
  settings: TopicSourceConfig;
  principal: Principal;
  doors: TopicDoors;
  agents: AgentPartitions;
  /** Told of what is waited for, and of faults. */
  failed: (error: unknown) => void;
  notice: (message: string, facts: Record<string, unknown>) => void;
}

/** Puts slices of partitions into the log, however long that takes. */
export class SliceTaker {
  readonly counters: Pick<TopicSourceReport, 'accepted' | 'refused' | 'waits'> = { accepted: 0, refused: 0, waits: 0 };
  readonly #parts: SliceTakerParts;
  #hasNoticedStrays = false;

  constructor(parts: SliceTakerParts) {
    this.#parts = parts;
  }

  /** Resolves when the log has the slice. @returns false where the partition was given up before */
  async take(slice: Slice, reading: Reading): Promise<boolean> {
    const { topic, partition } = reading;
    const place = { sourceId: this.#parts.settings.id, topic, partition };
    const values = slice.records.map((record) => placedValue(record, place));
    return this.#untilTaken(reading, (intake) => this.#hand(slice.format, values, reading, intake));
  }

  /** The same for what was refused before it was read. */
  async refuse(refused: readonly RefusedRecord[], reading: Reading): Promise<boolean> {
    return this.#untilTaken(reading, (intake) => this.#refuse(refused, intake));
  }

  async #untilTaken(reading: Reading, hand: (intake: Intake) => Promise<void>): Promise<boolean> {
    const { signal } = reading.over;
    const intake = patientIntake(this.#parts.doors.intake, {
      signal,
      told: (error) => {
        reading.isWaiting = error !== undefined;
        if (error === undefined) return;
        this.counters.waits++;
        this.#parts.failed(error);
      },
      taken: ({ accepted, refused }) => {
        this.counters.accepted += accepted;
        this.counters.refused += refused.length;
      },
    });
    try {
      await hand(intake);
      return !signal.aborted;
    } catch (error) {
      if (error instanceof GivenUpError) return false;
      throw error;
    }
  }

  /** Hands over all values; one by one where something in them brings the program to a fault. */
  async #hand(format: string, values: readonly PlacedValue[], reading: Reading, intake: Intake): Promise<void> {
    const { failed, notice, settings } = this.#parts;
    try {
      await this.#handAll(format, values, reading, intake);
    } catch (error) {
      if (error instanceof GivenUpError) throw error;
      failed(error);
      const stack = error instanceof Error ? (error.stack ?? error.message) : String(error);
      notice('a record of a topic cannot be taken in', { source: settings.id, error: stack });
      const [only, ...more] = values;
      if (only === undefined) throw error;
      if (more.length > 0) {
        for (const one of values) await this.#hand(format, [one], reading, intake);
        return;
      }
      await this.#refuse([refusal(0, only, `cannot be taken in (${nameOf(error)}); see the observer's log`)], intake);
    }
  }

  async #handAll(
    format: string,
    values: readonly PlacedValue[],
    { topic, partition }: Reading,
    intake: Intake,
  ): Promise<void> {
    if (values.length === 0) return;
    const { doors, principal, settings } = this.#parts;
    if (format === NO_FORMAT) {
      const reason = `its header ${settings.formatHeader?.name ?? ''} names no format out of formatHeader.formats`;
      await this.#refuse(
        values.map((one, index) => refusal(index, one, reason)),
        intake,
      );
      return;
    }
    const watched: Intake = {
      accept: (records, refused, by, as) =>
        intake.accept(records, refused, by, as, ({ agentId }) => this.#noteAgent(topic, agentId, partition)),
    };
    const read = readValues(values, { format, doors, maxBytes: settings.maxMessageBytes });
    if (read.exports.length > 0) await doors.exports(read.exports, principal, watched);
    if (format.startsWith('otlp_')) await this.#refuse(read.refused, intake);
    else await watched.accept(read.records, read.refused, principal, format);
  }

  async #refuse(refused: readonly RefusedRecord[], intake: Intake): Promise<void> {
    if (refused.length > 0) await intake.accept([], refused, this.#parts.principal);
  }

  #noteAgent(topic: string, agentId: string, partition: number): void {
    const { agents, notice, settings } = this.#parts;
    if (!agents.note(topic, agentId, partition) || this.#hasNoticedStrays) return;
    this.#hasNoticedStrays = true;
    notice(
      'one agent comes from several partitions of a topic: its order is lost where they are read at different times; key by agent, with one partitioner',
      { source: settings.id, topic, agentId },
    );
  }
}

function nameOf(error: unknown): string {
  if (!(error instanceof Error)) return 'error';
  return 'code' in error && typeof error.code === 'string' ? error.code : error.name;
}
