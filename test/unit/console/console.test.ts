import { describe, expect, it } from 'vitest';
import type { PageRequest } from '../../../src/api/port.js';
import { createConsole } from '../../../src/console/console.js';
import type { AgentStanding, ConsoleSources } from '../../../src/console/port.js';
import { ManualClock } from '../../../src/lib/clock.js';
import type { Command } from '../../../src/model/command.js';
import type { Hold } from '../../../src/model/hold.js';
import { SEVERITIES, type Incident } from '../../../src/model/incident.js';
import { HOSTILE_TEXTS, STEERING } from '../../support/hostile-texts.js';
import { sampleCommand, sampleHold, sampleIncident, sampleSignal } from '../../support/samples.js';

interface World {
  incidents?: Incident[];
  commands?: Command[];
  holds?: Hold[];
  agents?: AgentStanding[];
  thresholdNats?: number;
}

function consoleOver({ incidents = [], commands = [], holds = [], agents = [], thresholdNats = 5 }: World) {
  const sources: ConsoleSources = {
    incidents: { list: () => incidents, get: (_tenant, id) => incidents.find((one) => one.id === id) },
    commands: { list: () => commands, restrictions: () => [] },
    holds: { list: () => holds },
    agents: {
      all: () => agents,
      get: (_tenant, id) => agents.find((one) => one.agentId === id),
      heard: () => ({ reasoning: 9_000, action: 1, governance: 0, metric: 0 }),
    },
    thresholdNats: () => thresholdNats,
    classOf: () => undefined,
    health: () => ({ mode: 'observe', scoringBacklog: 1_234, storeBacklog: 20_000, storeFailingSince: 1_000 }),
    clock: new ManualClock(100_000),
    keyHint: '',
  };
  return createConsole(sources);
}

function requestFor(change: Partial<PageRequest> = {}): PageRequest {
  const principal = {
    id: 'kim',
    role: 'responder',
    tenant: 'default',
    streams: new Set<never>(),
    agents: ['*'],
  } as const;
  return { principal, token: 'token', may: { contain: true, judge: true }, agent: '', ...change };
}

const matches = (text: string, pattern: RegExp) => [...text.matchAll(pattern)].length;

