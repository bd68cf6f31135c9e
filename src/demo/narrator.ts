import { inertText } from '../lib/text/inert-text.js';
import type { Paint } from './paint.js';
import type { PlayedCall } from './player.js';
import type { Happening } from './rhythm.js';
import type { SeenCommand, SeenIncident } from './seen.js';
import type { Check, Evidence } from './story.js';

export interface NarratorOptions {
  out: (text: string) => void;
  paint: Paint;
  /** Characters of a line. */
  width: number;
}

const MAX_SIGNALS = 3;
const MAX_BLOCKED = 3;
const MAX_MAILS = 2;
const LABEL_CHARS = 11;

/** Tells people what goes on. Everything that an agent, a tool or the observer wrote passes through `clean` first. */
export class Narrator {
  readonly #options: NarratorOptions;

  constructor(options: NarratorOptions) {
    this.#options = options;
  }

  say(text: string): void {
    this.#options.out(`${text}\n`);
  }

  heading(number: number, title: string, plot: string): void {
    const { paint } = this.#options;
    this.say('');
    this.say(paint.bold(`${number}. ${title}`));
    for (const line of wrap(clean(plot, MAX_TEXT), this.#options.width - 3)) this.say(`   ${line}`);
  }

  /** Something that is about to happen in the world. */
  seen(happening: Happening): void {
    const { paint } = this.#options;
    const time = paint.dim(new Date(happening.timeMs).toISOString().slice(11, 19));
    const { stream, text } = describe(happening);
    this.#line('seen', `${time}  ${paint.blue(stream.padEnd(10))} ${clean(text, this.#options.width - 36)}`);
  }

  /** Why the observer says that something is an incident. */
  why(incident: SeenIncident): void {
    const { paint } = this.#options;
    const severity = incident.severity === 'critical' || incident.severity === 'high' ? paint.red : paint.yellow;
    this.#text('why', `${severity(incident.severity)} ${clean(incident.title, MAX_TEXT)}`);
    const counted = incident.signals.filter(({ shadow }) => !shadow);
    const strongest = counted.sort((a, b) => Number(b.violation) - Number(a.violation) || b.nats - a.nats);
    for (const { reason, observed, expected } of strongest.slice(0, MAX_SIGNALS)) {
      if (observed === '' || reason === incident.title) continue;
      this.#text('', `${clean(observed, 120)}; normal: ${clean(expected, 120)}`, paint.dim);
    }
    const { riskNats, thresholdNats, violation, emitters } = incident;
    // The cap is a count, not a risk.
    if (incident.fleet?.nature === 'blast-radius') return;
    const risk = violation
      ? 'a rule was broken that needs no statistics'
      : `risk ${riskNats.toFixed(1)} nats against a threshold of ${thresholdNats.toFixed(1)}`;
    const by = emitters.length === 0 ? '' : `, on the word of ${emitters.map((name) => clean(name, 40)).join(' and ')}`;
    this.#text('', `${risk}${by}`, paint.dim);
  }

  /** What the observer decided, and how soon the gateway confirmed it. */
  decided(command: SeenCommand): void {
    const { paint } = this.#options;
    const { action, agentId, sessionId, tool, state, dryRun, issuedAt, acknowledgements } = command;
    const subject = clean(sessionId ?? tool ?? agentId, 60);
    const [confirmed] = acknowledgements;
    const how = dryRun
      ? 'only proposed: this observer watches and does not act'
      : confirmed === undefined
        ? state
        : `${state}, confirmed by ${clean(confirmed.gatewayId, 40)} ${confirmed.time > issuedAt ? `after ${confirmed.time - issuedAt} ms` : 'at once'}`;
    this.#text('decided', `${paint.bold(action)} ${subject}: ${how}`);
  }

  /** What the gateway did with calls that it refused. */
  blocked(calls: readonly PlayedCall[]): void {
    const { paint } = this.#options;
    const refused = calls.filter(({ result }) => !result.executed);
    for (const { call, result } of refused.slice(0, MAX_BLOCKED)) {
      const after = result.latencyMs === undefined ? '' : ` after ${milliseconds(result.latencyMs)}`;
      const how =
        result.source === 'memory'
          ? `refused from memory${after}`
          : result.decision === 'hold'
            ? `held${after}, and nobody approved it`
            : `${result.decision ?? 'refused'}${after}`;
      this.#text('blocked', `${clean(call.tool, 60)}: ${paint.bold(how)}`);
    }
    if (refused.length > MAX_BLOCKED) this.#text('', `and ${refused.length - MAX_BLOCKED} more`);
  }

  mails(evidence: Pick<Evidence, 'mails'>): void {
    for (const { subject, to } of evidence.mails.slice(0, MAX_MAILS)) {
      this.#text('mail', `to ${to.map((address) => clean(address, 60)).join(', ')}: ${clean(subject, MAX_TEXT)}`);
    }
    const more = evidence.mails.length - MAX_MAILS;
    if (more > 0) this.#text('', `and ${more} more`);
  }

  outcome(expected: string, checks: readonly Check[]): void {
    const { paint } = this.#options;
    const ok = checks.every((check) => check.ok);
    const says = checks.map((check) => (check.ok ? check.says : paint.red(check.says))).join(', ');
    this.#text('outcome', `${ok ? paint.green('as expected') : paint.red(`not as expected (${expected})`)}: ${says}`);
  }

  note(label: string, text: string): void {
    this.#text(label, text);
  }

  #line(label: string, text: string): void {
    this.say(`   ${this.#options.paint.dim(label.padEnd(LABEL_CHARS))}${text}`);
  }

  /** The same, wrapped where it is too long. */
  #text(label: string, text: string, style: (line: string) => string = (line) => line): void {
    const lines = wrap(text, this.#options.width - LABEL_CHARS - 3);
    for (const [i, line] of lines.entries()) this.#line(i === 0 ? label : '', style(line));
  }
}

const MAX_TEXT = 300;

/** Everything that somebody else wrote, as one line that a terminal only shows. */
export function clean(text: string, limit: number): string {
  return inertText(text, Math.max(8, limit));
}

/** `0.1 ms`, `14 ms`. */
export function milliseconds(ms: number): string {
  return `${ms < 10 ? ms.toFixed(1) : Math.round(ms)} ms`;
}

/** Breaks between words. Colour takes no room, but no line becomes too long for counting it. */
export function wrap(text: string, width: number): string[] {
  const lines: string[] = [];
  let line = '';
  for (const word of text.split(' ')) {
    if (line !== '' && line.length + 1 + word.length > width) {
      lines.push(line);
      line = word;
    } else line = line === '' ? word : `${line} ${word}`;
  }
  return [...lines, line];
}

function describe(happening: Happening): { stream: string; text: string } {
  if (happening.speaker === 'gateway') {
    const { call } = happening;
    const args = Object.entries(call.args).map(([name, value]) => `${name}=${String(value)}`);
    return { stream: 'action', text: `${call.tool} ${args.join(' ')}` };
  }
  const { observation } = happening;
  const { stream } = observation;
  switch (observation.kind) {
    case 'prompt':
      return { stream, text: `asked: ${observation.text}` };
    case 'message':
      return { stream, text: `says: ${observation.text ?? ''}` };
    case 'sample':
    case 'session_summary': {
      const values = Object.entries(observation.values).map(([name, value]) => `${name} ${value}`);
      return { stream, text: values.join(', ') };
    }
    case 'tool_call':
    case 'tool_result':
      return { stream, text: observation.tool };
    default: {
      const tools = observation.tools?.join(', ') ?? observation.tool ?? '';
      const by = observation.approverId === undefined ? '' : `, by ${observation.approverId}`;
      return { stream, text: `${observation.kind.replaceAll('_', ' ')} ${tools}${by}` };
    }
  }
}
