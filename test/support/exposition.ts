/** One metric of a text in the exposition format of Prometheus, version 0.0.4. */
export interface ExposedMetric {
  name: string;
  type: string;
  help: string;
  samples: { name: string; labels: Record<string, string>; value: number }[];
}

const SAMPLE = /^([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(.*)\})? (\S+)$/;
const LABEL = /([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\["\\n])*)"(?:,|$)/g;

/** Reads the format strictly. @throws Error for a line that Prometheus would not take */
export function parseExposition(text: string): Map<string, ExposedMetric> {
  const metrics = new Map<string, ExposedMetric>();
  let current: ExposedMetric | undefined;
  if (!text.endsWith('\n')) throw new Error('the last line does not end');
  for (const line of text.split('\n')) {
    if (line === '') continue;
    const help = /^# HELP (\S+) (.+)$/.exec(line);
    if (help !== null) {
      const [, name = '', words = ''] = help;
      if (metrics.has(name)) throw new Error(`${name} comes twice`);
      current = { name, type: '', help: words, samples: [] };
      metrics.set(name, current);
      continue;
    }
    const type = /^# TYPE (\S+) (counter|gauge|histogram|summary)$/.exec(line);
    if (type !== null) {
      if (current === undefined || current.name !== type[1]) throw new Error(`TYPE without its HELP: ${line}`);
      current.type = type[2] ?? '';
      continue;
    }
    const sample = SAMPLE.exec(line);
    if (sample === null) throw new Error(`not a line of the format: ${line}`);
    const [, name = '', labelText = '', valueText = ''] = sample;
    const base = current?.type === 'histogram' ? name.replace(/_(bucket|sum|count)$/, '') : name;
    if (current === undefined || base !== current.name) throw new Error(`a sample outside its metric: ${line}`);
    const labels: Record<string, string> = {};
    let read = 0;
    for (const match of labelText.matchAll(LABEL)) {
      labels[match[1] ?? ''] = match[2] ?? '';
      read += match[0].length;
    }
    if (read !== labelText.length) throw new Error(`labels cannot be read: ${line}`);
    current.samples.push({ name, labels, value: valueText === '+Inf' ? Infinity : Number(valueText) });
  }
  return metrics;
}

const UNITS = [
  'seconds',
  'bytes',
  'ratio',
  'records',
  'info',
  'celsius',
  'meters',
  'volts',
  'amperes',
  'joules',
  'grams',
];
const NOT_BASE_UNITS =
  /(?:^|_)(?:milliseconds|millis|ms|microseconds|minutes|hours|days|kilobytes|megabytes|kb|mb|percent)(?:_|$)/;

/** What `promtool check metrics` complains of, in its spirit. Empty where nothing is wrong. */
export function lintExposition(metrics: ReadonlyMap<string, ExposedMetric>): string[] {
  return [...metrics.values()].flatMap(({ name, type, help, samples }) => {
    const problems: string[] = [];
    if (type === '') problems.push(`${name} has no type`);
    if (help.length < 10) problems.push(`${name} has no help to speak of`);
    if (type === 'counter' && !name.endsWith('_total')) problems.push(`${name} is a counter without _total`);
    if (type !== 'counter' && name.endsWith('_total')) problems.push(`${name} ends in _total and is no counter`);
    if (/[A-Z]/.test(name)) problems.push(`${name} is not in snake case`);
    if (NOT_BASE_UNITS.test(name)) problems.push(`${name} is not in a base unit`);
    const unit = UNITS.find((one) => name.includes(`_${one}_`) && !name.endsWith(`_${one}_total`));
    if (unit !== undefined && type === 'histogram') problems.push(`${name}: the unit ${unit} is not at the end`);
    for (const { labels, value } of samples) {
      if (Object.keys(labels).some((label) => /[A-Z]/.test(label)))
        problems.push(`${name}: a label is not in snake case`);
      // Before its first measurement a lag of the event loop is none.
      if (Number.isNaN(value) && !name.startsWith('nodejs_eventloop_lag_'))
        problems.push(`${name}: a value is no number`);
    }
    const series = samples.map(({ name: of, labels }) => JSON.stringify([of, labels]));
    if (new Set(series).size !== series.length) problems.push(`${name}: a series comes twice`);
    return problems;
  });
}

/** One value. @throws Error where there is not exactly one series with these labels */
export function valueOf(
  metrics: ReadonlyMap<string, ExposedMetric>,
  name: string,
  labels: Record<string, string> = {},
): number {
  const base = metrics.get(name) ?? metrics.get(name.replace(/_(bucket|sum|count)$/, ''));
  const found = (base?.samples ?? []).filter(
    (sample) => sample.name === name && Object.entries(labels).every(([key, value]) => sample.labels[key] === value),
  );
  const [only] = found;
  if (found.length !== 1 || only === undefined)
    throw new Error(`${found.length} series ${name} ${JSON.stringify(labels)}`);
  return only.value;
}

/** The sum over all series of a metric. */
export function totalOf(metrics: ReadonlyMap<string, ExposedMetric>, name: string): number {
  return (metrics.get(name)?.samples ?? []).reduce((sum, { value }) => sum + value, 0);
}
