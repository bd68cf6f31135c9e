import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    testTimeout: 60_000,
    hookTimeout: 60_000,
    // A second, the default, is too short for a page on a busy machine.
    expect: { poll: { timeout: 15_000 } },
    // The machine CI has two cores, and the tests start real engines: more workers only fight each other.
    maxWorkers: 2,
    // One Kafka broker for all files that ask for it.
    globalSetup: ['test/support/kafka/global-setup.ts'],
    // In the order of their names: what is long begins first, and what is short fills the end.
    projects: [
      {
        extends: true,
        test: { name: 'services', include: ['test/{browser,integration,scenario}/**/*.test.ts'] },
      },
      {
        extends: true,
        test: {
          name: 'units',
          include: ['test/{contract,unit}/**/*.test.ts'],
          // A process for each of two hundred short files costs more than the files do. None of them changes what others see.
          isolate: false,
        },
      },
    ],
  },
});
