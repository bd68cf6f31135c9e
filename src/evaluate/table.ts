import type { Figures } from './figures.js';

/** The figures as text for a terminal. */
export function figuresTable(figures: Figures): string {
  const lines: string[] = [];
  const percent = (x: number) => (Number.isNaN(x) ? '   - ' : (100 * x).toFixed(1).padStart(5));
  const fixed = (x: number) => (Number.isNaN(x) ? '  -  ' : x.toFixed(3));
  lines.push(`${''.padEnd(26)}   pos   neg  AUROC  TPR@1%  TPR@5%`);
  for (const row of figures.discrimination) {
    const counts = `${String(row.positives).padStart(6)}${String(row.negatives).padStart(6)}`;
    lines.push(
      `${row.name.padEnd(26)}${counts}  ${fixed(row.auroc)}   ${percent(row.tprAt1)}   ${percent(row.tprAt5)}`,
    );
  }
  lines.push(`within-user-task AUROC ${fixed(figures.withinTaskAuroc)}`);
  const { auroc, tprAt1, tprAt5 } = figures.intervals;
  lines.push(
    `95 % intervals, bootstrap over user tasks: AUROC ${fixed(auroc[0])} to ${fixed(auroc[1])}, ` +
      `TPR@1% ${percent(tprAt1[0])} to ${percent(tprAt1[1])}, TPR@5% ${percent(tprAt5[0])} to ${percent(tprAt5[1])}`,
  );
  lines.push('', 'incidents raised by the engine at its own threshold:');
  for (const { name, alarmed, total } of figures.alarms) {
    lines.push(
      `  ${name.padEnd(30)}${String(alarmed).padStart(5)} / ${String(total).padEnd(5)} ${percent(alarmed / total)} %`,
    );
  }
  const { beforeHarm, atHarm, afterHarm, beforeExposure, hijacked } = figures.timing;
  const raised = beforeHarm + atHarm + afterHarm;
  lines.push(
    `  of ${raised} alarms on ${hijacked} hijacked sessions: ${beforeHarm} strictly before the first harmful call, ` +
      `${atHarm} at it (still in time to hold it), ${afterHarm} after; ${beforeExposure} before the attack was read (spurious)`,
  );
  return lines.join('\n');
}
