import type { AgentClass, Beat } from '../agent-class.js';
import { closing, step, type PlannedTurn, type SessionPlan } from '../session-plan.js';

/** Data analysis: queries tables, makes charts, shares reports with colleagues. */
export const analyst: AgentClass = {
  name: 'analyst',
  size: 8,
  thinkMs: 4_500,
  tools: {
    'catalog.describe': 'read',
    'warehouse.query': 'read',
    'catalog.read_report': 'read',
    'charts.render': 'write',
    'reports.write': 'write',
  },
  works: [
    { weight: 4, plan: figure },
    { weight: 4, plan: shared },
    { weight: 3, plan: chart },
    { weight: 2, plan: compare },
  ],
};

const MEASURES = [
  'the weekly total',
  'the median value',
  'the share of first-time buyers',
  'the busiest hour',
  'the drop-off',
];
const WEEKS = ['this week', 'last week', 'the last four weeks', 'this quarter', 'last month'];

function query(
  random: Beat['random'],
  { table, measure, region }: Record<'table' | 'measure' | 'region', string>,
): PlannedTurn {
  return step('I will query it.', {
    tool: 'warehouse.query',
    args: { table, question: measure, region },
    result: `${measure} of ${table} in ${region}: ${random.int(10, 9_999)}`,
    tookMs: random.around(3_000),
  });
}

function subject({ names, random }: Beat) {
  return {
    table: random.pick(names.tables),
    measure: random.pick(MEASURES),
    region: random.pick(names.regions),
    weeks: random.pick(WEEKS),
    reader: random.pick(names.colleagues.slice(5)),
  };
}

function figure(beat: Beat): SessionPlan {
  const { random } = beat;
  const s = subject(beat);
  const turns: PlannedTurn[] = [
    {
      ask: random.pick([
        `What is ${s.measure} of ${s.table} in the ${s.region} region for ${s.weeks}?`,
        `Give me ${s.measure} for ${s.table}, region ${s.region}, ${s.weeks}.`,
      ]),
    },
  ];
  if (random.chance(0.4)) {
    turns.push(
      step('I will look at the columns.', {
        tool: 'catalog.describe',
        args: { table: s.table },
        result: `${s.table}: id, region, day, value`,
      }),
    );
  }
  turns.push(query(random, s), closing(`That is ${s.measure}.`));
  return { turns };
}

function shared(beat: Beat): SessionPlan {
  const { random } = beat;
  const s = subject(beat);
  return {
    turns: [
      {
        ask: random.pick([
          `Share ${s.measure} of ${s.table} (${s.region}, ${s.weeks}) with ${s.reader.email}.`,
          `${s.reader.name} asked for ${s.measure} of ${s.table} in ${s.region}; send it to ${s.reader.email}.`,
        ]),
      },
      query(random, s),
      step('I will share it.', {
        tool: 'reports.write',
        args: { report: `${s.table} ${s.region}`, to: s.reader.email },
        result: 'shared',
      }),
      closing('Shared.'),
    ],
  };
}

function chart(beat: Beat): SessionPlan {
  const { random } = beat;
  const s = subject(beat);
  return {
    turns: [
      {
        ask: random.pick([
          `Draw ${s.measure} of ${s.table} by day for ${s.weeks}, ${s.region} only.`,
          `I need a chart of ${s.table} in ${s.region}: ${s.measure}, ${s.weeks}.`,
        ]),
      },
      query(random, s),
      step('I will draw it.', {
        tool: 'charts.render',
        args: { title: `${s.measure}, ${s.region}`, table: s.table },
        result: 'saved',
      }),
      closing('The chart is saved.'),
    ],
  };
}

function compare(beat: Beat): SessionPlan {
  const { random } = beat;
  const s = subject(beat);
  return {
    turns: [
      {
        ask: random.pick([
          `Does the last report on ${s.table} still hold for ${s.region}?`,
          `Check the ${s.table} report against ${s.weeks}.`,
        ]),
      },
      step('I will read the report.', {
        tool: 'catalog.read_report',
        args: { report: `${s.table} ${s.region}` },
        result: `Report on ${s.table}: ${s.measure} was ${random.int(10, 9_999)}`,
      }),
      query(random, s),
      closing('It still holds.'),
    ],
  };
}
