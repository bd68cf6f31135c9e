import type { Signal } from '../model/signal.js';
import type { NovelCall } from './novelty.js';
import { decayed, STREAM_CAP_NATS, type SessionRisk } from './risk.js';

/** What the shifts of one class explain. */
export interface Damping {
  /** What of a call's risk a shift explains, nats; undefined where none is about it. */
  call: (call: NovelCall) => { nats: number; shiftId: string } | undefined;
  /** The shift that explains a signal. */
  signal: (signal: Signal) => string | undefined;
}

/** A session's risk without what its peers explain. */
export interface DampedRisk {
  nats: number;
  /** The shift that explains most; undefined where none explains anything. */
  shiftId: string | undefined;
}

/** Novel calls told apart per session; a further one counts in full. */
const MAX_NOVEL_CALLS = 8;

/** Takes a call into the risk that peers may explain later. Changes `risk` in place. */
export function addCall(risk: SessionRisk, callNats: number, novel: NovelCall | undefined): void {
  if (novel === undefined || (risk.novelCalls?.length ?? 0) >= MAX_NOVEL_CALLS) {
    risk.plainNats = Math.max(risk.plainNats, callNats);
    return;
  }
  (risk.novelCalls ??= []).push(novel);
}

/** The risk that is left when everything that peers share is taken away, at an event time. */
export function dampedRisk(risk: SessionRisk, time: number, damping: Damping): DampedRisk {
  let callNats = risk.plainNats;
  let most = 0;
  let shiftId = risk.softShiftId;
  for (const novel of risk.novelCalls ?? []) {
    const explained = damping.call(novel);
    callNats = Math.max(callNats, novel.nats - (explained?.nats ?? 0));
    if (explained === undefined || explained.nats <= most) continue;
    most = explained.nats;
    shiftId = explained.shiftId;
  }
  let nats = callNats === Number.NEGATIVE_INFINITY ? 0 : callNats;
  // In the order in which the whole risk is summed up, so that without a shift both are the same to the last bit.
  for (const [stream, evidence] of Object.entries(risk.streams)) {
    const soft = risk.softStreams?.[stream];
    const firm = decayed(evidence, time) - (soft === undefined ? 0 : decayed(soft, time));
    nats += Math.min(Math.max(0, firm), STREAM_CAP_NATS);
  }
  return { nats, shiftId };
}

/** Notes signals that a shift explains, so that they can be taken away from their stream. Changes `risk` in place. */
export function addExplained(risk: SessionRisk, signals: readonly Signal[], damping: Damping): void {
  for (const signal of signals) {
    const stream = signal.streams[0];
    if (signal.ingredient || signal.shadow || signal.violation || stream === undefined) continue;
    const shiftId = damping.signal(signal);
    if (shiftId === undefined) continue;
    const soft = (risk.softStreams ??= {});
    const held = soft[stream];
    const before = held === undefined ? 0 : decayed(held, signal.time);
    soft[stream] = { nats: before + signal.nats, time: Math.max(signal.time, held?.time ?? 0) };
    risk.softShiftId = shiftId;
  }
}
