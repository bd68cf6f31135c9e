import type { ByName, Figures } from './figures.js';

/** The values of a metric now: one, one by each label value, or none. */
export type Reading = number | undefined | readonly (readonly [labels: Record<string, string>, value: number])[];

export interface MetricRow {
  name: string;
  type: 'counter' | 'gauge';
  help: string;
  labels?: readonly string[];
  read: (figures: Figures) => Reading;
}

/** Every metric that is read from what the service knows of itself. What is counted as it happens stands in metrics.ts. */
export const METRIC_TABLE: readonly MetricRow[] = [
  gauge(
    'parallax_info',
    'Version and mode of this process; always 1.',
    ({ version, mode }) => [[{ version, mode }, 1]],
    ['version', 'mode'],
  ),
  gauge('parallax_ready', 'Whether requests are welcome (1) or not (0).', (f) => Number(f.isReady)),
  gauge('parallax_draining', 'Whether the process is stopping.', (f) => Number(f.isDraining)),
  gauge(
    'parallax_part_ok',
    'Whether a part works as it should; the same parts as /readyz.',
    (f) => Object.entries(f.parts).map(([part, state]) => [{ part }, Number(state === 'ok')] as const),
    ['part'],
  ),

  counter('parallax_log_records_total', 'Records in the log since it was begun.', (f) => f.log.head),
  gauge('parallax_log_stored_bytes', 'Bytes that the log takes on disk.', (f) => f.log.storedBytes),
  gauge(
    'parallax_scoring_backlog_records',
    'Records in the log that are not scored and out yet.',
    (f) => f.scoring.backlog,
  ),
  gauge(
    'parallax_scoring_lag_seconds',
    'Age of the oldest tick of processing time that scoring has not carried through yet.',
    (f) => f.scoring.lagMs / 1000,
  ),
  counter(
    'parallax_scoring_ticks_total',
    'Ticks that went through scoring and outbox; still while scoring hangs.',
    (f) => f.scoring.ticks,
  ),
  gauge(
    'parallax_watermark_delay_seconds',
    'How far event time that is complete lies behind the clock, for the slowest tenant.',
    (f) => (f.scoring.watermarkDelayMs === undefined ? undefined : f.scoring.watermarkDelayMs / 1000),
  ),
  counter('parallax_scoring_records_total', 'Records read from the log.', (f) => f.scoring.records),
  counter('parallax_scoring_observations_total', 'Observations scored.', (f) => f.scoring.observations),
  named(
    'counter',
    'parallax_scoring_dropped_total',
    'Records that scoring passed over or counted apart, by reason.',
    'reason',
    (f) => f.scoring.dropped,
  ),
  counter('parallax_scoring_checkpoints_total', 'Checkpoints of the state.', (f) => f.scoring.checkpoints),
  counter(
    'parallax_scoring_incidents_total',
    'Incidents opened by scoring, those scored again after a crash included.',
    (f) => f.scoring.incidents,
  ),
  counter(
    'parallax_sessions_learned_total',
    'Finished sessions that baselines learned.',
    (f) => f.scoring.sessionsLearned,
  ),
  counter(
    'parallax_sessions_quarantined_total',
    'Finished sessions that wait for a verdict.',
    (f) => f.scoring.sessionsQuarantined,
  ),
  named('gauge', 'parallax_held', 'What is held in memory, by kind.', 'what', (f) => f.held),
  named(
    'counter',
    'parallax_evictions_total',
    'What gave way to something newer for want of room, by kind.',
    'what',
    (f) => f.evicted,
  ),

  counter('parallax_intake_records_accepted_total', 'Records taken in and durable.', (f) => f.intake.accepted),
  counter('parallax_intake_records_refused_total', 'Records refused for what they hold.', (f) => f.intake.refused),
  counter('parallax_intake_dead_letters_total', 'Refused records kept as dead letters.', (f) => f.intake.deadLetters),
  counter('parallax_intake_bytes_total', 'Bytes of records taken in or refused.', (f) => f.intake.bytes),
  gauge('parallax_intake_pending_bytes', 'Bytes taken in and not yet durable.', (f) => f.intake.pendingBytes),
  named(
    'counter',
    'parallax_intake_requests_refused_total',
    'Requests of emitters turned away whole, by reason.',
    'reason',
    (f) => f.intake.requestsRefused,
  ),
  named('counter', 'parallax_intake_shed_total', 'What emitters over their quota lost.', 'what', ({ intake }) => ({
    observations: intake.shedObservations,
    payloads: intake.shedPayloads,
  })),

  counter('parallax_detector_failures_total', 'Detectors that threw; each is isolated.', (f) => f.detectorFailures),
  gauge('parallax_detectors_disabled', 'Detectors switched off after failures.', (f) => f.detectorsDisabled),
  named(
    'gauge',
    'parallax_incidents_open',
    'Incidents that are not closed, by severity.',
    'severity',
    (f) => f.incidentsOpen,
  ),
  named('gauge', 'parallax_commands', 'Commands that are remembered, by state.', 'state', (f) => f.commands),
  gauge(
    'parallax_commands_unconfirmed',
    'Containments in force that gateways have not confirmed in time.',
    (f) => f.commandsUnconfirmed,
  ),
  gauge('parallax_approvals_waiting', 'Held calls that wait for a person.', (f) => f.approvalsWaiting),
  gauge(
    'parallax_false_alarm_ratio',
    'False alarms in a session, by class of agents, as people judged.',
    rates('rate'),
    ['agent_class'],
  ),
  gauge('parallax_false_alarm_low_ratio', 'Lower end of the 95 % interval of that ratio.', rates('low'), [
    'agent_class',
  ]),
  gauge('parallax_false_alarm_budget_ratio', 'The budget of that ratio.', rates('budget'), ['agent_class']),
  gauge('parallax_checks_waiting', 'Gateways waiting for an answer now.', (f) => f.checks.waiting),
  counter(
    'parallax_checks_late_total',
    'Checks answered by the deadline instead of by scoring.',
    (f) => f.checks.timedOut,
  ),

  named('counter', 'parallax_http_requests_total', 'HTTP requests, by what became of them.', 'outcome', (f) => f.http),
  counter('parallax_streams_opened_total', 'Command streams opened.', (f) => f.streamsOpened),

  gauge('parallax_store_up', 'Whether ClickHouse takes what it is sent.', (f) => Number(f.store.isUp)),
  gauge('parallax_store_failing_seconds', 'How long ClickHouse has not taken anything; 0 while it does.', (f) =>
    since(f, f.store.failingSince),
  ),
  named(
    'gauge',
    'parallax_store_backlog_records',
    'Records and effects that are not in ClickHouse yet.',
    'queue',
    ({ store }) => ({
      log: store.logBacklog,
      outbox: store.outboxBacklog,
    }),
  ),
  counter('parallax_store_rows_total', 'Rows written to ClickHouse.', (f) => f.store.rows),
  counter('parallax_store_retries_total', 'Failed tries to write to ClickHouse.', (f) => f.store.retries),
  counter(
    'parallax_store_rows_refused_total',
    'Rows that ClickHouse refused; they lie in dead_letters.',
    (f) => f.store.refusedRows,
  ),
  counter(
    'parallax_store_records_lost_total',
    'Records that retention dropped before they were stored.',
    (f) => f.store.lostRecords,
  ),
  counter('parallax_store_engine_restarts_total', 'Restarts of the embedded engine.', (f) => f.store.engineRestarts),

  named(
    'gauge',
    'parallax_topic_lag_records',
    'Records that wait in topics of a source.',
    'source',
    (f) => f.topics.lag,
  ),
  named('counter', 'parallax_topic_records_total', 'Records read from topics.', 'source', (f) => f.topics.records),
  named(
    'gauge',
    'parallax_topic_failed',
    'Whether the topics of a source cannot be read (1).',
    'source',
    (f) => f.topics.failed,
  ),

  deliveries('parallax_webhook_deliveries_total', 'Messages that webhooks took.', (d) => d.delivered),
  deliveries('parallax_webhook_retries_total', 'Tries that webhooks did not take.', (d) => d.retries),
  gauge(
    'parallax_webhook_failing_seconds',
    'How long a webhook has not taken anything; 0 while it does.',
    (f) => Object.entries(f.webhooks).map(([webhook, d]) => [{ webhook }, since(f, d.failingSince)] as const),
    ['webhook'],
  ),
  counter('parallax_mail_sent_total', 'Mails sent.', (f) => f.mail?.delivered),
  counter('parallax_mail_retries_total', 'Failed tries to send mail.', (f) => f.mail?.retries),
  counter(
    'parallax_mail_missed_total',
    'Incidents that nobody was told of by mail, for want of room.',
    (f) => f.mail?.missed,
  ),
  gauge('parallax_mail_failing_seconds', 'How long mail could not be sent; 0 while it can.', (f) =>
    f.mail === undefined ? undefined : since(f, f.mail.failingSince),
  ),
  named(
    'counter',
    'parallax_heartbeats_total',
    'Heartbeats by result; withheld: scoring had not advanced.',
    'result',
    (f) => f.heartbeat.results,
  ),
  gauge('parallax_heartbeat_last_timestamp_seconds', 'When a heartbeat was last taken by the outside system.', (f) =>
    f.heartbeat.lastSentMs === undefined ? undefined : f.heartbeat.lastSentMs / 1000,
  ),
];

