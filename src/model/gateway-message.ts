import type { Command, Restriction } from './command.js';

/** Everything that is restricted for whom the message is for; true up to `sequence`. */
export interface RestrictionState {
  sequence: number;
  restrictions: Restriction[];
}

/**
 * What a gateway is told, by whatever way. The first message of a connection that has nothing to resume from is the
 * full `state`; a `restriction` is the full state of one agent; a `command` says why. `sequence` is the message's place
 * in the outbox: a gateway that has seen it continues after it.
 */
export type GatewayMessage =
  | { type: 'state'; sequence: number; data: RestrictionState }
  | { type: 'restriction'; sequence: number; data: Restriction }
  | { type: 'command'; sequence: number; data: Command };
