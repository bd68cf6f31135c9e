import type { Said } from '../genai/said.js';
import type { OtlpLog } from '../otlp/model.js';
import { readClaudeCode } from './claude-code.js';
import { readCodex } from './codex.js';
import { readGeminiCli } from './gemini-cli.js';
import { codingEventOf, machineOf, type CodingAgent } from './machine.js';

const READERS = { 'claude-code': readClaudeCode, codex: readCodex, 'gemini-cli': readGeminiCli };

/** What a log event of a coding agent says; undefined where it is about something else. */
export function readCodingAgent(log: OtlpLog, product: CodingAgent): Said | undefined {
  return READERS[product](codingEventOf(log), log.attributes, machineOf(log, product));
}
