import { expect, it } from 'vitest';
import { InOrder } from '../../../../src/sources/kafka/in-order.js';

/** A task that ends when it is told to. */
function task(name: string): { run: () => Promise<string>; finish: () => void; fail: () => void } {
  let [finish, fail] = [() => {}, () => {}];
  const done = new Promise<string>((resolve, reject) => {
    finish = () => resolve(name);
    fail = () => reject(new Error(name));
  });
  return { run: () => done, finish, fail };
}

const settle = () => new Promise((resolve) => setImmediate(resolve));

it('ends tasks in the order in which they began, and lets no more begin than it may', async () => {
  const order = new InOrder();
  const ended: string[] = [];
  const end = (name: string) => Promise.resolve(void ended.push(name));
  const [a, b, c] = [task('a'), task('b'), task('c')];
  await order.run(a.run, end, 2);
  await order.run(b.run, end, 2);
  let isLet = false;
  const third = order.run(c.run, end, 2).then(() => (isLet = true));
  b.finish();
  c.finish();
  await settle();
  expect([ended, isLet]).toEqual([[], false]);
  a.finish();
  await third;
  await order.settled();
  expect(ended).toEqual(['a', 'b', 'c']);
});

it('waits for a task that may not be left behind', async () => {
  const order = new InOrder();
  const ended: string[] = [];
  const a = task('a');
  const only = order.run(a.run, (name) => Promise.resolve(void ended.push(name)), 0);
  a.finish();
  await only;
  expect(ended).toEqual(['a']);
});

it('ends nothing behind a failure, and says it', async () => {
  const order = new InOrder();
  const ended: string[] = [];
  const end = (name: string) => Promise.resolve(void ended.push(name));
  const [a, b] = [task('a'), task('b')];
  await order.run(a.run, end, 8);
  await order.run(b.run, end, 8);
  b.finish();
  a.fail();
  await order.settled();
  expect(ended).toEqual([]);
  await expect(order.run(task('c').run, end, 8)).rejects.toThrow('a');
});
