import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { proportionInterval } from '../../src/lib/proportion.js';
import { storeAgentClasses, type AgentClassRow } from '../../src/store/agent-classes.js';
import { StoreClient } from '../../src/store/client.js';
import { openDemoStore, type DemoStore } from '../support/demo-store.js';
import { panelsOf, queryVariables, readDashboards, type Dashboard, type Panel } from '../support/grafana/dashboard.js';
import { HOSTILE_IDS } from '../support/grafana/hostile-ids.js';
import { interpolate } from '../support/grafana/interpolate.js';
import { expandMacros } from '../support/grafana/macros.js';
import { STORED_FIELDS } from '../support/stored-fields.js';

/** Of it the demo's world has findings of every kind. */
const AGENT = 'coder-amber';
const CLASS = 'coding';
const CLASSES = ['coding', 'data-analyst', 'finance-operations', 'infrastructure-remediation', 'support'];
const AGENTS = 44;
/** Panels that say how old something is, or what lies in the tables twice. */
const ABOUT_STORING_OR_NOW = new Set([
  'Emitters',
  'Newest observation',
  'Stored twice',
  'Tables',
  'Delay until stored',
]);
const dashboards = readDashboards();
const panels = dashboards.flatMap(({ file, dashboard }) =>
  panelsOf(dashboard).map((panel) => ({ file, title: panel.title, dashboard, panel })),
);
let demo: DemoStore;
/** The user that Grafana is given: it cannot write. */
let reader: StoreClient;

beforeAll(async () => {
  demo = await openDemoStore();
  reader = new StoreClient(demo.store.readerConnection);
}, 240_000);

afterAll(async () => {
  await reader.close();
  await demo.close();
});

/** What Grafana sends for a query, with the chosen values. */
function sent(sql: string, chosen: Record<string, string> = {}): string {
  const values = new Map(Object.entries({ tenant: demo.tenant, class: '*', agent: '*', session: '*', ...chosen }));
  const { fromMs, toMs } = demo;
  return expandMacros(interpolate(sql, values), { fromMs, toMs, intervalMs: 60 * 60_000 });
}

async function rowsOf(sql: string, chosen: Record<string, string> = {}): Promise<Record<string, unknown>[]> {
  return reader.select<Record<string, unknown>>(sent(sql, chosen));
}

const sqlOf = ({ targets: [target] }: Panel) => target.rawSql;
/** What a dashboard is looked at with. */
const lookAt = ({ uid }: Dashboard): Record<string, string> => (uid === 'parallax-agent' ? { agent: AGENT } : {});
function panel(title: string, type?: Panel['type']): Panel {
  const found = panels.find((each) => each.title === title && (type === undefined || each.panel.type === type));
  if (found === undefined) throw new Error(`no panel ${title}`);
  return found.panel;
}
const one = (rows: readonly Record<string, unknown>[]): unknown => Object.values(rows[0] ?? {})[0];

describe('every panel', () => {
  it.each(panels)(
    '$file: $title has something to show of the demo',
    async ({ dashboard, panel: { targets, fieldConfig } }) => {
      const rows = await rowsOf(targets[0].rawSql, lookAt(dashboard));
      expect(rows.length).toBeGreaterThan(0);
      expect(rows.some((row) => Object.values(row).some((value) => value !== null && value !== ''))).toBe(true);
      const columns = new Set(Object.keys(rows[0] ?? {}));
      for (const { matcher } of fieldConfig.overrides) expect(columns).toContain(matcher.options);
      const isTimed = /^\d{4}-\d\d-\d\d /.test(String(one(rows)));
      expect(isTimed || targets[0].queryType === 'table').toBe(true);
    },
  );

  it.each(dashboards)('$file: annotations are the incidents', async ({ dashboard }) => {
    const [, { target }] = dashboard.annotations.list;
    const rows = await rowsOf(target.rawSql, lookAt(dashboard));
    expect(rows.length).toBeGreaterThan(0);
    expect(Object.keys(rows[0] ?? {})).toEqual(['time', 'text', 'tags']);
  });

  it.each(panels)(
    '$file: $title stands an agent, a class and a session that nobody knows',
    async ({ panel: { targets } }) => {
      for (const chosen of [{ agent: 'nobody', class: 'nobody', session: 'nobody' }, { tenant: 'nobody' }]) {
        await expect(rowsOf(targets[0].rawSql, chosen)).resolves.toBeInstanceOf(Array);
      }
    },
  );

  it.each(panels)('$file: $title stands a hostile tenant, class, agent and session', async ({ panel: { targets } }) => {
    const hostile = HOSTILE_IDS.join('');
    const rows = await rowsOf(targets[0].rawSql, { tenant: hostile, class: hostile, agent: hostile, session: hostile });
    // Of an aggregate there is always a row; nothing of anybody else is in it.
    expect(JSON.stringify(rows)).not.toMatch(/coder-|default-|parallax-secret/);
  });
});

