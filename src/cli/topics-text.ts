import { inertText } from '../lib/text/inert-text.js';
import type { SeenTopics } from './sources-answer.js';

const SHOWN_PARTITIONS = 12;
const MAX_ERROR_CHARS = 400;
/** An error that is older has passed, where the source reads. */
const RECENT_MS = 10 * 60_000;

/** Topics that are read, as lines for people; what should be mended begins with an arrow. @param now epoch ms */
export function describeTopics(source: SeenTopics, now: number): string[] {
  const { id, topics, format, groupId, state, records, partitions } = source;
  const behind = partitions.filter(({ lag }) => lag > 0).sort((a, b) => b.lag - a.lag);
  const lag = behind.reduce((sum, one) => sum + one.lag, 0);
  return [
    `topics of ${inertText(id)} (${topics.map((one) => inertText(one)).join(', ')}) as ${inertText(format)}: ${inertText(state)}, ${records} records, group ${inertText(groupId)}`,
    `  ${partitions.length} partitions here, ${lag === 0 ? 'all read to their end' : `${lag} records wait`}`,
    ...behind
      .slice(0, SHOWN_PARTITIONS)
      .map((one) => `    ${inertText(one.topic)} partition ${one.partition}: ${one.lag} wait`),
    ...troublesOf(source, now).map((text) => `  -> ${text}`),
  ];
}

function troublesOf(
  { state, refused, unreadable, lost, strayed, lastError, principalId }: SeenTopics,
  now: number,
): string[] {
  const out: string[] = [];
  const isOld = state === 'reading' && lastError !== undefined && now - lastError.time > RECENT_MS;
  if (lastError !== undefined && !isOld) out.push(`${state}: ${inertText(lastError.message, MAX_ERROR_CHARS)}`);
  if (refused > 0)
    out.push(`${refused} refused; the reasons stand at ${inertText(principalId)}, the records in dead_letters`);
  if (unreadable > 0) out.push(`${unreadable} lie in batches that cannot be read; look for them in dead_letters`);
  if (lost > 0) out.push(`${lost} were deleted before they were read; keep records longer, or read with more nodes`);
  if (strayed > 0) {
    out.push(
      `${strayed} times an agent came from another partition than before, so its order may be lost; key by agent with one partitioner`,
    );
  }
  return out;
}
