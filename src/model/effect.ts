import type { AllowanceStatus } from './allowance.js';
import type { BaselineVersion } from './baseline.js';
import type { Command, CommandEvent, Restriction } from './command.js';
import type { FleetLift } from './fleet-lift.js';
import type { Hold } from './hold.js';
import type { Incident } from './incident.js';
import type { Signal } from './signal.js';
import type { WindowSummary } from './window.js';

/**
 * What scoring gives to the world. Effects leave only through the outbox, in the transaction that moves the position
 * and the state, so that a crash neither loses nor doubles one. `incident` and `command` carry the whole current
 * object: a later effect with the same id replaces an earlier one.
 */
export type Effect =
  | { type: 'signal'; value: Signal }
  | { type: 'incident'; value: Incident }
  | { type: 'command'; value: Command }
  | { type: 'command-event'; value: CommandEvent }
  | { type: 'restriction'; value: Restriction }
  | { type: 'hold'; value: Hold }
  | { type: 'fleet-lift'; value: FleetLift }
  | { type: 'baseline'; value: BaselineVersion }
  | { type: 'window'; value: WindowSummary }
  /** For whoever divides the caps among partitions; not stored. */
  | { type: 'allowance'; value: AllowanceStatus };

export type EffectType = Effect['type'];

/** Effects that somebody acts on: they leave at once, and in a cluster all nodes are told of them. */
export const ACTED_ON: ReadonlySet<EffectType> = new Set<EffectType>([
  'incident',
  'command',
  'command-event',
  'restriction',
  'hold',
  'fleet-lift',
  'allowance',
]);

/** An effect with its place in the outbox. Sequence numbers rise by one and are never used twice. */
export interface OutboxEntry {
  sequence: number;
  effect: Effect;
}
