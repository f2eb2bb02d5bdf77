import { exitWith } from './fatal.js';

/** What has started, and how to end it. */
export interface Running {
  stop(): Promise<void>;
}

/**
 * Starts a service and runs it until Ctrl-C, SIGTERM or a closed terminal. A start that a signal meets half-way is
 * finished and then undone: cut off, it would leave the embedded server behind. A second signal ends the process at once.
 */
export function run(start: () => Promise<Running>): void {
  const running = start();
  running.catch(exitWith);
  onFirstSignal(() => {
    running
      .then((service) => service.stop())
      .then(
        () => process.exit(0),
        () => process.exit(1),
      );
  });
}

/** For a command, of which a signal leaves the work half done: what it started ends with the process, as at any exit. */
export function exitOnSignals(): void {
  onFirstSignal(() => process.exit(1));
}

function onFirstSignal(react: () => void): void {
  let isStopping = false;
  const onSignal = () => {
    if (isStopping) process.exit(1);
    isStopping = true;
    react();
  };
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, onSignal);
}
