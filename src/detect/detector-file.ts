import { LineCounter, isNode, parseDocument } from 'yaml';
import type { Document } from 'yaml';
import type { z } from 'zod';
import { detectorSchema } from './detector-schema.js';
import type { DetectorDefinition } from './detector-schema.js';
import type { Report } from './kinds/kind.js';
import { didYouMean } from '../lib/nearest-name.js';

/** A detector's file as it was read. */
export interface DetectorFile {
  /** As shown in messages, `detectors/new-target.yaml`. */
  file: string;
  text: string;
}

/** One thing that is wrong, with its place and the fix. */
export interface DetectorProblem {
  file: string;
  /** Counted from 1; 0 when it concerns the whole file. */
  line: number;
  /** Path of the field, `evidence.cap`; empty for the whole file. */
  path: string;
  problem: string;
}

/** What a file gave: its definition, or at least the condition, so that one start shows all problems. */
export interface ParsedFile {
  definition: DetectorDefinition | undefined;
  when: string;
  report: Report;
}

/** Longest file, characters; cases are the bulk of it. */
const MAX_FILE_CHARS = 256 * 1024;

/** Reads one file into a definition. Problems go to `problems`; nothing is thrown. */
export function parseDetectorFile({ file, text }: DetectorFile, problems: DetectorProblem[]): ParsedFile {
  const lines = new LineCounter();
  const nothing: ParsedFile = {
    definition: undefined,
    when: '',
    report: (path, problem) => problems.push({ file, line: 0, path, problem }),
  };
  if (text.length > MAX_FILE_CHARS) {
    nothing.report('', `longer than ${MAX_FILE_CHARS} characters; split it into several detectors`);
    return nothing;
  }
  let document: Document;
  try {
    document = parseDocument(text, { lineCounter: lines });
  } catch (error) {
    // The parser recurses: absurdly deep nesting ends it.
    nothing.report('', `not usable YAML: ${error instanceof Error ? firstLine(error.message) : String(error)}`);
    return nothing;
  }
  for (const error of document.errors) {
    const [start] = error.pos;
    problems.push({
      file,
      line: lines.linePos(start).line,
      path: '',
      problem: `not valid YAML: ${firstLine(error.message)}`,
    });
  }
  if (document.errors.length > 0) return nothing;
  const report: Report = (path, problem) => {
    problems.push({ file, line: lineOf(document, lines, path), path, problem });
  };
  const raw = plainObject(document, report);
  if (raw === undefined) return nothing;
  const parsed = detectorSchema.safeParse(raw, { reportInput: true });
  for (const issue of parsed.error?.issues ?? []) reportIssue(issue, report);
  const expected = idOf(file);
  if (typeof raw['id'] === 'string' && raw['id'] !== expected) {
    report('id', `must be the file's name; write "${expected}" or rename the file to ${raw['id'].slice(0, 64)}.yaml`);
  }
  const when = typeof raw['when'] === 'string' ? raw['when'] : '';
  return { definition: parsed.data, when, report };
}

function plainObject(document: Document, report: Report) {
  let value: unknown;
  try {
    value = document.toJS({ maxAliasCount: 50 });
  } catch (error) {
    report('', `not usable YAML: ${error instanceof Error ? firstLine(error.message) : String(error)}`);
    return undefined;
  }
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) {
    const raw: Record<string, unknown> = { ...value };
    return raw;
  }
  report('', 'must hold one detector: a mapping that starts with "id: ..."');
  return undefined;
}

function reportIssue(issue: z.core.$ZodIssue, report: Report): void {
  const path = issue.path.map(String).join('.');
  if (issue.code === 'unrecognized_keys') {
    for (const key of issue.keys) {
      const known = path === '' ? Object.keys(detectorSchema.shape) : FIELD_NAMES;
      const where = path === '' ? key : `${path}.${key}`;
      report(where, `unknown field${didYouMean(key, known) || '; see docs/detectors.md for the fields there are'}`);
    }
    return;
  }
  report(path, issue.input === undefined && issue.code !== 'custom' ? `is required (${issue.message})` : issue.message);
}

/** Fields below the top level, for suggestions. */
const FIELD_NAMES = (
  'measure cap ingredient nats pValue violation name learn events expect at sessions watched vary prompt say declares attempt ' +
  'call result governance metric effect operation tier args targets decision error text field kind value origin'
).split(' ');

/** The line of the field, or of the nearest thing around it that exists. */
function lineOf(document: Document, lines: LineCounter, path: string): number {
  const steps: (string | number)[] =
    path === '' ? [] : path.split('.').map((step) => (isIndex(step) ? Number(step) : step));
  while (steps.length > 0) {
    const node = document.getIn(steps, true);
    if (isNode(node) && node.range) return lines.linePos(node.range[0]).line;
    steps.pop();
  }
  return path === '' ? 0 : 1;
}

function isIndex(step: string): boolean {
  return /^[0-9]{1,6}$/.test(step);
}

function idOf(file: string): string {
  const name = file.slice(Math.max(file.lastIndexOf('/'), file.lastIndexOf('\\')) + 1);
  return name.endsWith('.yaml') ? name.slice(0, -'.yaml'.length) : name;
}

function firstLine(text: string): string {
  const end = text.indexOf('\n');
  return end < 0 ? text : text.slice(0, end).replace(/:$/, '');
}
