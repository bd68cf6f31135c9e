import { SETTINGS } from './settings.js';

const KEPT = Math.exp(-1 / SETTINGS.fatigueRows);

/** What the series has alarmed about so far. Plain data: stored as it is. */
export interface AlarmMemory {
  /** Rows left in which only a clearly higher surprise alarms. */
  coolDown: number;
  /** Surprise of the last alarm, nats. */
  peak: number;
  /** Alarms, older ones counting less. */
  recent: number;
}

export function newAlarmMemory(): AlarmMemory {
  return { coolDown: 0, peak: 0, recent: 0 };
}

/** Surprise less what the series' latest alarms have used up, nats; and whether it alarms. */
export function weigh({ coolDown, peak, recent }: AlarmMemory, nats: number): { nats: number; isAlarm: boolean } {
  const left = nats - SETTINGS.fatigueNats * recent * KEPT;
  const isQuiet = coolDown > 0 && nats < peak * SETTINGS.rise;
  return { nats: left, isAlarm: !isQuiet && left > SETTINGS.alarmNats };
}

/** @param nats surprise of the row before it was weighed */
export function remember(memory: AlarmMemory, nats: number, isAlarm: boolean): void {
  memory.recent *= KEPT;
  if (memory.coolDown > 0) memory.coolDown--;
  if (!isAlarm) return;
  memory.coolDown = SETTINGS.coolDownRows;
  memory.peak = nats;
  memory.recent++;
}
