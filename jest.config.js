import { filesWithoutProgram } from './test/support/programs.ts';

/** Files about the embedded server, or about none: on a server of somebody's they would say the same again. */
const apartFromTheDatabase = [
  ...['test/docs-page', 'test/emulators', 'test/faults/start-and-stop', 'test/integrations', 'test/readme'],
  ...['test/kernel/config', 'test/kernel/draining', 'test/kernel/embedded-postgres'],
];

/** Tests run as ES modules, through swc, against the databases that test/support/global-setup.js prepares. */
export default {
  testEnvironment: 'node',
  testMatch: ['<rootDir>/test/**/*.test.ts'],
  testPathIgnorePatterns: ['/node_modules/', '<rootDir>/test/bench/', ...filesWithoutProgram().map(([file]) => file), ...(process.env.TEST_DATABASE_URL ? apartFromTheDatabase : [])],
  modulePathIgnorePatterns: ['<rootDir>/dist/'],
  extensionsToTreatAsEsm: ['.ts'],
  moduleNameMapper: { '^(\\.{1,2}/.*)\\.js$': '$1' },
  transform: { '^.+\\.ts$': ['@swc/jest'] },
  globalSetup: '<rootDir>/test/support/global-setup.js',
  globalTeardown: '<rootDir>/test/support/global-teardown.js',
  testTimeout: 30_000,
  maxWorkers: 2,
  // A test that failed may have left a service open: the run must end, with its result.
  forceExit: true,
};
