import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Tool } from '@modelcontextprotocol/sdk/types.js';
import { z } from 'zod';
import { canonicalJson } from '../../lib/canonical-json.js';
import type { Report } from './port.js';

const FILE = 'tool-definitions.json';
/** Names remembered per server; a server that renames its tools all the time does not grow the file. */
const MAX_REMEMBERED = 4_096;

const fileSchema = z.strictObject({
  version: z.literal(1),
  /** server -> tool -> SHA-256 of the definition first seen. */
  servers: z.record(z.string(), z.record(z.string(), z.string())),
});

export interface DefinitionBookOptions {
  /** Folder; undefined remembers until the end of the process. */
  stateDir: string | undefined;
  /** `refuse`: calls of a changed tool are not made until somebody accepts the new definition. */
  changed: 'refuse' | 'report';
  report: Report;
}

/**
 * What tools said of themselves when they were first seen. A description is read by the model as instruction, so one
 * that changes later (a "rug pull") is another tool under a trusted name.
 */
export class DefinitionBook {
  readonly #options: DefinitionBookOptions;
  readonly #servers: Map<string, Map<string, string>>;
  readonly #changed = new Map<string, Set<string>>();

  /** @throws Error when the file cannot be read as what it must be */
  constructor(options: DefinitionBookOptions) {
    this.#options = options;
    this.#servers = new Map(
      Object.entries(readBook(options.stateDir)).map(([server, tools]) => [server, new Map(Object.entries(tools))]),
    );
  }

  /** Takes what a server lists now. @param accept takes changed definitions as the new first ones */
  take(server: string, tools: readonly Tool[], { accept }: { accept: boolean }): void {
    const known = this.#servers.get(server) ?? new Map<string, string>();
    const before = this.#changed.get(server) ?? new Set();
    const changed = new Set<string>();
    let isNew = !this.#servers.has(server);
    for (const tool of tools) {
      const fingerprint = fingerprintOf(tool);
      const first = known.get(tool.name);
      if (first === fingerprint) continue;
      if (first === undefined || accept) {
        if (first === undefined && known.size >= MAX_REMEMBERED) continue;
        known.set(tool.name, fingerprint);
        isNew = true;
        continue;
      }
      changed.add(tool.name);
      if (before.has(tool.name)) continue;
      const refused = this.#options.changed === 'refuse';
      this.#options.report({ type: 'definition-changed', server, tool: tool.name, refused });
    }
    this.#servers.set(server, known);
    this.#changed.set(server, changed);
    if (isNew) this.#save();
  }

  /** Whether the tool is another one than was first seen. */
  isChanged(server: string, tool: string): boolean {
    return this.#changed.get(server)?.has(tool) ?? false;
  }

  get refusesChanged(): boolean {
    return this.#options.changed === 'refuse';
  }

  #save(): void {
    const { stateDir, report } = this.#options;
    if (stateDir === undefined) return;
    const servers = Object.fromEntries([...this.#servers].map(([name, tools]) => [name, Object.fromEntries(tools)]));
    const file = join(stateDir, FILE);
    try {
      mkdirSync(stateDir, { recursive: true, mode: 0o700 });
      writeFileSync(`${file}.new`, JSON.stringify({ version: 1, servers }, undefined, 2), { mode: 0o600, flush: true });
      renameSync(`${file}.new`, file);
    } catch (fault) {
      report({ type: 'definitions-unsaved', cause: codeOf(fault) });
    }
  }
}

/** Everything of a tool that a model or this gateway goes by. */
function fingerprintOf({ description, title, inputSchema, outputSchema, annotations }: Tool): string {
  const text = canonicalJson({ description, title, inputSchema, outputSchema, annotations });
  return createHash('sha256').update(text).digest('hex');
}

function readBook(stateDir: string | undefined): z.infer<typeof fileSchema>['servers'] {
  if (stateDir === undefined) return {};
  const file = join(stateDir, FILE);
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (fault) {
    if (codeOf(fault) === 'ENOENT') return {};
    throw new Error(`${file}: cannot be read (${codeOf(fault)}); check its permissions`, { cause: fault });
  }
  try {
    return fileSchema.parse(JSON.parse(text)).servers;
  } catch (fault) {
    // Forgetting silently would accept whatever the servers say now.
    throw new Error(`${file}: is damaged; remove it to trust what the servers say of their tools now`, {
      cause: fault,
    });
  }
}

function codeOf(fault: unknown): string {
  return fault instanceof Error && 'code' in fault ? String(fault.code) : String(fault);
}
