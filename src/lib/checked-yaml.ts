import { readFileSync } from 'node:fs';
import { LineCounter, isNode, parseDocument, type Document } from 'yaml';
import type { z } from 'zod';
import { explainIssue, issuePath } from './explain-issue.js';

const MAX_FILE_CHARS = 1024 * 1024;

/**
 * Reads a YAML file that people write and checks it. What is wrong is added to `problems`, one line each: file, line,
 * field, fix.
 *
 * @param fieldsIn the page that lists the fields there are
 * @returns undefined where the file is not there, or problems were reported
 */
export function readCheckedYaml<T>(
  file: string,
  { schema, fieldsIn, problems }: { schema: z.ZodType<T>; fieldsIn: string; problems: string[] },
): T | undefined {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (error) {
    if (codeOf(error) !== 'ENOENT') problems.push(`${file}: cannot be read (${codeOf(error)}); check its permissions`);
    return undefined;
  }
  if (text.length > MAX_FILE_CHARS) {
    problems.push(`${file}: longer than ${MAX_FILE_CHARS} characters; split it`);
    return undefined;
  }
  const lines = new LineCounter();
  let document: Document;
  let value: unknown;
  try {
    document = parseDocument(text, { lineCounter: lines });
    const [error] = document.errors;
    if (error !== undefined) {
      problems.push(`${file}:${lines.linePos(error.pos[0]).line}: not valid YAML: ${firstLine(error.message)}`);
      return undefined;
    }
    value = document.toJS({ maxAliasCount: 50 }) ?? {};
  } catch (error) {
    // The parser recurses: absurdly deep nesting ends it.
    problems.push(`${file}: not usable YAML: ${firstLine(String(error))}`);
    return undefined;
  }
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  for (const issue of result.error.issues) {
    const path = issuePath(issue);
    const what =
      issue.code === 'unrecognized_keys'
        ? `is no field here; remove it, or see ${fieldsIn} for the fields there are`
        : explainIssue(issue, value);
    problems.push(`${file}:${lineOf(document, lines, issue)}: ${path === '' ? '(whole file)' : path}: ${what}`);
  }
  return undefined;
}

/** The code of a failed file operation. */
export function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : String(error);
}

/** The line of the field, or of the nearest thing around it that exists. */
function lineOf(document: Document, lines: LineCounter, issue: z.core.$ZodIssue): number {
  const unknown = issue.code === 'unrecognized_keys' ? issue.keys.slice(0, 1) : [];
  const path = [...issue.path, ...unknown];
  for (let length = path.length; length > 0; length--) {
    const node = document.getIn(path.slice(0, length), true);
    if (isNode(node) && node.range) return lines.linePos(node.range[0]).line;
  }
  return 1;
}

function firstLine(text: string): string {
  return text.split('\n', 1)[0] ?? text;
}
