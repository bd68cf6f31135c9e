import { setTimeout as sleep } from 'node:timers/promises';
import { inertText, MAX_LINE_CHARS } from '../lib/text/inert-text.js';
import type { SeenRebuild } from './baselines-answer.js';
import { textOf, UsageError, type CommandContext } from './command.js';
import { observerOf } from './observer.js';
import { requiredText } from './order.js';

/** Between two looks at how far it is, ms. */
const LOOK_MS = 500;

/** `parallax baselines rebuild`: orders it, tells how it goes and how it ended. */
export async function rebuildBaseline(context: CommandContext, agentId: string): Promise<number> {
  const [since, until] = [timeOf(context, 'since'), timeOf(context, 'until')];
  const reason = requiredText(context, 'reason');
  const observer = observerOf(context);
  await observer.rebuildBaseline(agentId, {
    reason,
    ...(since !== undefined && { since }),
    ...(until !== undefined && { until }),
  });
  let said = '';
  for (;;) {
    const status = await observer.rebuild(agentId);
    const line = progress(status);
    if (status.state === 'running') {
      if (line !== said) context.console.err(`${line}\n`);
      said = line;
      await sleep(LOOK_MS);
      continue;
    }
    const name = inertText(agentId);
    if (status.state === 'failed') {
      context.console.err(`not made anew: ${inertText(status.message ?? '', MAX_LINE_CHARS)}\n`);
      return 1;
    }
    context.console.out(
      `${line}\n${name} goes on with it; "parallax baselines show ${name}" shows it once it is stored\n`,
    );
    return 0;
  }
}

function progress({ expected, observations, sessions, leftOut }: SeenRebuild): string {
  const left = leftOut === 0 ? '' : `, ${leftOut} left out because their incident is open or was true`;
  return `${observations} of ${expected} observations, ${sessions} sessions learned${left}`;
}

/** Epoch ms. @throws UsageError */
function timeOf(context: CommandContext, name: 'since' | 'until'): number | undefined {
  const text = textOf(context, name);
  if (text === undefined) return undefined;
  const time = Date.parse(text);
  if (Number.isFinite(time) && time >= 0) return time;
  throw new UsageError(`--${name} ${text}: is no time; say it as 2026-11-01 or 2026-11-01T08:00:00Z`);
}
