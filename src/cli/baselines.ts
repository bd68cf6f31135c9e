import { numberLeaves } from '../lib/number-leaves.js';
import { inertText, MAX_LINE_CHARS } from '../lib/text/inert-text.js';
import { dayTime } from '../lib/utc-text.js';
import { ORIGIN_FEATURES } from '../model/baseline.js';
import type { SeenBaseline, SeenBaselineDiff, SeenSummary, SeenVersion } from './baselines-answer.js';
import { rebuildBaseline } from './baseline-rebuild.js';
import { textOf, UsageError, type CliCommand, type CommandContext } from './command.js';
import { OBSERVER_HELP, OBSERVER_OPTIONS, observerOf } from './observer.js';
import { requiredText } from './order.js';

/** Entries shown of each feature. */
const SHOWN = 6;

export const baselines: CliCommand = {
  name: 'baselines',
  usage:
    'show AGENT [--version N] | diff AGENT N M | rollback AGENT N --reason TEXT | restore AGENT N --reason TEXT | rebuild AGENT [--since TIME] [--until TIME] --reason TEXT',
  summary: 'show what is normal for an agent and what changed in it, take it back to a version, or make it anew',
  options: {
    ...OBSERVER_OPTIONS,
    version: { type: 'string' },
    state: { type: 'string' },
    since: { type: 'string' },
    until: { type: 'string' },
    reason: { type: 'string' },
  },
  help: {
    version: 'show: this version instead of the newest',
    state: 'restore: which state, where ClickHouse has several of that version',
    since: 'rebuild: from observations of this time on, such as 2026-11-01 or 2026-11-01T08:00:00Z',
    until: 'rebuild: from observations before this time',
    reason: 'rollback, restore, rebuild: why; it is recorded with your key',
    ...OBSERVER_HELP,
  },
  run: async (context) => {
    const [verb, agentId, ...numbers] = context.positionals;
    if (agentId === undefined) throw misuse();
    if (verb === 'show' && numbers.length === 0) return show(context, agentId);
    if (verb === 'diff' && numbers.length === 2) return diff(context, agentId, numbers);
    if (verb === 'rollback' && numbers.length === 1) return rollback(context, agentId, numbers);
    if (verb === 'restore' && numbers.length === 1) return restore(context, agentId, numbers);
    if (verb === 'rebuild' && numbers.length === 0) return rebuildBaseline(context, agentId);
    throw misuse();
  },
};

async function show(context: CommandContext, agentId: string): Promise<number> {
  const text = textOf(context, 'version');
  const version = text === undefined ? undefined : versionOf(text);
  const baseline = await observerOf(context).baseline(agentId, version);
  context.console.out(describe(baseline));
  return 0;
}

async function diff(context: CommandContext, agentId: string, [from, to]: readonly string[]): Promise<number> {
  const versions = { from: versionOf(from), to: versionOf(to) };
  context.console.out(describeDiff(await observerOf(context).baselineDiff(agentId, versions)));
  return 0;
}

async function rollback(context: CommandContext, agentId: string, [number]: readonly string[]): Promise<number> {
  const version = versionOf(number);
  const reason = requiredText(context, 'reason');
  await observerOf(context).rollBack(agentId, { version, reason });
  const name = inertText(agentId);
  context.console.out(
    `ordered: ${name} goes back to version ${version}, under a new number; "parallax baselines show ${name}" shows it once it is stored\n`,
  );
  return 0;
}

async function restore(context: CommandContext, agentId: string, [number]: readonly string[]): Promise<number> {
  const version = versionOf(number);
  const reason = requiredText(context, 'reason');
  const stateId = textOf(context, 'state');
  await observerOf(context).restoreBaseline(agentId, { version, reason, ...(stateId !== undefined && { stateId }) });
  const name = inertText(agentId);
  context.console.out(
    `ordered: ${name} gets version ${version} back from ClickHouse, under a new number; "parallax baselines show ${name}" shows it once it is stored\n`,
  );
  return 0;
}

