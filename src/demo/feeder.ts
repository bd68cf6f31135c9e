import type { WireObservation } from '../model/wire.js';
import type { ObserverClient, Speaker } from '../sources/port.js';
import { auditOf, type Happening } from './rhythm.js';

const SPEAKERS: readonly Speaker[] = ['governance', 'agent-runtime', 'gateway', 'platform'];

/**
 * Sends what happened in one stretch of event time as fast as the observer takes it, each stream under its own key.
 *
 * Within a session the order over the streams is kept: what speaks later is sent only when what came before is
 * acknowledged. Sessions do not wait for each other, so that a few large requests carry a whole shift. Of the machines'
 * measurements one comes first and the others last: the observer takes its time from the slowest stream, so that nothing
 * counts as late meanwhile.
 *
 * @throws Error when the observer refuses a record
 */
export async function feed(
  observer: Pick<ObserverClient, 'post'>,
  keys: Readonly<Record<Speaker, string>>,
  happenings: readonly Happening[],
): Promise<number> {
  let sent = 0;
  for (const round of roundsOf(happenings)) {
    await Promise.all(
      SPEAKERS.map(async (speaker) => {
        const observations = round[speaker];
        if (observations.length === 0) return;
        const [refused] = await observer.post(observations, keys[speaker]);
        if (refused !== undefined)
          throw new Error(`the observer refused ${speaker}: ${refused.field} ${refused.reason}`);
        sent += observations.length;
      }),
    );
  }
  return sent;
}

type Round = Record<Speaker, WireObservation[]>;

function roundsOf(happenings: readonly Happening[]): Round[] {
  const rounds: Round[] = [];
  const measured: WireObservation[] = [];
  const reached = new Map<string, { round: number; speaker: Speaker }>();
  for (const happening of happenings) {
    const { speaker, sessionId } = happening;
    const observations = speaker === 'gateway' ? auditOf(happening) : [happening.observation];
    if (speaker === 'platform') {
      measured.push(...observations);
      continue;
    }
    const last = reached.get(sessionId);
    const at = last === undefined ? 0 : last.round + (last.speaker === speaker ? 0 : 1);
    reached.set(sessionId, { round: at, speaker });
    const round = (rounds[at] ??= emptyRound());
    round[speaker].push(...observations);
  }
  return [
    { ...emptyRound(), platform: measured.slice(0, 1) },
    ...rounds,
    { ...emptyRound(), platform: measured.slice(1) },
  ];
}

function emptyRound(): Round {
  return { governance: [], 'agent-runtime': [], gateway: [], platform: [] };
}
