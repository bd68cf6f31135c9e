import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { ConditionError, ConditionLanguage, metricNames } from './condition.js';
import { parseDetectorFile } from './detector-file.js';
import type { DetectorFile, DetectorProblem, ParsedFile } from './detector-file.js';
import type { DetectorDefinition } from './detector-schema.js';
import type { DetectorKind, Prepared } from './kinds/kind.js';
import { measureKind } from './kinds/measure.js';
import { sequenceKind } from './kinds/sequence.js';
import { didYouMean } from '../lib/nearest-name.js';
import type { Assessment, FinishedSubject, MeasureNames } from './port.js';
import { eventVariables, sessionVariables, windowVariables } from './vocabulary.js';
import type { WindowSubject } from './vocabulary.js';

const MAX_DETECTORS = 10_000;

const KINDS: ReadonlyMap<string, DetectorKind> = new Map([
  ['measure', measureKind],
  ['sequence', sequenceKind],
]);

/** A detector that was checked as a whole and can run. */
export type Detector =
  | { lane: 'event'; definition: DetectorDefinition; prepared: Prepared<Assessment> }
  | { lane: 'window'; definition: DetectorDefinition; prepared: Prepared<WindowSubject> }
  | { lane: 'session'; definition: DetectorDefinition; prepared: Prepared<FinishedSubject> };

/** All detectors of a directory, by id in order. */
export interface DetectorSet {
  detectors: readonly Detector[];
  /** SHA-256 over all definitions, hex: what an `activation` record of the log names. */
  hash: string;
}

/** Detectors that cannot be loaded: every problem of every file, none of them half-loaded. */
export class DetectorError extends Error {
  override name = 'DetectorError';

  constructor(readonly problems: readonly DetectorProblem[]) {
    super(problems.map(describeProblem).join('\n'));
  }
}

/** `file:line: path: problem`, one line. */
export function describeProblem({ file, line, path, problem }: DetectorProblem): string {
  return [line > 0 ? `${file}:${line}` : file, path === '' ? '(whole file)' : path, problem].join(': ');
}

/**
 * Reads and checks all `*.yaml` of a directory.
 *
 * @param measures names of the measures that baselines provide
 * @throws DetectorError listing every problem of every file
 */
export function loadDetectors(directory: string, measures: MeasureNames): DetectorSet {
  return parseDetectors(readDetectorFiles(directory), measures);
}

/** The same for files already in hand. @throws DetectorError */
export function parseDetectors(files: readonly DetectorFile[], measures: MeasureNames): DetectorSet {
  const problems: DetectorProblem[] = [];
  const parsed = files.map((file) => parseDetectorFile(file, problems));
  // Metrics have no closed list: what the conditions of this set mention is declared, so that it is typed as well.
  const metrics = new Set(parsed.flatMap(({ when }) => metricNames(when)));
  const languages: Languages = {
    event: new ConditionLanguage(eventVariables(measures, metrics)),
    window: new ConditionLanguage(windowVariables(measures)),
    session: new ConditionLanguage(sessionVariables(measures)),
  };
  const detectors: Detector[] = [];
  for (const file of parsed) {
    const detector = file.definition === undefined ? undefined : prepare(file.definition, languages, file.report);
    if (detector !== undefined) detectors.push(detector);
    else if (file.definition === undefined) reportCondition(file, languages.event);
  }
  if (problems.length > 0) throw new DetectorError(problems);
  detectors.sort((a, b) => compare(a.definition.id, b.definition.id));
  return { detectors, hash: hashOf(detectors) };
}

interface Languages {
  event: ConditionLanguage<Assessment>;
  window: ConditionLanguage<WindowSubject>;
  session: ConditionLanguage<FinishedSubject>;
}

function prepare(
  definition: DetectorDefinition,
  languages: Languages,
  report: ParsedFile['report'],
): Detector | undefined {
  const kind = KINDS.get(definition.kind);
  if (kind === undefined) {
    report(
      'kind',
      `unknown kind "${definition.kind}"${didYouMean(definition.kind, KINDS.keys())} There is: ${[...KINDS.keys()].join(', ')}`,
    );
    return undefined;
  }
  if (definition.lane === 'event') {
    const prepared = kind.prepare(definition, languages.event, report);
    return prepared && { lane: 'event', definition, prepared };
  }
  if (definition.lane === 'session') {
    const prepared = kind.prepare(definition, languages.session, report);
    return prepared && { lane: 'session', definition, prepared };
  }
  const prepared = kind.prepare(definition, languages.window, report);
  return prepared && { lane: 'window', definition, prepared };
}

/** The rest of the file is wrong already; syntax errors in its condition are shown in the same go. */
function reportCondition(file: ParsedFile, language: ConditionLanguage<Assessment>): void {
  if (file.when === '') return;
  try {
    language.compile(file.when);
  } catch (error) {
    if (!(error instanceof ConditionError)) throw error;
    // Names depend on the lane, which may be what is wrong.
    for (const problem of error.problems) if (!problem.startsWith('unknown variable')) file.report('when', problem);
  }
}

/** All `*.yaml` of a directory, in the order of their names. @throws DetectorError */
export function readDetectorFiles(directory: string): DetectorFile[] {
  let names: string[];
  try {
    names = readdirSync(directory).filter((name) => !name.startsWith('.'));
  } catch (error) {
    throw new DetectorError([
      wholeFile(
        directory,
        `cannot be read (${codeOf(error)}); set detection.detectorsDir to the folder with the detectors`,
      ),
    ]);
  }
  const misnamed = names.filter((name) => name.toLowerCase().endsWith('.yml'));
  if (misnamed.length > 0) {
    throw new DetectorError(misnamed.map((name) => wholeFile(join(directory, name), 'rename it to end in .yaml')));
  }
  const files = names.filter((name) => name.endsWith('.yaml')).sort(compare);
  if (files.length > MAX_DETECTORS) {
    throw new DetectorError([wholeFile(directory, `holds more than ${MAX_DETECTORS} detectors`)]);
  }
  return files.map((name) => readOne(join(directory, name)));
}

function readOne(file: string): DetectorFile {
  try {
    return { file, text: readFileSync(file, 'utf8') };
  } catch (error) {
    throw new DetectorError([wholeFile(file, `cannot be read (${codeOf(error)}); check its permissions`)]);
  }
}

function wholeFile(file: string, problem: string): DetectorProblem {
  return { file, line: 0, path: '', problem };
}

/** Cases and prose do not change what a set does, so they do not change its hash. */
function hashOf(detectors: readonly Detector[]): string {
  const content = detectors.map(({ definition }) => {
    const { cases: _cases, description: _description, ...rest } = definition;
    return Object.entries(rest).sort(([a], [b]) => compare(a, b));
  });
  return createHash('sha256').update(JSON.stringify(content)).digest('hex');
}

/** By code unit: the same on every machine, whatever its locale. */
function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : String(error);
}
