import { parseArgs } from 'node:util';
import { UsageError, type CliCommand, type Console } from './cli/command.js';
import { backup, restore } from './cli/backup.js';
import { baselines } from './cli/baselines.js';
import { clickhouse } from './cli/clickhouse.js';
import { config } from './cli/config.js';
import { contain } from './cli/contain.js';
import { approvals } from './cli/approvals.js';
import { containments } from './cli/containments.js';
import { approve, reject } from './cli/decide.js';
import { demo } from './cli/demo.js';
import { detectors } from './cli/detectors.js';
import { discovery } from './cli/discovery.js';
import { doctor } from './cli/doctor.js';
import { erase } from './cli/erase.js';
import { evaluate } from './cli/evaluate.js';
import { gateway } from './cli/gateway.js';
import { kafka } from './cli/kafka.js';
import { keys } from './cli/keys.js';
import { lift } from './cli/lift.js';
import { map } from './cli/map.js';
import { notify } from './cli/notify.js';
import { policy } from './cli/policy.js';
import { replay } from './cli/replay.js';
import { scoreMetrics } from './cli/score-metrics.js';
import { serve } from './cli/serve.js';
import { watch } from './cli/watch.js';
import { ConfigError } from './config.js';
import { DetectorError } from './detect/loader.js';
import { LearningError } from './baseline/learning.js';
import { LibraryError } from './governance/library-loader.js';
import { MappingError } from './normalize/mapping/mapping-folder.js';
import { packageVersion } from './lib/package-root.js';

const COMMANDS: readonly CliCommand[] = [
  serve,
  gateway,
  demo,
  watch,
  replay,
  evaluate,
  scoreMetrics,
  detectors,
  contain,
  lift,
  approve,
  reject,
  approvals,
  containments,
  baselines,
  discovery,
  doctor,
  map,
  policy,
  kafka,
  keys,
  notify,
  erase,
  backup,
  restore,
  clickhouse,
  config,
];

/** Errors whose message says what to do; a stack would only hide it. */
const EXPECTED = new Set([
  'BackupError',
  'ConfigError',
  'UsageError',
  'DetectorError',
  'LearningError',
  'LibraryError',
  'MappingError',
  'DirectoryHeldError',
  'FormatError',
  'KafkaError',
  'ListenError',
  'ObserverError',
  'RecordedDataError',
  'ReplayError',
  'SigningKeysError',
]);

/**
 * The command line.
 *
 * @param args without the program's name
 * @returns the exit code: 0 done, 1 failed, 2 wrong use or wrong configuration
 */
export async function main(args: string[]): Promise<number> {
  const terminal: Console = {
    out: (text) => process.stdout.write(text),
    err: (text) => process.stderr.write(text),
    isTerminal: process.stderr.isTTY,
  };
  const [word, ...rest] = args;
  if (word === undefined || word === '--help' || word === '-h' || word === 'help') {
    terminal.out(overview());
    return word === undefined ? 2 : 0;
  }
  if (word === '--version') {
    terminal.out(`${packageVersion()}\n`);
    return 0;
  }
  const command = COMMANDS.find(({ name }) => name === word);
  if (command === undefined) {
    terminal.err(`parallax: there is no command "${word}"\n\n${overview()}`);
    return 2;
  }
  try {
    return await runCommand(command, rest, terminal);
  } catch (error) {
    return explain(error, terminal);
  }
}

async function runCommand(command: CliCommand, args: string[], terminal: Console): Promise<number> {
  const options = { ...command.options, help: { type: 'boolean', short: 'h' } as const };
  let parsed;
  try {
    const full = args.map((arg) => withBareValue(arg, command.bare));
    parsed = parseArgs({ args: spread(full, options), options, allowPositionals: true });
  } catch (error) {
    throw new UsageError(`${error instanceof Error ? error.message : String(error)}\n\n${help(command)}`, {
      cause: error,
    });
  }
  if (parsed.values['help'] === true) {
    terminal.out(help(command));
    return 0;
  }
  const values = Object.fromEntries(
    Object.entries(parsed.values).map(([name, value]) => [name, Array.isArray(value) ? value.map(String) : value]),
  );
  return command.run({ values, positionals: parsed.positionals, env: process.env, console: terminal });
}

/** `--downgrade` means `--downgrade=approval` where an option has a value of its own. */
function withBareValue(arg: string, bare: CliCommand['bare'] = {}): string {
  const value = arg.startsWith('--') ? bare[arg.slice(2)] : undefined;
  return value === undefined ? arg : `${arg}=${value}`;
}

/** `--train a b` means `--train a --train b` where the option may be given several times. */
function spread(args: string[], options: CliCommand['options']): string[] {
  const out: string[] = [];
  let current: string | undefined;
  for (const arg of args) {
    if (arg.startsWith('-')) {
      const name = arg.replace(/^--/, '');
      current = options[name]?.multiple === true ? arg : undefined;
      if (current === undefined) out.push(arg);
    } else if (current === undefined) out.push(arg);
    else out.push(current, arg);
  }
  return out;
}

function explain(error: unknown, terminal: Console): number {
  const isExpected = error instanceof Error && EXPECTED.has(error.name);
  const text = isExpected ? error.message : error instanceof Error ? (error.stack ?? error.message) : String(error);
  terminal.err(`parallax: ${text}\n`);
  const isMisuse = [UsageError, ConfigError, DetectorError, LearningError, LibraryError, MappingError].some(
    (kind) => error instanceof kind,
  );
  return isMisuse ? 2 : 1;
}

function overview(): string {
  const width = Math.max(...COMMANDS.map(({ name }) => name.length));
  const lines = COMMANDS.map(({ name, summary }) => `  ${name.padEnd(width)}  ${summary}`);
  return `Parallax ${packageVersion()}: an independent observer for AI agents.\n\n  parallax COMMAND [options]\n\n${lines.join('\n')}\n\n"parallax COMMAND --help" says more.\n`;
}

function help(command: CliCommand): string {
  const width = Math.max(9, ...Object.keys(command.help).map((name) => name.length));
  const lines = Object.entries(command.help).map(([name, text]) => `  --${name.padEnd(width)} ${text}`);
  return `parallax ${command.name} ${command.usage}\n\n${command.summary}\n\n${lines.join('\n')}\n`;
}