describe('the choices', () => {
  it.each(dashboards)('$file: each offers what there is', async ({ dashboard }) => {
    const offered = new Map<string, unknown[]>();
    for (const { name, query } of queryVariables(dashboard)) {
      offered.set(
        name,
        (await rowsOf(query.rawSql, lookAt(dashboard))).map((row) => one([row])),
      );
    }
    expect(offered.get('tenant')).toEqual([demo.tenant]);
    expect(offered.get('class')).toEqual(CLASSES);
    expect(offered.get('agent')).toHaveLength(AGENTS);
    expect(offered.get('session') ?? [`${AGENT}-`]).toContainEqual(expect.stringContaining(`${AGENT}-`));
  });

  it('forget a class that the library has no more', async () => {
    const { writer } = demo.store;
    const kept = await writer.select<AgentClassRow>(
      'SELECT agentClass, patterns, budget FROM agent_classes_v ORDER BY place',
    );
    const names = () => writer.select<object>('SELECT agentClass FROM agent_classes_v ORDER BY place');
    const before = await names();
    const more = { agentClass: 'a-new-one', patterns: [`${AGENT.slice(0, 7)}*`], budget: 0.2 };
    await storeAgentClasses(writer, [more, ...kept], demo.toMs);
    expect(await names()).toEqual([{ agentClass: 'a-new-one' }, ...before]);
    expect(await writer.select(`SELECT agentClass FROM agents_v WHERE agentId = '${AGENT}'`)).toEqual([
      { agentClass: 'a-new-one' },
    ]);
    await storeAgentClasses(writer, kept, demo.toMs + 1);
    expect(await names()).toEqual(before);
  });

  it('name the class of each agent as the library does', async () => {
    const rows = await reader.select<{ agentId: string; agentClass: string }>(
      'SELECT agentId, agentClass FROM agents_v ORDER BY agentId',
    );
    expect(rows).toHaveLength(AGENTS);
    for (const { agentId, agentClass } of rows) expect(agentClass).toBe(demo.classOf(agentId));
  });

  it('narrow what is shown', async () => {
    const agents = (chosen: Record<string, string>) => rowsOf(sqlOf(panel('Agents at work')), chosen).then(one);
    expect(Number(await agents({}))).toBe(AGENTS);
    expect(Number(await agents({ class: CLASS }))).toBe(10);
    expect(Number(await agents({ class: CLASS, agent: AGENT }))).toBe(1);
    expect(Number(await agents({ class: 'support', agent: AGENT }))).toBe(0);
  });
});

