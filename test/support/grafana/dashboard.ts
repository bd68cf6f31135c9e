import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { repositoryRoot } from '../recorded.js';

/**
 * The parts of Grafana's dashboard model (schemaVersion 39; kinds/dashboard of grafana/grafana) that the dashboards
 * consist of. What is not named here is not used, so that a slip of the pen does not pass as a setting.
 */
const dataSource = z.strictObject({ type: z.string(), uid: z.string() });
const ownSource = z.strictObject({
  type: z.literal('grafana-clickhouse-datasource'),
  uid: z.literal('${datasource}'),
});
/** The plugin's query, after its src/types/sql.ts; `format`: 0 time series, 1 table. */
const target = z
  .strictObject({
    refId: z.string(),
    datasource: ownSource.exactOptional(),
    editorType: z.literal('sql'),
    queryType: z.enum(['table', 'timeseries']),
    format: z.union([z.literal(0), z.literal(1)]),
    pluginVersion: z.string(),
    rawSql: z.string().min(1),
  })
  .refine(({ queryType, format }) => (queryType === 'timeseries') === (format === 0));
const gridPos = z.strictObject({
  h: z.number().int().positive(),
  w: z.number().int().positive().max(24),
  x: z.number().int().min(0).max(23),
  y: z.number().int().min(0),
});
const property = z.strictObject({ id: z.string(), value: z.unknown() });
const fieldConfig = z.strictObject({
  defaults: z.looseObject({ unit: z.string().min(1) }),
  overrides: z.array(
    z.strictObject({
      matcher: z.strictObject({ id: z.literal('byName'), options: z.string() }),
      properties: z.array(property).min(1),
    }),
  ),
});
const panelSchema = z.strictObject({
  id: z.number().int().positive(),
  type: z.enum(['stat', 'timeseries', 'table', 'barchart', 'state-timeline']),
  title: z.string().min(1),
  description: z.string().min(20),
  datasource: ownSource,
  gridPos,
  fieldConfig,
  options: z.record(z.string(), z.unknown()),
  targets: z.tuple([target]),
});
const rowSchema = z.strictObject({
  id: z.number().int().positive(),
  type: z.literal('row'),
  title: z.string().min(1),
  collapsed: z.literal(false),
  panels: z.tuple([]),
  gridPos,
});
const common = {
  name: z.string().regex(/^\w+$/),
  label: z.string().min(1),
  description: z.string().min(1),
  hide: z.union([z.literal(0), z.literal(2)]),
  skipUrlSync: z.boolean(),
};
const current = z.strictObject({ text: z.string(), value: z.string() });
const queryVariable = z.strictObject({
  ...common,
  type: z.literal('query'),
  datasource: ownSource,
  query: z.strictObject({ refId: z.string(), queryType: z.literal('sql'), rawSql: z.string().min(1) }),
  definition: z.string(),
  refresh: z.union([z.literal(1), z.literal(2)]),
  sort: z.literal(0),
  /** Several values at once would come joined by commas, which ids may hold. */
  multi: z.literal(false),
  includeAll: z.boolean(),
  allValue: z.literal('*').exactOptional(),
  regex: z.literal(''),
  options: z.tuple([]),
  current: z.union([current, z.strictObject({})]),
});
const variableSchema = z.discriminatedUnion('type', [
  queryVariable,
  z.strictObject({
    ...common,
    type: z.literal('datasource'),
    query: z.literal('grafana-clickhouse-datasource'),
    refresh: z.literal(1),
    regex: z.literal(''),
    multi: z.literal(false),
    includeAll: z.literal(false),
    options: z.tuple([]),
    current,
  }),
  z.strictObject({
    ...common,
    type: z.literal('constant'),
    query: z.string(),
    options: z.array(z.strictObject({ text: z.string(), value: z.string(), selected: z.boolean() })),
    current,
  }),
]);
const link = z.strictObject({
  title: z.string().min(1),
  type: z.literal('link'),
  url: z.string().min(1),
  icon: z.string(),
  tooltip: z.string(),
  targetBlank: z.boolean(),
  asDropdown: z.boolean(),
  includeVars: z.boolean(),
  keepTime: z.boolean(),
  tags: z.array(z.string()),
});
const builtIn = z.strictObject({
  builtIn: z.literal(1),
  datasource: dataSource,
  enable: z.boolean(),
  hide: z.boolean(),
  iconColor: z.string(),
  name: z.string(),
  type: z.literal('dashboard'),
});
const annotation = z.strictObject({
  name: z.string(),
  datasource: ownSource,
  enable: z.boolean(),
  hide: z.boolean(),
  iconColor: z.string(),
  target,
});
const dashboardSchema = z.strictObject({
  uid: z.string().regex(/^[\w-]{1,40}$/),
  title: z.string().min(1),
  description: z.string().min(1),
  tags: z.array(z.string()),
  schemaVersion: z.literal(39),
  version: z.number().int(),
  editable: z.boolean(),
  graphTooltip: z.number().int().min(0).max(2),
  fiscalYearStartMonth: z.literal(0),
  liveNow: z.boolean(),
  refresh: z.string(),
  time: z.strictObject({ from: z.string(), to: z.string() }),
  timezone: z.string(),
  timepicker: z.strictObject({}),
  weekStart: z.string(),
  links: z.array(link),
  annotations: z.strictObject({ list: z.tuple([builtIn, annotation]) }),
  templating: z.strictObject({ list: z.array(variableSchema) }),
  panels: z.array(z.union([panelSchema, rowSchema])).min(1),
});

export type Dashboard = z.infer<typeof dashboardSchema>;
export type Panel = z.infer<typeof panelSchema>;
export type QueryVariable = z.infer<typeof queryVariable>;

const FOLDER = join(repositoryRoot, 'dashboards', 'json');

/** Every dashboard by file name. @throws where one is not of Grafana's shape */
export function readDashboards(): { file: string; dashboard: Dashboard }[] {
  return readdirSync(FOLDER)
    .sort()
    .map((file) => ({
      file,
      dashboard: dashboardSchema.parse(JSON.parse(readFileSync(join(FOLDER, file), 'utf8'))),
    }));
}

/** Panels that show data. */
export function panelsOf({ panels }: Dashboard): Panel[] {
  return panels.filter((panel): panel is Panel => panel.type !== 'row');
}

export function queryVariables({ templating }: Dashboard): QueryVariable[] {
  return templating.list.filter((variable): variable is QueryVariable => variable.type === 'query');
}
