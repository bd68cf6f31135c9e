import { createWriteStream } from 'node:fs';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { RecordedContent } from './recorded-content.js';
import { readRecordedSteps, toStep } from './recorded-session.js';

/**
 * Writes what every recorded call came to, one JSON line a call: the table from which the reference gateway's
 * simulated tools answer.
 */
export async function writeOutcomes(files: readonly string[], content: RecordedContent, target: string): Promise<void> {
  await pipeline(Readable.from(outcomeLines(files, content)), createWriteStream(target, { mode: 0o600 }));
}

async function* outcomeLines(files: readonly string[], content: RecordedContent): AsyncGenerator<string> {
  for (const file of files) {
    for await (const { event } of readRecordedSteps(file)) {
      if (event.type !== 'tool_call') continue;
      const [call] = toStep(event).observations;
      if (call?.kind !== 'tool_call') continue;
      const text = content.textOf(event.sessionId, event.seq);
      const outcome = {
        sessionId: event.sessionId,
        callId: event.callId,
        tool: call.tool,
        effect: event.effect,
        ...(call.decision === 'deny' ? { refused: call.reason ?? 'refused by the recorded policy' } : {}),
        ...(call.error === undefined ? {} : { error: call.error }),
        resultClass: event.resultSizeClass,
        ...(text === undefined ? {} : { text }),
      };
      yield `${JSON.stringify(outcome)}\n`;
    }
  }
}
