import { deflateRaw, deflateRawSync, inflateRawSync } from 'node:zlib';
import { promisify } from 'node:util';
import { decodeState, encodeState } from '../lib/state-table.js';
import type { AgentHabits } from './agent-habits.js';
import type { PlainBaseline } from './agent-baseline.js';
import type { Calibration } from './calibration.js';
import type { ClassProfile, ClassState } from './class-profile.js';
import type { PastSession } from './history.js';

/** Shape of what is packed here. A program refuses shapes that it does not know: raise it with every change. */
export const STATE_FORMAT = 1;
/** Largest state that is unpacked: many times what the caps of a baseline allow. */
const MAX_BYTES = 64 * 1024 * 1024;

/** The whole state of an agent's version. */
export interface AgentState {
  baseline: PlainBaseline;
  /** How its sessions usually look; absent where an earlier version of this program kept it. */
  habits?: AgentHabits;
}

/** What a tenant's agents have in common: scores and thresholds rest on it beside each agent's own state. */
export interface TenantState {
  /** By class of agents. */
  pools: (readonly [peers: string, pool: PlainBaseline])[];
  /** Sessions in all pools. */
  pooledSessions: number;
  calibration: Calibration;
}

/** A baseline made anew, and the newest sessions it was made from. */
export interface RebuiltState {
  baseline: PlainBaseline;
  past: Pick<PastSession, 'facts'>[];
}

const deflate = promisify(deflateRaw);

/** Text of encoded bytes, compressed off this thread; `unpackState` gives the value back. */
export async function packBytes(bytes: Uint8Array): Promise<string> {
  return (await deflate(bytes)).toString('base64');
}

export function packState(state: AgentState | TenantState | RebuiltState | ClassState | ClassProfile): string {
  return deflateRawSync(encodeState(state)).toString('base64');
}

/**
 * The value that was packed. Only for texts whose seal was checked, or from the log: decoding trusts its input.
 *
 * @throws RangeError where it is damaged or too large
 */
export function unpackState(packed: string): unknown {
  try {
    return decodeState(inflateRawSync(Buffer.from(packed, 'base64'), { maxOutputLength: MAX_BYTES }));
  } catch (cause) {
    throw new RangeError('the packed state is damaged', { cause });
  }
}
