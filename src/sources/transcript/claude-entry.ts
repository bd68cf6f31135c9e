import { MAX_NAME_CHARS } from '../../model/wire.js';
import { isRecord } from '../observer-client.js';

const MAX_PARTS = 512;
/** Longest JSON of a call's arguments; longer ones are kept as cut text. */
const MAX_ARGS_CHARS = 256 * 1024;
const REJECTED = 'User rejected tool use';
/** What Claude Code writes between the user's words: output of its own commands, and that it was interrupted. */
const NO_PROMPT = /^(?:<local-command-|<command-name>|\[Request interrupted by user)/;

const USAGE = [
  ['input_tokens', 'inputTokens'],
  ['output_tokens', 'outputTokens'],
  ['cache_read_input_tokens', 'cacheReadTokens'],
  ['cache_creation_input_tokens', 'cacheCreationTokens'],
] as const;

/**
 * One line of a transcript of Claude Code (`~/.claude/projects/<project>/<session>.jsonl`). The format is internal to
 * the product and changes (code.claude.com/docs/en/sessions), so everything is optional but type, session and time; what
 * is read here is what the messages of Anthropic's API hold (`tool_use`, `tool_result`, `usage`) and what 2.x writes
 * around them (`uuid`, `sessionId`, `timestamp`, `isSidechain`, `isMeta`, `toolUseResult`, `toolDenialKind`).
 *
 * All of it was written by or for an agent, and is hostile: names and lists are bounded here, texts where they are used.
 */
export class ClaudeEntry {
  readonly type: string;
  readonly uuid: string;
  readonly sessionId: string;
  /** Epoch ms. */
  readonly timeMs: number;
  /** Words of a sub-agent's conversation: its "user" is the agent. */
  readonly isSidechain: boolean;
  readonly messageId: string;
  readonly model: string;
  /** Texts and thoughts, joined. */
  readonly text: string;
  readonly calls: { callId: string; tool: string; args: Record<string, unknown> }[] = [];
  readonly results: { callId: string; text: string; isError: boolean }[] = [];
  readonly #entry: Record<string, unknown>;
  readonly #message: Record<string, unknown>;

  private constructor(entry: Record<string, unknown>, timeMs: number, sessionId: string) {
    const message = entry['message'];
    this.#entry = entry;
    this.#message = isRecord(message) ? message : {};
    this.type = nameIn(entry, 'type');
    this.uuid = nameIn(entry, 'uuid');
    this.sessionId = sessionId;
    this.timeMs = timeMs;
    this.isSidechain = entry['isSidechain'] === true;
    this.messageId = nameIn(this.#message, 'id');
    this.model = nameIn(this.#message, 'model');
    this.text = this.#readParts();
  }

  /** @returns undefined for what is no entry; one of a kind that is not of use has that kind as its type */
  static parse(line: string): ClaudeEntry | undefined {
    let entry: unknown;
    try {
      entry = JSON.parse(line);
    } catch {
      return undefined;
    }
    if (!isRecord(entry) || typeof entry['type'] !== 'string') return undefined;
    const timeMs = typeof entry['timestamp'] === 'string' ? Date.parse(entry['timestamp']) : Number.NaN;
    const sessionId = nameIn(entry, 'sessionId');
    const isOfUse = entry['type'] === 'user' || entry['type'] === 'assistant';
    if (isOfUse && !(timeMs >= 0 && sessionId !== '' && nameIn(entry, 'uuid') !== '')) return undefined;
    return new ClaudeEntry(entry, timeMs, sessionId);
  }

  /** A person's words, and not what the product wrote in their name. */
  get isPrompt(): boolean {
    const { isMeta, isCompactSummary } = this.#entry;
    return this.text !== '' && isMeta !== true && isCompactSummary !== true && !NO_PROMPT.test(this.text);
  }

  /** The product's own word that calls were turned down; what a tool wrote into its result does not count. */
  get isRejection(): boolean {
    return this.#entry['toolUseResult'] === REJECTED || nameIn(this.#entry, 'toolDenialKind') !== '';
  }

  get rejection(): string {
    return nameIn(this.#entry, 'toolDenialKind') || 'user-rejected';
  }

  /** Tokens by name. */
  get usage(): [name: string, value: number][] {
    const { usage } = this.#message;
    if (!isRecord(usage)) return [];
    return USAGE.flatMap(([theirs, ours]): [string, number][] => {
      const value = usage[theirs];
      return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0 ? [[ours, value]] : [];
    });
  }

  #readParts(): string {
    const { content } = this.#message;
    if (typeof content === 'string') return content.toWellFormed();
    if (!Array.isArray(content)) return '';
    const texts: string[] = [];
    for (const part of content.slice(0, MAX_PARTS)) {
      if (!isRecord(part)) continue;
      if (part['type'] === 'text') texts.push(textIn(part, 'text'));
      else if (part['type'] === 'thinking') texts.push(textIn(part, 'thinking'));
      else if (part['type'] === 'tool_use') this.#addCall(part);
      else if (part['type'] === 'tool_result') this.#addResult(part);
    }
    return texts.filter((text) => text !== '').join('\n');
  }

  #addCall(part: Record<string, unknown>): void {
    const [callId, tool] = [nameIn(part, 'id'), nameIn(part, 'name')];
    if (callId === '' || tool === '') return;
    const { input } = part;
    const json = JSON.stringify(input ?? {});
    const args = isRecord(input) && json.length <= MAX_ARGS_CHARS ? input : { input: json.slice(0, MAX_ARGS_CHARS) };
    this.calls.push({ callId, tool, args });
  }

  #addResult(part: Record<string, unknown>): void {
    const callId = nameIn(part, 'tool_use_id');
    if (callId === '') return;
    const { content } = part;
    const parts = Array.isArray(content) ? content.slice(0, MAX_PARTS) : [];
    const text =
      typeof content === 'string' ? content.toWellFormed() : parts.map((one) => textIn(one, 'text')).join('\n');
    this.results.push({ callId, text, isError: part['is_error'] === true });
  }
}

function textIn(value: unknown, name: string): string {
  const text = isRecord(value) ? value[name] : undefined;
  return typeof text === 'string' ? text.toWellFormed() : '';
}

function nameIn(value: Record<string, unknown>, name: string): string {
  return textIn(value, name).slice(0, MAX_NAME_CHARS).toWellFormed();
}