describe('the board', () => {
  it('says in words how the observer fares', () => {
    const text = consoleOver({}).view(requestFor());
    expect(text).toContain('Scoring is 1,234 records behind.');
    expect(text).toContain('ClickHouse cannot be written since');
    expect(text).toContain('20,000 records waiting');
    expect(text).toMatch(/class="action silent"/);
    expect(text).toMatch(/class="governance unheard"/);
    expect(text).toContain('nothing is enforced, only noted');
  });

  it('shows the most urgent of ten thousand incidents and a hundred thousand agents, and counts the rest', () => {
    const incidents = Array.from({ length: 10_000 }, (_, i) =>
      sampleIncident({
        id: `inc_${i}`,
        agentId: `agent-${i % 500}`,
        status: i % 10 === 0 ? 'open' : 'closed',
        severity: SEVERITIES[i % 3] ?? 'low',
        openedAt: i,
      }),
    );
    incidents.push(sampleIncident({ id: 'inc_worst', agentId: 'agent-1', severity: 'critical', openedAt: 0 }));
    const agents = Array.from({ length: 100_000 }, (_, i) => ({
      agentId: `agent-${i}`,
      riskNats: i / 100_000,
      riskAt: 0,
      heardAt: 1,
    }));
    const text = consoleOver({ incidents, agents }).view(requestFor());
    expect(text).toContain('The first 50 of 10,001 incidents');
    expect(text).toContain('The first 40 of 100,000 agents');
    expect(text.indexOf('row-inc_worst')).toBeLessThan(text.indexOf('row-inc_9890'));
    expect(text.length).toBeLessThan(100_000);
    const filtered = consoleOver({ incidents, agents }).view(requestFor({ agent: 'AGENT-99999' }));
    expect(filtered).toContain('No incident matches');
    expect(matches(filtered, /class="agent-line"/g)).toBe(1);
  });

  it('tells sent from confirmed, and asks about what waits', () => {
    const commands = [
      sampleCommand({ id: 'cmd_sent' }),
      sampleCommand({
        id: 'cmd_ok',
        state: 'acknowledged',
        acknowledgements: [{ gatewayId: 'gw-1', effective: 'enforced', time: 1_000 }],
      }),
      sampleCommand({ id: 'cmd_wait', state: 'proposed' }),
      sampleCommand({ id: 'cmd_dry', state: 'proposed', dryRun: true }),
      sampleCommand({ id: 'cmd_over', state: 'expired' }),
    ];
    const enforced = [{ gatewayId: 'gw-1', effective: 'enforced', time: 1_000 }];
    const lied = { state: 'failed', acknowledgements: enforced, awaits: ['gw-1'], bypassedBy: ['gw-1'] } as const;
    const partly = sampleCommand({ id: 'cmd_partly', acknowledgements: enforced, awaits: ['gw-1', 'gw-2'] });
    const lifting = sampleCommand({ id: 'cmd_lifting', state: 'undone', acknowledgements: enforced });
    const more = consoleOver({
      commands: [partly, lifting, sampleCommand({ ...lied, id: 'cmd_lied', awaits: ['gw-1'], bypassedBy: ['gw-1'] })],
    }).view(requestFor());
    expect(more).not.toContain('in force<');
    expect(more).toContain('sent, not yet confirmed by gw-2');
    expect(more).toContain('lifted, not yet confirmed by gw-1');
    expect(more).toContain('not in force: gw-1 let a call pass');
    const text = consoleOver({ commands }).view(requestFor());
    expect(text.indexOf('all-cmd_wait')).toBeLessThan(text.indexOf('all-cmd_sent'));
    expect(text).toContain('sent, not yet confirmed');
    expect(text).toContain('confirmed by gw-1');
    expect(matches(text, /\/lift"/g)).toBe(2);
    expect([matches(text, /\/approve"/g), matches(text, /\/reject"/g)]).toEqual([1, 1]);
    expect(text).toContain('only noted: nothing is enforced in observe mode');
    const viewer = consoleOver({ commands }).view(requestFor({ may: { contain: false, judge: false } }));
    expect(viewer).not.toMatch(/data-post/);
  });
});

describe('held calls', () => {
  const wait = [sampleHold({ id: 'hold_new', heldAt: 2_000 }), sampleHold({ id: 'hold_old' })];

  it('asks about those that wait, the oldest first, and offers nobody their own', () => {
    const holds = [...wait, sampleHold({ id: 'hold_done', state: 'used' })];
    const text = consoleOver({ holds }).view(requestFor());
    expect(text.indexOf('hold-hold_old')).toBeLessThan(text.indexOf('hold-hold_new'));
    expect(text).toContain('2 waiting for a person');
    expect(text).not.toContain('hold_done');
    expect(matches(text, /\/v1\/approvals\/hold_\w+\/(approve|reject)"/g)).toBe(4);
    const own = [sampleHold({ gatewayId: 'kim' }), sampleHold({ id: 'hold_2', agentId: 'kim' })];
    expect(matches(consoleOver({ holds: own }).view(requestFor()), /data-post="\/v1\/approvals/g)).toBe(0);
    const viewer = consoleOver({ holds }).view(requestFor({ may: { contain: false, judge: false } }));
    expect(viewer).not.toContain('/v1/approvals');
  });
});

describe('an open incident', () => {
  it('adds up: the parts of the bar end at the total, against the threshold', () => {
    const arithmetic = [
      { label: 'tool', nats: 4 },
      { label: 'argument', nats: 6 },
      { label: 'asked for', nats: -2 },
    ];
    const incident = sampleIncident({ arithmetic, riskNats: 8, thresholdNats: 5, budget: 0.01, calibrationGroups: 50 });
    const text = consoleOver({ incidents: [incident] }).view(requestFor({ open: 'inc_1' }));
    const parts = [...text.matchAll(/<rect x="([\d.]+)%" y="20" width="([\d.]+)%"[^>]*class="(\w+)/g)];
    const figures = parts.map(([, x, width, kind]) => [kind, Number(x), Number(width)]);
    expect(figures).toEqual([
      ['term', 0, 38.46],
      ['term', 38.46, 57.69],
      ['against', 76.92, 19.23],
    ]);
    expect(text).toContain('8.0 in all');
    expect(text).toContain('threshold 5.0');
    expect(text).toContain('\u22122.0');
    expect(text).toContain(
      'About one clean session in 100 goes beyond 5.0 nats (an estimate: only 50 kinds of request are known)',
    );
    expect(text).toContain('about 20 times less likely');
  });

  it('is explained without a threshold, by one emitter, and when it is closed', () => {
    const incident = sampleIncident({
      thresholdNats: 1e6,
      violation: true,
      emitters: ['gateway'],
      status: 'closed',
      verdict: 'true-positive',
      closedBy: 'kim',
      signals: [sampleSignal({ violation: true })],
    });
    const text = consoleOver({ incidents: [incident] }).view(requestFor({ open: 'inc_1' }));
    expect(text).toContain('broke a rule that needs no statistics');
    expect(text).toContain('There is no threshold for this agent yet');
    expect(text).toContain('Only gateway reported it. For a broken rule that is enough.');
    expect(text).toContain('kim closed it as true-positive.');
    expect(text).not.toContain('/verdict"');
  });
});

describe('what an agent wrote', () => {
  it.each(HOSTILE_TEXTS)('cannot become %s', (_aim, hostile) => {
    const incident = sampleIncident({
      agentId: hostile,
      sessionId: hostile,
      title: hostile,
      emitters: [hostile],
      verdict: hostile,
      closedBy: hostile,
      arithmetic: [{ label: hostile, nats: 3 }],
      timeline: [{ time: 1_000, stream: 'action', text: hostile, refId: hostile }],
      signals: [
        sampleSignal({ reason: hostile, observed: hostile, expected: hostile, detectorId: hostile, tags: [hostile] }),
      ],
    });
    const hold = sampleHold({ agentId: hostile, tool: hostile, summary: hostile, reason: hostile, sessionId: hostile });
    const command = sampleCommand({ tool: hostile, agentId: hostile, reason: hostile, issuedBy: hostile });
    const agents = [{ agentId: hostile, riskNats: 1, riskAt: 0, heardAt: 1 }];
    const text = consoleOver({ incidents: [incident], commands: [command], holds: [hold], agents }).board(
      requestFor({ open: 'inc_1' }),
    );
    // Without the texts between the tags and in attributes there is only what is ours.
    const tags = [...text.matchAll(/<[^>]*>/g)].map(([tag]) => tag.replaceAll(/"[^"]*"/g, '""'));
    for (const tag of tags) {
      expect(tag).toMatch(/^<!?\/?[a-zA-Z0-9]+(?: [a-zA-Z0-9-]+(?:="")?)*(?: ?\/)?>$/);
      expect(tag).not.toMatch(/ on\w+|srcdoc|style|iframe|object|animate|foreign|base|http-equiv/i);
    }
    expect(tags.filter((tag) => tag.startsWith('<script'))).toEqual(['<script src="" defer="">']);
    for (const [, target = ''] of text.matchAll(/ (?:href|src|action)="([^"]*)"/g)) expect(target).toMatch(/^(?:#|\/)/);
    expect(Array.from(text).filter((char) => STEERING.has(char))).toEqual([]);
    expect(text.length).toBeLessThan(60_000);
  });
});
