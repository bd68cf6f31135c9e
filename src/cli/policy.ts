import { readFileSync } from 'node:fs';
import { parse as parseYaml } from 'yaml';
import { loadConfig, type Config } from '../config.js';
import { loadLibrary } from '../governance/library-loader.js';
import type { ReferenceLibrary } from '../governance/reference-library.js';
import { explainIssue, issuePath } from '../lib/explain-issue.js';
import { contentPath } from '../lib/package-root.js';
import { inertText } from '../lib/text/inert-text.js';
import { overlayResponse, type ResponsePolicy } from '../model/response-policy.js';
import { explainResponse, type ExplainedRung } from '../respond/explain-response.js';
import { policyCaseOf, policyFactsOf, responseCaseSchema, type ResponseCase } from '../respond/response-case.js';
import { textOf, UsageError, type CliCommand, type CommandContext } from './command.js';
import { OBSERVER_HELP, OBSERVER_OPTIONS, observerOf } from './observer.js';
import { describeCase, describeLadder, describePolicy } from './policy-text.js';

const MAX_FILE_BYTES = 1024 * 1024;

export const policy: CliCommand = {
  name: 'policy',
  usage: 'show [--class CLASS] | test INCIDENT_ID [--local] | test --file FILE  [--json]',
  summary: 'show what is done about incidents of a class, or what would be done about one incident, and why',
  options: {
    ...OBSERVER_OPTIONS,
    class: { type: 'string' },
    file: { type: 'string' },
    local: { type: 'boolean' },
    json: { type: 'boolean' },
  },
  help: {
    class: 'show: this class only; test: the policy of this class instead of the agent’s own',
    file: 'test: a case in YAML or JSON instead of an incident; docs/response.md has the fields',
    local: 'test: the policy in the files here instead of the one the observer runs with',
    json: 'as JSON',
    ...OBSERVER_HELP,
  },
  run: async (context) => {
    const [verb, id, ...more] = context.positionals;
    const file = textOf(context, 'file');
    if (verb === 'show' && id === undefined && file === undefined) return show(context);
    if (verb === 'test' && more.length === 0 && (id === undefined) !== (file === undefined)) {
      return file === undefined ? testIncident(context, id ?? '') : testFile(context, file);
    }
    throw new UsageError('say "parallax policy show", "parallax policy test INCIDENT_ID" or "... test --file FILE"');
  },
};

/** What is configured here. */
interface LocalPolicies {
  config: Config;
  library: ReferenceLibrary;
}

function show(context: CommandContext): number {
  const local = readLocal(context);
  const wanted = textOf(context, 'class');
  const names = wanted === undefined ? local.library.classes : [wanted];
  const policies = Object.fromEntries(names.map((name) => [name, policyOfClass(local, name)]));
  const { mode, respond } = local.config;
  const whole = { mode, caps: respond.caps, classes: policies };
  context.console.out(isJson(context) ? json(whole) : describePolicy(whole));
  return 0;
}

function testFile(context: CommandContext, file: string): number {
  return testLocally(context, readCase(file));
}

async function testIncident(context: CommandContext, id: string): Promise<number> {
  const { case: about, ladder } = await observerOf(context).response(id);
  const isLocal = context.values['local'] === true || textOf(context, 'class') !== undefined;
  if (isLocal) return testLocally(context, about);
  return print(context, about, ladder);
}

function testLocally(context: CommandContext, about: ResponseCase): number {
  const local = readLocal(context);
  const agentClass = textOf(context, 'class') ?? about.agentClass ?? local.library.classOf(about.agentId);
  const { mode, respond } = local.config;
  const { caps } = respond;
  const settings = { policy: policyOfClass(local, agentClass), caps };
  const facts = policyFactsOf(about, { caps, mode });
  const whole = { ...about, agentClass, mode: facts.mode };
  return print(context, whole, explainResponse(policyCaseOf(about), settings, facts));
}

function print(context: CommandContext, about: ResponseCase, ladder: readonly ExplainedRung[]): number {
  context.console.out(isJson(context) ? json({ case: about, ladder }) : describeCase(about) + describeLadder(ladder));
  return 0;
}

function readLocal(context: CommandContext): LocalPolicies {
  const config = loadConfig(textOf(context, 'config') ?? context.env['PARALLAX_CONFIG'], context.env);
  return { config, library: loadLibrary(contentPath(config.detection.baselinesDir)) };
}

function policyOfClass({ config, library }: LocalPolicies, name: string): ResponsePolicy {
  const found = library.classNamed(name);
  if (found === undefined) {
    throw new UsageError(`there is no class ${inertText(name)}; there are ${library.classes.join(', ')}`);
  }
  return overlayResponse(config.respond, found.profile.response);
}

/** @throws UsageError naming file, field and fix */
function readCase(file: string): ResponseCase {
  let value: unknown;
  try {
    const text = readFileSync(file, 'utf8');
    if (text.length > MAX_FILE_BYTES) throw new Error(`longer than ${MAX_FILE_BYTES} characters`);
    value = parseYaml(text);
  } catch (error) {
    throw new UsageError(`${file}: cannot be read: ${error instanceof Error ? error.message : String(error)}`);
  }
  // What "--json" printed can be tried again as it is.
  const given = typeof value === 'object' && value !== null && 'case' in value ? value.case : value;
  const parsed = responseCaseSchema.safeParse(given);
  if (parsed.success) return parsed.data;
  const problems = parsed.error.issues.map((issue) => `${file}: ${issuePath(issue)}: ${explainIssue(issue, given)}`);
  throw new UsageError(problems.join('\n'));
}

function isJson(context: CommandContext): boolean {
  return context.values['json'] === true;
}

function json(value: unknown): string {
  return `${JSON.stringify(value, undefined, 2)}\n`;
}