function gauge(name: string, help: string, read: MetricRow['read'], labels?: readonly string[]): MetricRow {
  return { name, type: 'gauge', help, read, ...(labels === undefined ? {} : { labels }) };
}

function counter(name: string, help: string, read: MetricRow['read']): MetricRow {
  return { name, type: 'counter', help, read };
}

function named(
  type: MetricRow['type'],
  name: string,
  help: string,
  label: string,
  read: (figures: Figures) => ByName,
): MetricRow {
  return {
    name,
    type,
    help,
    labels: [label],
    read: (figures) => Object.entries(read(figures)).map(([key, value]) => [{ [label]: key }, value] as const),
  };
}

function deliveries(name: string, help: string, pick: (d: Figures['webhooks'][string]) => number): MetricRow {
  const read = (f: Figures): Reading =>
    Object.entries(f.webhooks).map(([webhook, d]) => [{ webhook }, pick(d)] as const);
  return { name, type: 'counter', help, labels: ['webhook'], read };
}

function rates(which: 'rate' | 'low' | 'budget') {
  return ({ falseAlarms }: Figures): Reading =>
    falseAlarms.map((rate) => [{ agent_class: rate.agentClass }, rate[which]] as const);
}

function since({ nowMs }: Figures, timeMs: number | undefined): number {
  return timeMs === undefined ? 0 : Math.max(0, nowMs - timeMs) / 1000;
}
