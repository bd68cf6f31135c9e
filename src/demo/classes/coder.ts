import type { AgentClass, Beat } from '../agent-class.js';
import { closing, step, type PlannedTurn, type SessionPlan } from '../session-plan.js';

/** Coding: reads issues and code, edits, tests, opens pull requests. */
export const coder: AgentClass = {
  name: 'coder',
  size: 10,
  thinkMs: 6_000,
  tools: {
    'repo.read_issue': 'read',
    'repo.read_search': 'read',
    'repo.read_file': 'read',
    'tests.run': 'read',
    'repo.push_branch': 'write',
    'repo.open_request': 'write',
    'packages.search': 'read',
  },
  works: [
    { weight: 5, plan: fix },
    { weight: 3, plan: explain },
    { weight: 2, plan: upgrade },
    { weight: 2, plan: review },
  ],
};

const PARTS = ['parser', 'cart', 'session', 'retry', 'cache', 'form', 'export', 'webhook', 'price', 'locale', 'upload'];
const BUGS = [
  'drops the last item',
  'fails on an empty list',
  'shows the wrong time zone',
  'rounds twice',
  'hangs on a slow network',
  'forgets the filter',
  'logs every request twice',
];
const LIBRARIES = ['date-fns', 'zod', 'undici', 'fastify', 'pino', 'vite', 'luxon', 'sharp'];

function change(path: string, note: string): PlannedTurn {
  return step('I will change it.', { tool: 'repo.push_branch', args: { path, change: note }, result: 'saved' });
}

function tests(random: Beat['random'], repository: string): PlannedTurn {
  return step('Do the tests pass?', {
    tool: 'tests.run',
    args: { repository },
    result: `${random.int(40, 400)} passed, 0 failed`,
    tookMs: random.around(25_000),
  });
}

function fix({ names, random }: Beat): SessionPlan {
  const repository = random.pick(names.repositories);
  const part = random.pick(PARTS);
  const bug = random.pick(BUGS);
  const issue = `${random.int(100, 4_999)}`;
  const path = `src/${part}.ts`;
  const turns: PlannedTurn[] = [
    {
      ask: random.pick([
        `Fix issue ${issue} in ${repository}: the ${part} ${bug}.`,
        `The ${part} of ${repository} ${bug} (issue ${issue}). Please fix it and open a pull request.`,
        `${repository}#${issue}: ${part} ${bug}. Find the cause and repair it.`,
      ]),
    },
    step('I will read the issue.', {
      tool: 'repo.read_issue',
      args: { repository, issue },
      result: `Issue ${issue}: the ${part} ${bug}. See ${path}.`,
    }),
    step('I will look at the code.', {
      tool: 'repo.read_file',
      args: { repository, path },
      result: `export function ${part}(input) { /* ${random.int(20, 300)} lines */ }`,
    }),
    change(path, `so that the ${part} no longer ${bug}`),
    tests(random, repository),
  ];
  if (random.chance(0.3)) turns.push(change(path, `handle the rest of ${part}`), tests(random, repository));
  turns.push(
    step('All green; I will open a pull request.', {
      tool: 'repo.open_request',
      args: { repository, title: `Fix ${part}: ${bug}`, issue },
      result: 'opened',
    }),
    closing(`Issue ${issue} is fixed.`),
  );
  return { turns };
}

function explain({ names, random }: Beat): SessionPlan {
  const repository = random.pick(names.repositories);
  const part = random.pick(PARTS);
  return {
    turns: [
      {
        ask: random.pick([
          `How does the ${part} work in ${repository}?`,
          `Where does ${repository} handle the ${part}?`,
        ]),
      },
      step('I will search the code.', {
        tool: 'repo.read_search',
        args: { repository, query: part },
        result: `src/${part}.ts, test/${part}.test.ts`,
      }),
      step('I will read it.', {
        tool: 'repo.read_file',
        args: { repository, path: `src/${part}.ts` },
        result: `export function ${part}(input) { /* ${random.int(20, 300)} lines */ }`,
      }),
      closing(`The ${part} is in src/${part}.ts.`),
    ],
  };
}

function upgrade({ names, random }: Beat): SessionPlan {
  const repository = random.pick(names.repositories);
  const library = random.pick(LIBRARIES);
  const version = `${random.int(2, 9)}.${random.int(0, 20)}`;
  return {
    turns: [
      {
        ask: random.pick([
          `Upgrade ${library} to ${version} in ${repository}.`,
          `${repository} needs ${library} ${version}.`,
        ]),
      },
      step('Is that version there?', {
        tool: 'packages.search',
        args: { name: library },
        result: `${library}: ${version} is the newest`,
      }),
      step('I will look at the manifest.', {
        tool: 'repo.read_file',
        args: { repository, path: 'package.json' },
        result: `"${library}": "1.0"`,
      }),
      change('package.json', `${library} ${version}`),
      tests(random, repository),
      step('I will open a pull request.', {
        tool: 'repo.open_request',
        args: { repository, title: `Upgrade ${library} to ${version}` },
        result: 'opened',
      }),
      closing(`${library} is upgraded.`),
    ],
  };
}

function review({ names, random }: Beat): SessionPlan {
  const repository = random.pick(names.repositories);
  const part = random.pick(PARTS);
  const issue = `${random.int(100, 4_999)}`;
  return {
    turns: [
      {
        ask: random.pick([
          `Is issue ${issue} in ${repository} still a problem? Say what you find.`,
          `Check ${repository}#${issue} and say what you find there.`,
        ]),
      },
      step('I will read the issue.', {
        tool: 'repo.read_issue',
        args: { repository, issue },
        result: `Issue ${issue}: the ${part} ${random.pick(BUGS)}.`,
      }),
      step('I will search the code.', {
        tool: 'repo.read_search',
        args: { repository, query: part },
        result: `src/${part}.ts`,
      }),
      closing(`It still is: the ${part} behaves as described.`),
    ],
  };
}
