import { createInterface } from 'node:readline/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { inertText } from '../lib/text/inert-text.js';
import type { ErasedTable } from '../model/erasure.js';
import { textOf, UsageError, type CliCommand, type CommandContext } from './command.js';
import { OBSERVER_HELP, OBSERVER_OPTIONS, observerOf } from './observer.js';
import { requiredText } from './order.js';

const LOOK_MS = 200;

export const erase: CliCommand = {
  name: 'erase',
  usage: '(--agent ID | --person MAIL_OR_USER_ID) --reason TEXT [--yes | --count]',
  summary: "erase what ClickHouse and the baselines hold of an agent, or of a person's name",
  options: {
    ...OBSERVER_OPTIONS,
    agent: { type: 'string' },
    person: { type: 'string' },
    reason: { type: 'string' },
    yes: { type: 'boolean' },
    count: { type: 'boolean' },
  },
  help: {
    agent: "an agent of the key's tenant; what it has learned is forgotten too",
    person: 'a mail address or user id, wherever it is named',
    reason: 'why; it is kept with your key and the time',
    yes: 'do not ask',
    count: 'only count what there is',
    ...OBSERVER_HELP,
    'key-file': 'file with a key of role admin; PARALLAX_KEY, or the key of this install otherwise',
  },
  run: async (context) => {
    const subject = subjectOf(context);
    const isCount = context.values['count'] === true;
    const reason = isCount ? 'count' : requiredText(context, 'reason');
    const observer = observerOf(context);
    const { out, err } = context.console;
    const found = await observer.countErasure({ ...subject, reason });
    out(found.length === 0 ? 'nothing is stored\n' : tableText(found));
    if (isCount) return 0;
    if (context.values['yes'] !== true && !(await agrees(context))) {
      err('nothing was erased\n');
      return 1;
    }
    const id = await observer.erase({ ...subject, reason });
    for (let waitMs = 0; ; waitMs = LOOK_MS) {
      await sleep(waitMs);
      const { state, tables, cause = '' } = await observer.erasure(id);
      if (state === 'running') continue;
      if (state === 'failed') {
        err(`erasure ${inertText(id)} failed: ${inertText(cause)}\n`);
        return 1;
      }
      const rows = tables.reduce((sum, { deleted, blanked }) => sum + deleted + blanked, 0);
      out(`erasure ${inertText(id)} is done: ${rows} rows in ${tables.length} tables\n${NOT_REACHED}`);
      return 0;
    }
  },
};

const NOT_REACHED =
  'not reached: the records of the log until they are dropped, incidents and commands that scoring still holds, backups, mails and webhooks that were sent; see docs/clickhouse.md\n';

function subjectOf(context: CommandContext): { agentId: string } | { person: string } {
  const [agentId, person] = [textOf(context, 'agent'), textOf(context, 'person')];
  if (agentId !== undefined && person === undefined) return { agentId };
  if (person !== undefined && agentId === undefined) return { person };
  throw new UsageError(`parallax erase ${erase.usage}`);
}

function tableText(tables: readonly ErasedTable[]): string {
  const width = Math.max(...tables.map(({ table }) => table.length));
  const line = ({ table, deleted, blanked }: ErasedTable) =>
    `  ${inertText(table).padEnd(width)}  ${deleted} to delete, ${blanked} to blank\n`;
  return `rows by table:\n${tables.map(line).join('')}`;
}

/** Asks a person; where there is none to ask, nothing is agreed to. */
async function agrees({ console: terminal }: CommandContext): Promise<boolean> {
  if (!terminal.isTerminal || !process.stdin.isTTY) {
    terminal.err('give --yes where nobody can be asked\n');
    return false;
  }
  const prompt = createInterface({ input: process.stdin, output: process.stderr });
  const answer = await prompt.question('Erase this for good? Type "erase": ');
  prompt.close();
  return answer.trim() === 'erase';
}
