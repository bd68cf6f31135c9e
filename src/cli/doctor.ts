import { inertText } from '../lib/text/inert-text.js';
import { UsageError, type CliCommand } from './command.js';
import { OBSERVER_HELP, OBSERVER_OPTIONS, observerOf } from './observer.js';
import type { SeenSource, SeenSources } from './sources-answer.js';
import { describeTopics } from './topics-text.js';

/** Event times ahead of ours by more than this are a clock that is wrong, ms. */
const AHEAD_MS = 5_000;
/** Records that lag by more come late for their windows, ms. */
const BEHIND_MS = 60_000;
const MAX_REASON_CHARS = 400;

export const doctor: CliCommand = {
  name: 'doctor',
  usage: 'sources',
  summary: 'show what arrived from whom in the last minutes, what was refused or not placed, and how to mend it',
  options: OBSERVER_OPTIONS,
  help: OBSERVER_HELP,
  run: async (context) => {
    if (context.positionals.length !== 1 || context.positionals[0] !== 'sources') {
      throw new UsageError('say what to look at: parallax doctor sources');
    }
    context.console.out(describeSources(await observerOf(context).sources()));
    return 0;
  },
};

/** Everything about each emitter as lines for people; what should be mended begins with an arrow. */
export function describeSources({ now, sources, topics }: SeenSources): string {
  const troubled = sources.filter((source) => troublesOf(source, now).length > 0).length;
  const lines = sources.flatMap((source) => [
    `${inertText(source.principalId)}: ${lastNews(source, now)}`,
    ...source.heard.map((one) => {
      const lag = one.lagMs < 0 ? `${seconds(-one.lagMs)} ahead` : `${seconds(one.lagMs)} behind`;
      return `  ${one.stream} as ${inertText(one.format)}: ${one.records} in the last 15 minutes, latest ${seconds(now - one.lastSeen)} ago, ${lag}`;
    }),
    ...placing(source),
    ...troublesOf(source, now).map((text) => `  -> ${text}`),
  ]);
  const end =
    troubled === 0
      ? `${sources.length} emitters, nothing to mend`
      : `${sources.length} emitters, ${troubled} with something to mend`;
  return `${[...lines, ...topics.flatMap((one) => describeTopics(one, now)), end].join('\n')}\n`;
}

function lastNews({ lastSeen }: SeenSource, now: number): string {
  return lastSeen === undefined
    ? 'nothing has come since the observer started'
    : `heard ${seconds(now - lastSeen)} ago`;
}

function placing({ placedBy }: SeenSource): string[] {
  const found = Object.entries(placedBy).filter(([by]) => by !== 'nothing');
  if (found.length === 0) return [];
  const ways = found.sort(([, a], [, b]) => b - a).map(([by, count]) => `${count} by ${inertText(by)}`);
  return [`  agent and session found: ${ways.join(', ')}`];
}

function troublesOf(source: SeenSource, now: number): string[] {
  const out: string[] = [];
  const { silent, placedBy, refused, refusedInAll, shed, lastSeen } = source;
  if (lastSeen === undefined) {
    out.push('check its endpoint and key: a request with a wrong key is answered 401 and not listed here');
  }
  if (silent !== undefined) {
    const expected = silent.isLearned ? 'its longest pauses suggest' : 'silentAfterMs says';
    out.push(
      `silent for ${seconds(silent.forMs)}, ${expected} ${seconds(silent.expectedMs)}; see whether it runs and reaches the observer`,
    );
  }
  const told = refused.reduce((sum, { count }) => sum + count, 0);
  for (const { format, field, reason, count } of refused) {
    const where = field === '' ? '' : `${inertText(field)}: `;
    out.push(`${count} refused as ${inertText(format)}: ${where}${inertText(reason, MAX_REASON_CHARS)}`);
  }
  if (refusedInAll > told)
    out.push(`${refusedInAll - told} more refused for other reasons; dead_letters has each of them`);
  const lost = placedBy['nothing'] ?? 0;
  if (lost > 0) {
    out.push(
      `${lost} not placed by trace, call or conversation; set gen_ai.agent.id and gen_ai.conversation.id, or send the spans around them too`,
    );
  }
  for (const { stream, observations, payloads } of shed) {
    out.push(
      `over its quota: ${observations} ${stream} records and the content of ${payloads} more were not kept; raise its quota, or let it send less`,
    );
  }
  for (const { stream, lagMs, lastSeen: at } of source.heard) {
    if (now - at > BEHIND_MS) continue;
    if (lagMs < -AHEAD_MS) out.push(`the clock behind its ${stream} stream is ${seconds(-lagMs)} ahead; set it`);
    if (lagMs > BEHIND_MS) {
      out.push(`its ${stream} stream comes ${seconds(lagMs)} late; let it export more often, or set its clock`);
    }
  }
  // A stream that comes in two formats has one clock.
  return [...new Set(out)];
}

function seconds(ms: number): string {
  if (ms < 10_000) return `${(ms / 1_000).toFixed(1)} s`;
  return ms < 600_000 ? `${Math.round(ms / 1_000)} s` : `${Math.round(ms / 60_000)} min`;
}
