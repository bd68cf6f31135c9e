import { map, type OperatorFunction } from 'rxjs';
import type { EventTimeJoin } from './event-time-join.js';
import type { JoinInput, JoinOutput } from './port.js';

/**
 * The join as an RxJS operator: slices of the log in, what follows from them out, synchronously and one for one.
 *
 * RxJS has no backpressure, so the caller pulls: push a slice only when the last one's outputs are dealt with. A
 * record that cannot be joined comes out as a `fault`; the stream never ends by it.
 *
 * @param join holds the state, which outlives a subscription and is stored and restored by the caller
 */
export function joinWindows(join: EventTimeJoin): OperatorFunction<readonly JoinInput[], JoinOutput[]> {
  return map((slice) => join.push(slice));
}
