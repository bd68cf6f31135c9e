import type { Prompt, Resource, ResourceTemplate, Tool } from '@modelcontextprotocol/sdk/types.js';
import { exposedName } from './names.js';
import type { ListKind, Report, ServerOffer } from './port.js';

/** One thing that clients see, and whose it is. */
export interface Entry<T> {
  server: string;
  /** As the server calls it. */
  original: string;
  shown: T;
}

const PAGE_ENTRIES = 200;

/** What all servers offer together, under the names and in the order in which clients see it. */
export class Catalog {
  readonly #toolNameChars: number;
  readonly #report: Report;
  #tools = new Map<string, Entry<Tool>>();
  #prompts = new Map<string, Entry<Prompt>>();
  #resources = new Map<string, Entry<Resource>>();
  #templates: Entry<ResourceTemplate>[] = [];

  constructor({ toolNameChars, report }: { toolNameChars: number; report: Report }) {
    this.#toolNameChars = toolNameChars;
    this.#report = report;
  }

  /** Takes one kind anew. @param offers in the order of the configuration: of two equal addresses the first counts */
  rebuild(kind: ListKind, offers: readonly { name: string; offer: ServerOffer }[]): void {
    const nameOf = (server: string, original: string) => exposedName(server, original, this.#toolNameChars);
    if (kind === 'tools') {
      this.#tools = this.#merge(kind, offers, ({ tools }, server) =>
        tools.map((tool) => ({ original: tool.name, shown: { ...tool, name: nameOf(server, tool.name) } })),
      );
    } else if (kind === 'prompts') {
      this.#prompts = this.#merge(kind, offers, ({ prompts }, server) =>
        prompts.map((prompt) => ({ original: prompt.name, shown: { ...prompt, name: nameOf(server, prompt.name) } })),
      );
    } else {
      this.#resources = this.#merge(
        kind,
        offers,
        ({ resources }) => resources.map((resource) => ({ original: resource.uri, shown: resource })),
        (resource) => resource.uri,
      );
      this.#templates = offers.flatMap(({ name, offer }) =>
        offer.templates.map((template) => ({ server: name, original: template.uriTemplate, shown: template })),
      );
    }
  }

  tool(name: string): Entry<Tool> | undefined {
    return this.#tools.get(name);
  }

  prompt(name: string): Entry<Prompt> | undefined {
    return this.#prompts.get(name);
  }

  /** The server that has a resource: it lists it, or its template begins like it, the longest beginning first. */
  serverOf(uri: string): string | undefined {
    const listed = this.#resources.get(uri);
    if (listed !== undefined) return listed.server;
    let best: { server: string; chars: number } | undefined;
    for (const { server, original } of this.#templates) {
      const open = original.indexOf('{');
      const beginning = open < 0 ? original : original.slice(0, open);
      if (!uri.startsWith(beginning) || beginning === '') continue;
      if (best === undefined || beginning.length > best.chars) best = { server, chars: beginning.length };
    }
    return best?.server;
  }

  /** One page of tools. @throws RangeError for a cursor that is none */
  toolPage(cursor: string | undefined, isShown: (name: string) => boolean): { tools: Tool[]; nextCursor?: string } {
    const { items, next } = page(
      [...this.#tools].filter(([name]) => isShown(name)),
      cursor,
    );
    return next === undefined ? { tools: items } : { tools: items, nextCursor: next };
  }

  promptPage(cursor: string | undefined): { prompts: Prompt[]; nextCursor?: string } {
    const { items, next } = page([...this.#prompts], cursor);
    return next === undefined ? { prompts: items } : { prompts: items, nextCursor: next };
  }

  resourcePage(cursor: string | undefined): { resources: Resource[]; nextCursor?: string } {
    const { items, next } = page([...this.#resources], cursor);
    return next === undefined ? { resources: items } : { resources: items, nextCursor: next };
  }

  templatePage(cursor: string | undefined): { resourceTemplates: ResourceTemplate[]; nextCursor?: string } {
    const entries = this.#templates.map((entry): [string, Entry<ResourceTemplate>] => [
      `${entry.original} ${entry.server}`,
      entry,
    ]);
    const { items, next } = page(entries, cursor);
    return next === undefined ? { resourceTemplates: items } : { resourceTemplates: items, nextCursor: next };
  }

  #merge<T extends { name: string }>(
    kind: ListKind,
    offers: readonly { name: string; offer: ServerOffer }[],
    pick: (offer: ServerOffer, server: string) => { original: string; shown: T }[],
    keyOf: (shown: T) => string = (shown) => shown.name,
  ): Map<string, Entry<T>> {
    const merged = new Map<string, Entry<T>>();
    for (const { name: server, offer } of offers) {
      let twice = 0;
      for (const { original, shown } of pick(offer, server)) {
        const key = keyOf(shown);
        if (merged.has(key)) twice++;
        else merged.set(key, { server, original, shown });
      }
      if (twice === 0) continue;
      const cause = 'the name or address is taken already';
      this.#report({ type: 'definition-left-out', server, kind, count: twice, cause });
    }
    return merged;
  }
}

/**
 * A page in the order of keys. The cursor is the last key shown, so that a list which changes between two pages shows
 * nothing twice and leaves nothing out that was there all the time.
 */
function page<T>(
  entries: readonly [string, Entry<T>][],
  cursor: string | undefined,
): { items: T[]; next: string | undefined } {
  const after = cursor === undefined ? undefined : decodeCursor(cursor);
  const sorted = entries.toSorted(([a], [b]) => (a < b ? -1 : 1)).filter(([key]) => after === undefined || key > after);
  const shown = sorted.slice(0, PAGE_ENTRIES);
  const last = shown.at(-1)?.[0];
  const isMore = sorted.length > shown.length && last !== undefined;
  return { items: shown.map(([, entry]) => entry.shown), next: isMore ? encodeCursor(last) : undefined };
}

function encodeCursor(key: string): string {
  return Buffer.from(`after:${key}`).toString('base64url');
}

function decodeCursor(cursor: string): string {
  const text = Buffer.from(cursor, 'base64url').toString();
  if (!text.startsWith('after:')) throw new RangeError('the cursor is none of this gateway');
  return text.slice('after:'.length);
}
