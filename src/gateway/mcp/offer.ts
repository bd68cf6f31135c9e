import {
  PromptSchema,
  ResourceSchema,
  ResourceTemplateSchema,
  ToolSchema,
  type Tool,
} from '@modelcontextprotocol/sdk/types.js';
import { z } from 'zod';
import { inertText } from '../../lib/text/inert-text.js';
import { MAX_NAME_CHARS } from '../../model/wire.js';
import type { ListKind } from './port.js';

export interface OfferLimits {
  /** Most entries of one kind. */
  entries: number;
  /** Longest definition as JSON, characters. */
  definitionChars: number;
}

/** Entries that were not taken in, by cause. */
export type LeftOut = (kind: ListKind, cause: string) => void;

/** A page of any list, entry by entry: one bad entry must not hide its neighbours. */
export const pageSchema = z.looseObject({ nextCursor: z.string().max(4_096).exactOptional() });

const MAX_URI_CHARS = 2_048;

/** What a server says its tools are. Names twice: the first one counts. */
export function readTools(values: readonly unknown[], limits: OfferLimits, leftOut: LeftOut): Tool[] {
  const read = reader(ToolSchema, limits, (cause) => leftOut('tools', cause));
  return unique(
    read(values).filter((tool) => {
      const needsTask = tool.execution?.taskSupport === 'required';
      if (needsTask) leftOut('tools', 'needs tasks, which are not passed on');
      return !needsTask && isName(tool.name, (cause) => leftOut('tools', cause));
    }),
    ({ name }) => name,
    (cause) => leftOut('tools', cause),
  ).map((tool) => {
    const shown = withVisibleText(tool);
    // How a server runs its tools as tasks is of no use without tasks.
    delete shown.execution;
    return shown;
  });
}

export function readPrompts(values: readonly unknown[], limits: OfferLimits, leftOut: LeftOut) {
  const say = (cause: string) => leftOut('prompts', cause);
  const prompts = reader(PromptSchema, limits, say)(values).filter(({ name }) => isName(name, say));
  return unique(prompts, ({ name }) => name, say).map(withVisibleText);
}

export function readResources(values: readonly unknown[], limits: OfferLimits, leftOut: LeftOut) {
  const say = (cause: string) => leftOut('resources', cause);
  const resources = reader(ResourceSchema, limits, say)(values).filter(({ uri }) => isUri(uri, say));
  return unique(resources, ({ uri }) => uri, say).map(withVisibleText);
}

export function readTemplates(values: readonly unknown[], limits: OfferLimits, leftOut: LeftOut) {
  const say = (cause: string) => leftOut('resources', cause);
  const templates = reader(ResourceTemplateSchema, limits, say)(values).filter((t) => isUri(t.uriTemplate, say));
  return unique(templates, ({ uriTemplate }) => uriTemplate, say).map(withVisibleText);
}

function reader<T>(schema: z.ZodType<T>, { entries, definitionChars }: OfferLimits, say: (cause: string) => void) {
  return (values: readonly unknown[]): T[] => {
    if (values.length > entries) say(`more than ${entries} entries`);
    return values.slice(0, entries).flatMap((value) => {
      const parsed = schema.safeParse(value);
      if (!parsed.success) {
        say('is not what the protocol says');
        return [];
      }
      if (JSON.stringify(parsed.data).length > definitionChars) {
        say(`is longer than ${definitionChars} characters`);
        return [];
      }
      return [parsed.data];
    });
  };
}

function isName(name: string, say: (cause: string) => void): boolean {
  const fits =
    name !== '' && name.length <= MAX_NAME_CHARS && name.isWellFormed() && inertText(name, name.length) === name;
  if (!fits) say('has a name that cannot be shown');
  return fits;
}

function isUri(uri: string, say: (cause: string) => void): boolean {
  const fits = uri !== '' && uri.length <= MAX_URI_CHARS && inertText(uri, uri.length) === uri;
  if (!fits) say('has an address that cannot be shown');
  return fits;
}

function unique<T>(items: readonly T[], keyOf: (item: T) => string, say: (cause: string) => void): T[] {
  const seen = new Set<string>();
  return items.filter((item) => {
    const key = keyOf(item);
    if (seen.has(key)) say('is named twice');
    return !seen.has(key) && seen.add(key);
  });
}

/** Takes out of a description what a model reads and a person does not see. */
function withVisibleText<T extends { description?: string | undefined }>(item: T): T {
  if (item.description === undefined) return { ...item };
  const visible = item.description
    .split('\n')
    .map((line) => {
      const inert = inertText(line, line.length);
      return inert === line.trim() ? line : inert;
    })
    .join('\n');
  return { ...item, description: visible };
}
