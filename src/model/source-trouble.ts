import type { Stream } from './observation.js';

/** Name of the detector that troubles with emitters are signals of. */
export const SOURCE_INTEGRITY = 'source-integrity';

/** What may be wrong with an emitter; see docs/decisions/0028-trust-at-the-door.md for what each is worth. */
export const SOURCE_TROUBLES = [
  'bad-signature',
  'forged-agent',
  'replay',
  'gap',
  'shed',
  'silent',
  'unreadable',
] as const;
export type SourceTroubleKind = (typeof SOURCE_TROUBLES)[number];

/** What intake noticed about an emitter and no observation says. A record of the log, so that a replay finds the same. */
export interface SourceTrouble {
  /** Deterministic: emitter, kind, what it is about, and which report of the episode this is. */
  id: string;
  /** Processing time, epoch ms. */
  time: number;
  tenant: string;
  /** The emitter: id of its API key. */
  principalId: string;
  kind: SourceTroubleKind;
  /** Processing time at which this run of trouble began, epoch ms: one run is one incident. */
  since: number;
  /** How often in this run so far: records, batches, or for `silent` the ms without news. */
  count: number;
  /** For `shed`. */
  stream?: Stream;
  /** One bounded line for people. */
  detail: string;
}
