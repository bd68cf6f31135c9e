import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    // One Kafka broker for all files that ask for it.
    globalSetup: ['test/support/kafka/global-setup.ts'],
    include: ['test/**/*.test.ts'],
    testTimeout: 60_000,
    hookTimeout: 60_000,
    // The machine CI has two cores, and the tests start real engines: more workers only fight each other.
    maxWorkers: 2,
  },
});
