import { writeFileSync } from 'node:fs';
import { loadConfig } from '../config.js';
import { evaluate as run, ScoreSheet } from '../evaluate/evaluate.js';
import { figures } from '../evaluate/figures.js';
import { readLabels } from '../evaluate/labels.js';
import { figuresTable } from '../evaluate/table.js';
import { mergeByTime } from '../sources/merge.js';
import { RecordedContent } from '../sources/recorded-content.js';
import { readRecordedSteps } from '../sources/recorded-session.js';
import { openTrial, TRIAL_TENANT } from '../trial.js';
import { listOf, textOf, UsageError, type CliCommand } from './command.js';
import { ProgressLine } from './progress.js';

export const evaluate: CliCommand = {
  name: 'evaluate',
  usage: '--train FILE... --events FILE... [--labels FILE...] [--content FILE...] [--out FILE] [--json]',
  summary: 'learn from recorded clean sessions, freeze, score others and say how well that worked',
  options: {
    train: { type: 'string', multiple: true },
    events: { type: 'string', multiple: true },
    labels: { type: 'string', multiple: true },
    content: { type: 'string', multiple: true },
    out: { type: 'string' },
    json: { type: 'boolean' },
    config: { type: 'string' },
  },
  help: {
    train: 'recordings of clean sessions, .jsonl or .jsonl.gz',
    events: 'recordings to score',
    labels: 'labels of the scored sessions; read only after scoring is finished',
    content: 'tool results by call, where they were recorded',
    out: 'write {sessionId: {score, alarmSeq}} here',
    json: 'print the figures as JSON',
    config: 'YAML configuration',
  },
  run: async (context) => {
    const [train, events] = [listOf(context, 'train'), listOf(context, 'events')];
    if (train.length === 0 || events.length === 0) throw new UsageError('give --train FILE and --events FILE');
    const config = loadConfig(textOf(context, 'config'), context.env);
    const progress = new ProgressLine(context.console);
    const sheet = new ScoreSheet();
    const lastSeq = new Map<string, number>();
    let scoring = false;
    const trial = openTrial({
      config,
      scored: ({ observation, callNats, opened }) => {
        const { sessionId, seq } = observation;
        if (!scoring || sessionId === undefined) return;
        sheet.seen(sessionId);
        if (seq !== undefined) lastSeq.set(sessionId, seq);
        if (callNats !== undefined) sheet.risk(sessionId, callNats);
        if (opened && seq !== undefined) sheet.alarm(sessionId, seq);
      },
      windowScored: (window, _signals, opened) => {
        // An incident that a window opens comes after everything the window saw.
        if (opened !== undefined && window.sessionId !== undefined) {
          sheet.alarm(window.sessionId, lastSeq.get(window.sessionId) ?? 0);
        }
      },
    });
    try {
      const content = await RecordedContent.read(listOf(context, 'content'));
      const steps = (files: string[]) => mergeByTime(files.map((file) => readRecordedSteps(file, content)));
      const counted = await run({
        world: trial,
        train: steps(train),
        events: steps(events),
        onTrained: () => {
          scoring = true;
          progress.done();
          context.console.err(`${trial.core.baselines.promise(TRIAL_TENANT)}\n`);
        },
        onProgress: (stage, n) => progress.show(stage, `${n} events`),
      });
      progress.done();
      const scores = Object.fromEntries(sheet.scores);
      const out = textOf(context, 'out');
      if (out !== undefined) writeFileSync(out, JSON.stringify(scores));
      const labelled = listOf(context, 'labels').map((file) => ({ file, labels: readLabels(file) }));
      const sections = labelled.map(({ file, labels }) => ({ file, figures: figures(labels, sheet.scores) }));
      if (context.values['json'] === true) {
        const promise = trial.core.baselines.promise(TRIAL_TENANT);
        context.console.out(`${JSON.stringify({ ...counted, promise, sections }, undefined, 2)}\n`);
        return 0;
      }
      context.console.out(
        `${counted.trainEvents} events learned, ${counted.events} scored in ${sheet.scores.size} sessions\n`,
      );
      for (const { file, figures: result } of sections) context.console.out(`\n${file}\n${figuresTable(result)}\n`);
      return 0;
    } finally {
      await trial.close();
    }
  },
};
