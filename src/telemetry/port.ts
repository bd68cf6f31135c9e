import type { Heartbeat, Readiness } from '../model/health.js';
import type { Principal } from '../model/principal.js';

/** What the service tells of itself to the systems that run and watch it. */
export interface OperationsBoard {
  /** False where only a new start can help. */
  isAlive(): boolean;
  readiness(): Readiness;
  /** Whether somebody may see numbers of the whole install. */
  mayMeasure(principal: Principal): boolean;
  metrics(): Promise<{ contentType: string; text: string }>;
  /** The newest sign of life; undefined where scoring has not gone all the way for too long. */
  heartbeat(): Promise<Heartbeat | undefined>;
}
