import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';
import { describe, expect, it } from 'vitest';
import type { Effect } from '../../../src/model/effect.js';
import type { Figures } from '../../../src/telemetry/figures.js';
import { METRIC_TABLE } from '../../../src/telemetry/metric-table.js';
import { COUNTED_METRICS, Metrics } from '../../../src/telemetry/metrics.js';
import { lintExposition, parseExposition, totalOf, valueOf } from '../../support/exposition.js';
import { repositoryRoot } from '../../support/recorded.js';
import { sampleIncident } from '../../support/samples.js';

function figures(change: Partial<Figures> = {}): Figures {
  return {
    version: '1.2.3',
    mode: 'act',
    nowMs: 10_000,
    isReady: true,
    isDraining: false,
    parts: { log: 'ok', scoring: 'behind', store: 'away' },
    log: { head: 7, storedBytes: 4096 },
    scoring: {
      backlog: 3,
      lagMs: 1_500,
      ticks: 4,
      watermarkDelayMs: undefined,
      records: 7,
      observations: 6,
      checkpoints: 1,
      incidents: 1,
      dropped: { late: 2 },
      sessionsLearned: 1,
      sessionsQuarantined: 0,
    },
    held: { sessions: 2 },
    evicted: { sessions: 9 },
    intake: {
      accepted: 6,
      refused: 1,
      deadLetters: 1,
      bytes: 100,
      pendingBytes: 0,
      requestsRefused: { overloaded: 1, log_full: 0, draining: 0 },
      shedObservations: 0,
      shedPayloads: 0,
    },
    detectorFailures: 0,
    detectorsDisabled: 0,
    incidentsOpen: { high: 1 },
    commands: { sent: 1 },
    commandsUnconfirmed: 1,
    approvalsWaiting: 0,
    falseAlarms: [{ agentClass: 'support', rate: 0.1, low: 0.05, budget: 0.01 }],
    checks: { waiting: 0, timedOut: 0 },
    http: { answered: 5 },
    streamsOpened: 1,
    store: {
      isUp: false,
      failingSince: 4_000,
      logBacklog: 5,
      outboxBacklog: 6,
      rows: 1,
      retries: 2,
      refusedRows: 0,
      lostRecords: 0,
      engineRestarts: 0,
    },
    topics: { lag: { calls: 7 }, records: { calls: 90 }, failed: { calls: 0 } },
    webhooks: { 'gateway-a': { delivered: 3, retries: 1, missed: 0, failingSince: 9_000 } },
    mail: undefined,
    heartbeat: { results: { sent: 1, failed: 0, withheld: 0 }, lastSentMs: undefined },
    ...change,
  };
}

function metricsOf(change: Partial<Figures> = {}, withProcess = false): Metrics {
  return new Metrics({ figures: () => figures(change), classOf: () => 'support', withProcess });
}

const read = async (metrics: Metrics) => parseExposition((await metrics.expose()).text);
const took = (metrics: Metrics, effects: Effect[]) =>
  metrics.took(effects.map((effect, i) => ({ sequence: i + 1, effect })));

describe('metrics', () => {
  it('are in the format of Prometheus and keep to its rules, those of the process too', async () => {
    const metrics = metricsOf({}, true);
    metrics.checked('hold', 0.004);
    took(metrics, [{ type: 'incident', value: sampleIncident() }]);
    const exposed = await read(metrics);
    expect(lintExposition(exposed)).toEqual([]);
    const names = [...exposed.keys()];
    for (const name of [...METRIC_TABLE.map((row) => row.name), ...COUNTED_METRICS]) expect(names).toContain(name);
    expect(names).toContain('process_resident_memory_bytes');
    expect(names).toContain('nodejs_eventloop_lag_p99_seconds');
    expect((await metrics.expose()).contentType).toBe('text/plain; version=0.0.4; charset=utf-8');
  });

  it('say what the service says, in base units, and leave out what is not known', async () => {
    const exposed = await read(metricsOf());
    expect(valueOf(exposed, 'parallax_scoring_lag_seconds')).toBe(1.5);
    expect(valueOf(exposed, 'parallax_store_failing_seconds')).toBe(6);
    expect(valueOf(exposed, 'parallax_webhook_failing_seconds', { webhook: 'gateway-a' })).toBe(1);
    expect(valueOf(exposed, 'parallax_topic_lag_records', { source: 'calls' })).toBe(7);
    expect(valueOf(exposed, 'parallax_part_ok', { part: 'scoring' })).toBe(0);
    expect(valueOf(exposed, 'parallax_false_alarm_low_ratio', { agent_class: 'support' })).toBe(0.05);
    for (const unknown of [
      'parallax_watermark_delay_seconds',
      'parallax_mail_sent_total',
      'parallax_heartbeat_last_timestamp_seconds',
    ]) {
      expect([unknown, exposed.get(unknown)?.samples]).toEqual([unknown, []]);
    }
  });

  it('do not add up when they are read again', async () => {
    const metrics = metricsOf();
    await metrics.expose();
    expect(valueOf(await read(metrics), 'parallax_intake_records_accepted_total')).toBe(6);
  });

  it('count an incident once, at its opening, and no more than what was open at the start', async () => {
    const metrics = metricsOf();
    metrics.knows(['inc_before']);
    const incident = (change: object): Effect => ({ type: 'incident', value: { ...sampleIncident(), ...change } });
    took(metrics, [
      incident({ id: 'inc_before', status: 'contained' }),
      incident({ id: 'inc_new', severity: 'low' }),
      incident({ id: 'inc_new', severity: 'high', status: 'contained' }),
      incident({ id: 'inc_new', severity: 'high', status: 'closed' }),
    ]);
    const exposed = await read(metrics);
    expect(totalOf(exposed, 'parallax_incidents_total')).toBe(1);
    expect(valueOf(exposed, 'parallax_incidents_total', { severity: 'low', agent_class: 'support' })).toBe(1);
  });

  it('time checks into buckets', async () => {
    const metrics = metricsOf();
    metrics.checked('allow', 0.004);
    metrics.checked('allow', 0.3);
    const exposed = await read(metrics);
    expect(valueOf(exposed, 'parallax_check_duration_seconds_bucket', { le: '0.005' })).toBe(1);
    expect(valueOf(exposed, 'parallax_check_duration_seconds_count')).toBe(2);
    expect(valueOf(exposed, 'parallax_checks_total', { answer: 'allow' })).toBe(2);
  });

  it('grow no series from what came with records, and no more than a few hundred from a folder of detectors', async () => {
    const metrics = metricsOf();
    const series = async () =>
      [...(await read(metrics)).values()].reduce((sum, { samples }) => sum + samples.length, 0);
    took(metrics, [{ type: 'incident', value: sampleIncident() }]);
    const before = await series();
    for (let n = 0; n < 1_000; n++) {
      const hostile = `agent-${n}{evil="1"}\n`;
      took(metrics, [
        { type: 'incident', value: { ...sampleIncident(), id: `inc_${n}`, agentId: hostile, title: hostile } },
      ]);
    }
    expect(await series()).toBe(before);
    const [signal] = sampleIncident().signals;
    if (signal === undefined) throw new Error('the sample has no signal');
    for (let n = 0; n < 2_000; n++) took(metrics, [{ type: 'signal', value: { ...signal, detectorId: `d-${n}` } }]);
    expect((await series()) - before).toBe(501);
    expect(totalOf(await read(metrics), 'parallax_signals_total')).toBe(2_000);
  });
});