describe('what is shown', () => {
  it('says of a class what became of its alarms', async () => {
    const rows = await rowsOf(sqlOf(panel('False alarms against the budget, by class')));
    expect(rows.map((row) => row['class'])).toEqual(CLASSES);
    for (const row of rows) {
      const [low, rate, high] = [Number(row['low']), Number(row['rate']), Number(row['high'])];
      expect([low, rate, high]).toEqual(proportionOf(Number(row['false']), Number(row['sessions'])));
      expect(row['budget']).toBe(0.01);
    }
    // The demo's person judged one incident harmless, one expected and one true.
    expect(rows.reduce((sum, row) => sum + Number(row['false']), 0)).toBe(2);
    expect(rows.reduce((sum, row) => sum + Number(row['true']), 0)).toBe(1);
  });

  it('times what was done, step by step', async () => {
    const rows = await rowsOf(sqlOf(panel('Response times')));
    expect(rows.map(({ step, mode, commands }) => [step, mode, Number(commands)])).toEqual([
      ['1. decisive event to command', 'act', 3],
      ['2. command to giving out', 'act', 3],
      ['3. giving out to confirmation', 'act', 2],
    ]);
    // The gateway took a step of the clock for the first, two for what came after.
    const [, , confirmed] = rows;
    expect(Number(confirmed?.['p50'])).toBeGreaterThan(0);
    expect(Number(confirmed?.['longest'])).toBeLessThan(1_000);
  });

  it('is the same when everything is stored a second time', { timeout: 120_000 }, async () => {
    const steady = panels.filter(({ title }) => !ABOUT_STORING_OR_NOW.has(title));
    const shown = () => Promise.all(steady.map(({ dashboard, panel: each }) => rowsOf(sqlOf(each), lookAt(dashboard))));
    const before = await shown();
    // Else a merge may be done before anybody looks.
    await demo.store.writer.command('SYSTEM STOP MERGES');
    for (const table of Object.keys(STORED_FIELDS)) {
      await demo.store.writer.command(`INSERT INTO ${table} SELECT * FROM ${table} SETTINGS insert_deduplicate = 0`);
    }
    expect(Number(one(await rowsOf(sqlOf(panel('Stored twice')))))).toBeGreaterThan(10_000);
    const after = await shown();
    steady.forEach(({ file, title }, i) => expect([file, title, after[i]]).toEqual([file, title, before[i]]));
  });

  it('gives Grafana no markup of anybody in the text of an annotation, which it draws as HTML', async () => {
    const hostile = '<a href="https://evil.example/">x</a> & <img src=x onerror=alert(1)>';
    const row = {
      tenant: 'marked',
      id: 'inc_html',
      agentId: 'a,b',
      title: hostile,
      openedAt: demo.fromMs + 1_000,
      sequence: 1,
    };
    await demo.store.writer.insert({ table: 'incidents', body: Buffer.from(JSON.stringify(row)), token: 'html' });
    const [first] = dashboards;
    const rows = await rowsOf(first?.dashboard.annotations.list[1].target.rawSql ?? '', {
      tenant: 'marked',
      agent: 'a,b',
    });
    expect(rows).toHaveLength(1);
    expect(rows[0]?.['text']).not.toMatch(/[<>"]/);
    expect(rows[0]?.['tags']).toBe('a b,,');
  });

  it('tells agents with hostile ids apart', async () => {
    const tenant = "o'\\brien ${x} $__toTime";
    const window = {
      partition: 9,
      start: demo.fromMs,
      end: demo.fromMs + 60_000,
      sessionId: 's',
      streams: '{}',
    };
    const rows = HOSTILE_IDS.map((agentId, i) =>
      JSON.stringify({ ...window, tenant, agentId, sequence: i, id: `win_h${i}`, counts: { calls: i + 1 } }),
    );
    await demo.store.writer.insert({ table: 'windows', body: Buffer.from(rows.join('\n')), token: 'hostile' });
    const agentVariable = dashboards
      .flatMap(({ dashboard }) => queryVariables(dashboard))
      .find(({ name }) => name === 'agent');
    const offered = (await rowsOf(agentVariable?.query.rawSql ?? '', { tenant })).map((row) => one([row]));
    expect(new Set(offered)).toEqual(new Set(HOSTILE_IDS));
    for (const [i, agent] of HOSTILE_IDS.entries()) {
      expect(Number(one(await rowsOf(sqlOf(panel('Calls', 'stat')), { tenant, agent })))).toBe(i + 1);
    }
  });
});

/** Wilson's interval as the observer's own status reckons it. */
function proportionOf(part: number, whole: number): unknown[] {
  const [low, high] = proportionInterval(part, whole);
  return [low, part / whole, high].map((value) => expect.closeTo(value, 5));
}
