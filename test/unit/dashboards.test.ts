import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { panelsOf, queryVariables, readDashboards } from '../support/grafana/dashboard.js';
import { interpolate } from '../support/grafana/interpolate.js';
import { expandMacros } from '../support/grafana/macros.js';
import { HOSTILE_IDS } from '../support/grafana/hostile-ids.js';
import { repositoryRoot } from '../support/recorded.js';

const dashboards = readDashboards();
const uids = dashboards.map(({ dashboard }) => dashboard.uid);

describe('the dashboards', () => {
  it('are the four that the documentation tells of', () => {
    expect(uids.sort()).toEqual(['parallax-agent', 'parallax-fleet', 'parallax-incidents', 'parallax-pipeline']);
  });

  it.each(dashboards)('$file: every panel has its own id and its own place', ({ dashboard: { panels } }) => {
    expect(new Set(panels.map(({ id }) => id)).size).toBe(panels.length);
    const cells = new Set<string>();
    const shared: string[] = [];
    for (const { title, gridPos } of panels) {
      for (let x = gridPos.x; x < gridPos.x + gridPos.w; x++) {
        for (let y = gridPos.y; y < gridPos.y + gridPos.h; y++) {
          if (x >= 24 || cells.has(`${x},${y}`)) shared.push(title);
          cells.add(`${x},${y}`);
        }
      }
    }
    expect(shared).toEqual([]);
  });

  it.each(dashboards)(
    '$file: queries use only variables there are, in the one format that is safe',
    ({ dashboard }) => {
      const known = new Set(dashboard.templating.list.map(({ name }) => name));
      const texts = [
        ...panelsOf(dashboard).map(({ targets: [target] }) => target.rawSql),
        ...queryVariables(dashboard).map(({ query }) => query.rawSql),
        dashboard.annotations.list[1].target.rawSql,
      ];
      for (const sql of texts) {
        // Whatever is put in stands within quotes, so that no value can be more than a text.
        const uses = [...sql.matchAll(/(.?)\$\{(\w+)(:\w+)?\}(.?)/g)];
        for (const [use, before, name = '', format, after] of uses) {
          expect([use, known.has(name), before, format, after]).toEqual([use, true, "'", ':percentencode', "'"]);
        }
        expect(sql.replace(/\$\{\w+:percentencode\}|\$__\w+/g, '')).not.toContain('$');
      }
    },
  );

  it.each(dashboards)('$file: links lead to dashboards there are, or to the page of Parallax', ({ dashboard }) => {
    const links = [
      ...dashboard.links.map(({ url }) => url),
      ...panelsOf(dashboard).flatMap(({ fieldConfig }) =>
        fieldConfig.overrides.flatMap(({ properties }) =>
          properties.filter(({ id }) => id === 'links').flatMap(({ value }) => urlsOf(value)),
        ),
      ),
    ];
    expect(links.length).toBeGreaterThan(3);
    for (const url of links) {
      const [, uid = ''] = /^\/d\/([\w-]+)\?/.exec(url) ?? [];
      const isPage = /^\$\{parallax\}\/(#\$\{__value\.raw:percentencode\})?$/.test(url);
      expect([url, isPage || uids.includes(uid)]).toEqual([url, true]);
    }
  });

  it('lead from every incident to its page', () => {
    for (const { dashboard } of dashboards) {
      for (const { title, type, targets, fieldConfig } of panelsOf(dashboard)) {
        if (type !== 'table' || !/ AS incident\b|^ +incident$/m.test(targets[0].rawSql)) continue;
        const override = fieldConfig.overrides.find(({ matcher }) => matcher.options === 'incident');
        expect([title, JSON.stringify(override)]).toEqual([
          title,
          expect.stringContaining('${parallax}/#${__value.raw:percentencode}'),
        ]);
      }
    }
  });
});

describe('the provisioning', () => {
  const read = (...path: string[]): unknown =>
    parse(readFileSync(join(repositoryRoot, 'dashboards', 'provisioning', ...path), 'utf8'));

  it('names the data source that the dashboards start with, and no password', () => {
    const [chosen] = dashboards.flatMap(({ dashboard }) =>
      dashboard.templating.list.flatMap((variable) => (variable.type === 'datasource' ? [variable.current.value] : [])),
    );
    expect(read('datasources', 'parallax.yaml')).toMatchObject({
      apiVersion: 1,
      datasources: [
        {
          uid: chosen,
          type: 'grafana-clickhouse-datasource',
          secureJsonData: { password: expect.stringMatching(/^\$(?:\w+|__file\{.+\})$/) },
        },
      ],
    });
  });

  it('reads the folder with the dashboards', () => {
    expect(read('dashboards', 'parallax.yaml')).toMatchObject({
      apiVersion: 1,
      providers: [{ type: 'file', allowUiUpdates: true, options: { path: '/etc/grafana/dashboards' } }],
    });
  });
});

describe("Grafana's part, as the tests play it", () => {
  const range = { fromMs: 1_000_500, toMs: 2_000_900, intervalMs: 60_000 };

  it('expands macros as the plugin does', () => {
    expect(expandMacros('$__timeFilter(w.start) AND $__timeFilter_ms(t)', range)).toBe(
      'w.start >= toDateTime(1000) AND w.start <= toDateTime(2000) AND t >= fromUnixTimestamp64Milli(1000500) AND t <= fromUnixTimestamp64Milli(2000900)',
    );
    expect(expandMacros('$__timeInterval(t), $__interval_s, $__fromTime() < $__toTime', range)).toBe(
      'toStartOfInterval(toDateTime(t), INTERVAL 60 second), 60, toDateTime(1000) < toDateTime(2000)',
    );
    expect(() => expandMacros('$__timeGroup(t)', range)).toThrow('no such macro');
    expect(() => expandMacros('$__timeFilter()', range)).toThrow('wrong number of arguments');
  });

  it.each(HOSTILE_IDS)('leaves nothing of %j that could be more than a text', (id) => {
    const text = interpolate("'${agent:percentencode}'", new Map([['agent', id]]));
    expect(text).toMatch(/^'[\w.~%-]*'$/);
    expect(decodeURIComponent(text.slice(1, -1))).toBe(id);
  });

  it('refuses formats that let a value out', () => {
    for (const use of ['$agent', '${agent}', '${agent:singlequote}', '${agent:sqlstring}', '[[agent:raw]]']) {
      expect(() => interpolate(use, new Map([['agent', 'a']]))).toThrow('break out');
    }
    expect(interpolate('$__timeFilter(t) ${other:raw}', new Map([['agent', 'a']]))).toBe(
      '$__timeFilter(t) ${other:raw}',
    );
  });
});

function urlsOf(value: unknown): string[] {
  if (!Array.isArray(value)) return [];
  return value.flatMap((link: unknown) =>
    typeof link === 'object' && link !== null && 'url' in link ? [String(link.url)] : [],
  );
}