function describe({ features, kept, archived, ...summary }: SeenBaseline): string {
  const rows = features
    .filter(({ feature }) => !ORIGIN_FEATURES.some((name) => name === feature))
    .map(({ feature, sampleCount, state }) => {
      const leaves = [...numberLeaves(state)];
      const shown = leaves.slice(0, SHOWN).map(([name, value]) => `${inertText(name)} ${figure(value)}`);
      const more = leaves.length > SHOWN ? `, and ${leaves.length - SHOWN} more` : '';
      return `  ${inertText(feature).padEnd(18)}${String(sampleCount).padStart(8)}  ${shown.join(', ')}${more}\n`;
    });
  const ways = kept.map(wayBack);
  const others = archived.filter(({ version }) => !kept.some((one) => one.version === version));
  const isAmbiguous = new Set(others.map(({ version }) => version)).size < others.length;
  const stored = others.map((one) => (isAmbiguous ? `${wayBack(one)} state ${inertText(one.stateId)}` : wayBack(one)));
  return [
    heading(summary),
    `  ${'feature'.padEnd(18)}${'samples'.padStart(8)}  usual\n`,
    ...rows,
    ways.length === 0 ? 'no version is kept to go back to\n' : `kept to go back to: ${ways.join(', ')}\n`,
    stored.length === 0 ? '' : `to restore from ClickHouse: ${stored.slice(0, SHOWN).join(', ')}\n`,
    moreOf(stored.length, 'in ClickHouse'),
  ].join('');
}

function wayBack({ version, sessionCount, time }: SeenVersion): string {
  return `${version} (${sessionCount} sessions, ${dayTime(time)})`;
}

function describeDiff({ from, to, features }: SeenBaselineDiff): string {
  const lines = features.flatMap((change) => {
    const value = change.unit === 'share' ? percent : figure;
    const { added, addedCount, removed, removedCount, shifted, shiftedCount } = change;
    const { feature, sampleCount } = change;
    return [
      `${inertText(feature)} (samples ${sampleCount.from} > ${sampleCount.to})\n`,
      ...added.slice(0, SHOWN).map((one) => `  + ${inertText(one.name)} ${value(one.to)}\n`),
      moreOf(addedCount, 'added'),
      ...removed.slice(0, SHOWN).map((one) => `  - ${inertText(one.name)} ${value(one.from)}\n`),
      moreOf(removedCount, 'removed'),
      ...shifted.slice(0, SHOWN).map((one) => `  ~ ${inertText(one.name)} ${value(one.from)} > ${value(one.to)}\n`),
      moreOf(shiftedCount, 'shifted'),
    ];
  });
  const nothing = lines.length === 0 ? ['nothing is different\n'] : [];
  return [`from ${heading(from)}`, `to ${heading(to)}`, ...lines, ...nothing].join('');
}

function heading({ agentId, version, time, status, sessionCount, ...origin }: SeenSummary): string {
  const first = `${inertText(agentId)} version ${version}, ${dayTime(time)}, ${sessionCount} sessions, ${inertText(status)}\n`;
  const { rollback: back, restore: again, rebuild: anew } = origin;
  const said = ({ by, reason }: { by: string; reason: string }) =>
    `by ${inertText(by)}: ${inertText(reason, MAX_LINE_CHARS)}\n`;
  return [
    first,
    back === undefined ? '' : `  taken back to version ${back.toVersion} ${said(back)}`,
    again === undefined ? '' : `  version ${again.fromVersion} restored from ClickHouse ${said(again)}`,
    anew === undefined ? '' : `  made anew from ${anew.sessions} sessions, ${anew.leftOut} left out, ${said(anew)}`,
  ].join('');
}

function moreOf(count: number, what: string): string {
  return count > SHOWN ? `    and ${count - SHOWN} more ${what}\n` : '';
}

function figure(value: number): string {
  return Number.isInteger(value) ? String(value) : value.toFixed(2);
}

function percent(share: number): string {
  return `${(100 * share).toFixed(1)} %`;
}

/** @throws UsageError */
function versionOf(text = ''): number {
  const version = Number(text);
  if (Number.isSafeInteger(version) && version >= 1) return version;
  throw new UsageError(`${text}: is no version; say a whole number from 1 on`);
}

function misuse(): UsageError {
  return new UsageError(`say what to do: parallax baselines ${baselines.usage}`);
}
