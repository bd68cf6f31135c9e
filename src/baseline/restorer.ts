import type { ArchivedVersion, Ordered } from '../model/baseline.js';
import type { Activation } from '../model/log-record.js';
import type { ArchivedState, ArchiveReads } from '../store/port.js';
import { WHOLE_TENANT } from './kept-versions.js';
import { STATE_FORMAT } from './packed-state.js';
import type { SealedPlace, StateSeal } from './state-seal.js';

/** Which version of whom; `stateId` (or its beginning) where several states have that number. */
export interface WantedVersion extends SealedPlace {
  stateId?: string;
}

/** What the record of a restore carries beside who ordered it. */
export type Restored = Required<Pick<Activation, 'state' | 'stateId'>> & Pick<Activation, 'tenantState'>;

/** Versions of one number that are looked at: more than one are of data directories that were begun anew. */
const MAX_NAMESAKES = 16;

/**
 * Fetches a version's whole state from the archive for the log, with what the tenant's agents had in common then.
 *
 * @throws whatever keeps the archive from answering
 */
export async function fetchState(
  archive: ArchiveReads,
  seal: StateSeal,
  { stateId = '', ...place }: WantedVersion,
): Promise<Ordered<Restored>> {
  const namesakes = await archive.versions({ ...place, limit: MAX_NAMESAKES });
  const chosen = choose(namesakes, stateId, seal.print);
  if (!('stateId' in chosen)) return chosen;
  const state = await archive.state({ ...place, stateId: chosen.stateId });
  if (state === undefined || !isWhole(state, place, seal)) return damaged(place.version);
  const { tenant } = place;
  const common = await archive.tenantState({ tenant, seedPrint: seal.print, before: chosen.archivedAt });
  const isUsable =
    common !== undefined && isWhole(common, { tenant, agentId: WHOLE_TENANT, version: common.version }, seal);
  return { ok: true, state: state.state, stateId: chosen.stateId, ...(isUsable && { tenantState: common.state }) };
}

function choose(
  namesakes: readonly ArchivedVersion[],
  stateId: string,
  print: string,
): ArchivedVersion | Extract<Ordered, { ok: false }> {
  const meant = namesakes.filter((one) => one.stateId.startsWith(stateId));
  if (meant.length === 0) {
    const fix = 'see what there is: parallax baselines show AGENT lists it';
    return { ok: false, cause: 'unknown', message: 'ClickHouse has no such version of this agent', fix };
  }
  const own = meant.filter(({ seedPrint }) => seedPrint === print);
  const [first] = own;
  if (first === undefined) {
    return {
      ok: false,
      cause: 'foreign',
      message: `this version was learned under another install secret (fingerprint ${meant[0]?.seedPrint ?? ''}, here ${print}): its hashes mean nothing here`,
      fix: "stop, put that install's file install-seed into an empty data directory, start and restore again",
    };
  }
  if (own.length === 1) return first;
  const ids = own.map((one) => one.stateId).join(', ');
  const message = `several states have this number, because the data directory was begun anew: ${ids}, latest first`;
  return { ok: false, cause: 'ambiguous', message, fix: 'say which one with its id' };
}

function isWhole({ format, seal, state }: ArchivedState, place: SealedPlace, own: StateSeal): boolean {
  return format === STATE_FORMAT && own.isIntact(place, state, seal);
}

function damaged(version: number): Extract<Ordered, { ok: false }> {
  return {
    ok: false,
    cause: 'damaged',
    message: `the stored state of version ${version} is damaged, was changed since this install sealed it, or is of another version of this program`,
    fix: 'take another version; GET /v1/baselines/AGENT lists them',
  };
}
