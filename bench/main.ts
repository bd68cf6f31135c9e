/** Dispatches `npm run bench`: `quality` is detection quality, `cluster` Kafka, anything else the speed table. */
const SECTIONS = new Map([
  ['quality', './quality.js'],
  ['cluster', './cluster.js'],
  // At full size what test/scenario/cluster-faults.test.ts holds small.
  ['cluster-faults', './cluster-faults.js'],
]);
await import(SECTIONS.get(process.argv[2] ?? '') ?? './pipeline.js');
