import { clockTime, dayTime } from '../lib/utc-text.js';
import { isEnforcedAt } from '../model/command.js';
import { isNotice } from '../model/incident.js';
import { cleanText } from './clean.js';
import { describeCommand } from './grouping.js';
import type { IncidentNotice, LeftOut, Notice, SummaryNotice } from './port.js';

const MAX_FINDINGS = 6;
const MAX_TERMS = 8;
const MAX_COMMANDS = 6;
const MAX_TIMELINE = 16;
const LINE_CHARS = 240;
const NAME_CHARS = 80;

/**
 * What a message says, in the order in which it is read, before it is laid out as text or HTML. Every string in it is
 * bounded and cleaned; the layouts only have to escape.
 */
export interface Story {
  headline: string;
  /** One line on what this message is for. */
  lead: string;
  facts: (readonly [label: string, value: string])[];
  sections: Section[];
  /** Where to look, if the configuration says so; the only address in a message. */
  link?: string;
}

export interface Section {
  title: string;
  lines: string[];
}

/** @param baseUrl address of the observer for people, from the configuration */
export function storyOf(notice: Notice, baseUrl: string | undefined): Story {
  if (notice.kind === 'summary') return summaryStory(notice, baseUrl);
  const story = incidentStory(notice);
  if (baseUrl === undefined) return story;
  return { ...story, link: `${trimSlash(baseUrl)}/#${encodeURIComponent(notice.incident.id)}` };
}

const LEADS: Record<IncidentNotice['kind'], string> = {
  opened: 'A new incident.',
  updated: 'News of an open incident.',
  resolved: 'This incident is closed.',
};

function incidentStory({ kind, incident, commands, changes }: IncidentNotice): Story {
  const { severity, status } = incident;
  const subject = [`agent ${cleanText(incident.agentId, NAME_CHARS)}`];
  if (incident.sessionId !== undefined) subject.push(`session ${cleanText(incident.sessionId, NAME_CHARS)}`);
  const verdict = incident.verdict === undefined ? '' : ` as ${cleanText(incident.verdict, NAME_CHARS)}`;
  const by = incident.closedBy === undefined ? '' : ` by ${cleanText(incident.closedBy, NAME_CHARS)}`;
  return {
    headline: cleanText(incident.title, LINE_CHARS),
    lead: kind === 'resolved' ? `This incident is closed${verdict}${by}.` : LEADS[kind],
    facts: [
      ['Severity', severity],
      ['Who', subject.join(', ')],
      ['Tenant', cleanText(incident.tenant, NAME_CHARS)],
      ['Opened', dayTime(incident.openedAt)],
      ['Status', status],
      ['Risk', riskOf(incident)],
      ['Seen by', incident.emitters.map((name) => cleanText(name, NAME_CHARS)).join(', ') || 'nobody by name'],
      ['Incident', cleanText(incident.id, NAME_CHARS)],
    ],
    sections: [
      { title: 'What is new', lines: changes.map((line) => cleanText(line, LINE_CHARS)) },
      { title: 'Why', lines: findings(incident) },
      { title: 'How the risk adds up', lines: arithmetic(incident) },
      { title: 'What was decided', lines: commands.slice(-MAX_COMMANDS).map(commandLine) },
      { title: 'What happened', lines: timeline(incident) },
      {
        title: 'What to do',
        lines:
          kind === 'resolved'
            ? []
            : [`Look at it, then say what it was: POST /v1/incidents/${cleanText(incident.id, NAME_CHARS)}/verdict`],
      },
    ].filter(({ lines }) => lines.length > 0),
  };
}

function riskOf(incident: IncidentNotice['incident']): string {
  const { riskNats, thresholdNats, violation, budget } = incident;
  if (isNotice(incident)) return 'no matter of probability: the observer saw it itself';
  const against = `${nats(riskNats)}, threshold ${nats(thresholdNats)} for ${(100 * budget).toFixed(1)} % false alarms`;
  return violation ? `${against}; a rule that needs no statistics was broken` : against;
}

function findings({ signals }: IncidentNotice['incident']): string[] {
  const shown = signals.filter((signal) => !signal.shadow);
  const strongest = [...shown].sort((a, b) => Number(b.violation) - Number(a.violation) || b.nats - a.nats);
  const lines = strongest.slice(0, MAX_FINDINGS).map((signal) => {
    const tags = signal.tags.length === 0 ? '' : ` (${cleanText(signal.tags.slice(0, 4).join(', '), NAME_CHARS)})`;
    const seen = `seen: ${cleanText(signal.observed, NAME_CHARS)}; normal: ${cleanText(signal.expected, NAME_CHARS)}`;
    return `${cleanText(signal.reason, LINE_CHARS)} - ${seen}${tags}`;
  });
  return withRest(lines, shown.length);
}

function arithmetic({ arithmetic: terms }: IncidentNotice['incident']): string[] {
  const lines = terms.slice(0, MAX_TERMS).map((term) => `${nats(term.nats)}  ${cleanText(term.label, NAME_CHARS)}`);
  return withRest(lines, terms.length);
}

function commandLine(command: IncidentNotice['commands'][number]): string {
  const confirmed = command.acknowledgements.filter(({ gatewayId }) => isEnforcedAt(command, gatewayId)).length;
  const gateways = confirmed === 0 ? '' : `, confirmed by ${confirmed} gateway${confirmed === 1 ? '' : 's'}`;
  return `${describeCommand(command)}${gateways}, ends by itself ${dayTime(command.expiresAt)}`;
}

function timeline({ timeline: entries }: IncidentNotice['incident']): string[] {
  return entries
    .slice(-MAX_TIMELINE)
    .map((entry) => `${clockTime(entry.time)}  ${entry.stream}: ${cleanText(entry.text, LINE_CHARS)}`);
}

function summaryStory({ leftOut }: SummaryNotice, baseUrl: string | undefined): Story {
  const story: Story = {
    headline: `${leftOut.count} message${leftOut.count === 1 ? '' : 's'} left out`,
    lead: 'These messages were not sent one by one. The incidents are recorded and shown as always.',
    facts: [
      ['Since', dayTime(leftOut.since)],
      ['Why', reasons(leftOut)],
    ],
    sections: [{ title: 'About', lines: leftOutLines(leftOut) }],
  };
  return baseUrl === undefined ? story : { ...story, link: `${trimSlash(baseUrl)}/` };
}

function reasons({ reasons: counts }: LeftOut): string {
  const parts = [
    counts.rate === 0 ? '' : `${counts.rate} above the limit of messages an hour`,
    counts.refused === 0 ? '' : `${counts.refused} refused by the mail server`,
    counts.gone === 0 ? '' : `${counts.gone} about incidents that are no longer held in memory`,
  ];
  return parts.filter(Boolean).join(', ');
}

function leftOutLines({ lines, count }: LeftOut): string[] {
  const shown = lines.map(
    (l) => `${l.severity}: ${cleanText(l.subject, LINE_CHARS)} (${cleanText(l.incidentId, NAME_CHARS)})`,
  );
  return withRest(shown, count);
}

function withRest(lines: string[], all: number): string[] {
  return all > lines.length ? [...lines, `and ${all - lines.length} more`] : lines;
}

function nats(value: number): string {
  return `${value.toFixed(1)} nats`;
}

function trimSlash(url: string): string {
  return url.endsWith('/') ? url.slice(0, -1) : url;
}