describe('docs/operations.md', () => {
  it('lists every metric of our own with its type, and no other', () => {
    const text = readFileSync(join(repositoryRoot, 'docs', 'operations.md'), 'utf8');
    const listed = [...text.matchAll(/^\| `(parallax_[a-z_]+)` \| (counter|gauge|histogram) \|/gm)].map(
      (m) => `${m[1]} ${m[2]}`,
    );
    const counted = COUNTED_METRICS.map((name) => `${name} ${name.endsWith('_seconds') ? 'histogram' : 'counter'}`);
    expect(listed.toSorted()).toEqual(
      [...METRIC_TABLE.map(({ name, type }) => `${name} ${type}`), ...counted].toSorted(),
    );
  });
});

interface AlertFile {
  groups: {
    name: string;
    rules: {
      alert: string;
      expr: string;
      for?: string;
      labels: Record<string, string>;
      annotations: Record<string, string>;
    }[];
  }[];
}

describe('dashboards/alerts.yaml', () => {
  const file = join(repositoryRoot, 'dashboards', 'alerts.yaml');
  // Held to its shape by what is expected of it below.
  const rules = () => (parse(readFileSync(file, 'utf8')) as AlertFile).groups.flatMap((group) => group.rules);

  it('says for each alert how bad it is, what is wrong and where to read what to do', () => {
    expect(rules().length).toBeGreaterThan(8);
    const manual = readFileSync(join(repositoryRoot, 'docs', 'operations.md'), 'utf8');
    for (const { alert, labels, annotations } of rules()) {
      expect([alert, ['page', 'ticket'].includes(labels['severity'] ?? '')]).toEqual([alert, true]);
      expect([alert, (annotations['summary'] ?? '').length > 20]).toEqual([alert, true]);
      expect([alert, manual.includes(`\`${alert}\``)]).toEqual([alert, true]);
    }
    expect(new Set(rules().map(({ alert }) => alert)).size).toBe(rules().length);
  });

  it('asks only for metrics that there are, by labels that they have', async () => {
    const metrics = metricsOf(
      { scoring: { ...figures().scoring, watermarkDelayMs: 1 }, mail: { delivered: 1, retries: 1, missed: 0 } },
      true,
    );
    const exposed = await read(metrics);
    const labels = new Map(METRIC_TABLE.map(({ name, labels: of = [] }) => [name, of]));
    for (const { alert, expr } of rules()) {
      const names = [...expr.matchAll(/\b(?:parallax|process|nodejs)_[a-z0-9_]+/g)].map(([name]) => name);
      expect([alert, names.length > 0 || expr.includes('up{')]).toEqual([alert, true]);
      for (const name of names) {
        const base = exposed.has(name) ? name : name.replace(/_(bucket|sum|count)$/, '');
        expect([alert, name, exposed.has(base)]).toEqual([alert, name, true]);
      }
      for (const [, name = '', inner = ''] of expr.matchAll(/\b(parallax_[a-z_]+)\{([^}]*)\}/g)) {
        for (const [, label = ''] of inner.matchAll(/([a-z_]+)\s*=/g)) {
          expect([alert, name, label, labels.get(name)?.includes(label) ?? label === 'le']).toEqual([
            alert,
            name,
            label,
            true,
          ]);
        }
      }
      // Parentheses and braces close, as a hasty edit forgets.
      for (const [open, close] of ['()', '{}', '[]'])
        expect(expr.split(open ?? '').length).toBe(expr.split(close ?? '').length);
    }
  });
});
