import type { Paint } from './paint.js';

export interface OutcomeRow {
  title: string;
  expected: string;
  observed: string;
  ok: boolean;
}

/** The end of the account: what was expected beside what was observed. */
export function outcomeTable(rows: readonly OutcomeRow[], paint: Paint): string {
  const head = { title: 'story', expected: 'expected', observed: 'observed' };
  const widthOf = (name: 'title' | 'expected' | 'observed') =>
    Math.max(head[name].length, ...rows.map((row) => row[name].length));
  const [title, expected] = [widthOf('title'), widthOf('expected')];
  const line = (a: string, b: string, c: string) => `${a.padEnd(title)}  ${b.padEnd(expected)}  ${c}`;
  const body = rows.map((row, i) => {
    const mark = row.ok ? paint.green('ok ') : paint.red('NO ');
    return `${String(i + 1).padStart(2)}  ${mark} ${line(row.title, row.expected, row.ok ? row.observed : paint.red(row.observed))}`;
  });
  return [paint.bold(`        ${line(head.title, head.expected, head.observed)}`), ...body].join('\n');
}
