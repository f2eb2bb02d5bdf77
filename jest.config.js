import { filesWithoutProgram } from './test/support/programs.ts';

/**
 * Files that start a server of their own, or are about what no database decides: on a server of somebody's they would
 * say the same again.
 */
const sameOnAnyServer = [
  ...['test/docs-page', 'test/emulators', 'test/integrations', 'test/readme', 'test/social/click-through'],
  ...['test/faults/database-restart', 'test/faults/publishing-restart'],
  ...['test/faults/messenger-connect', 'test/faults/messenger-deliveries', 'test/faults/messenger-restart'],
  ...['test/faults/messenger-sending', 'test/faults/messenger-stream', 'test/faults/publishing-workers'],
  ...['test/faults/refused-starts', 'test/faults/start-and-stop', 'test/faults/meta-away'],
  ...['test/kernel/config', 'test/kernel/draining', 'test/kernel/embedded-postgres'],
  ...['test/kernel/shared-rate-limits', 'test/kernel/rate-limits', 'test/kernel/uploads'],
  ...['test/auth/facebook-outages', 'test/social/publishing-recovery', 'test/messenger/sending-recovery'],
  ...['test/messenger/business-hours', 'test/messenger/leads-keywords', 'test/messenger/webhook-signature'],
  ...['test/metrics/sheets-worker'],
];

/** Tests run as ES modules, through swc, against the databases that test/support/global-setup.js prepares. */
export default {
  testEnvironment: 'node',
  testMatch: ['<rootDir>/test/**/*.test.ts'],
  testPathIgnorePatterns: [
    ...['/node_modules/', '<rootDir>/test/bench/'],
    ...filesWithoutProgram().map(([file]) => file),
    ...(process.env.TEST_DATABASE_URL ? sameOnAnyServer : []),
  ],
  modulePathIgnorePatterns: ['<rootDir>/dist/'],
  extensionsToTreatAsEsm: ['.ts'],
  moduleNameMapper: { '^(\\.{1,2}/.*)\\.js$': '$1' },
  transform: { '^.+\\.ts$': ['@swc/jest'] },
  globalSetup: '<rootDir>/test/support/global-setup.js',
  globalTeardown: '<rootDir>/test/support/global-teardown.js',
  testTimeout: 30_000,
  // Much of a test is waiting for processes, clocks and servers.
  maxWorkers: 3,
  // A test that failed may have left a service open: the run must end, with its result.
  forceExit: true,
};
