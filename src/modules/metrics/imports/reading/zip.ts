import { type Entry, fromFdPromise, type ZipFile } from 'yauzl';
import type { SpooledFile } from './spooled-file.js';
import { unreadable } from './unreadable.js';

/** A workbook is some ten parts, a sheet of a million rows some hundred times smaller when packed. */
const maximumEntries = 2_000;
const maximumBytes = 2 * 1024 ** 3;
const maximumRatio = 200;
/** Below this a part may be packed as tightly as it likes. */
const harmlessBytes = 4 * 1024 ** 2;

/** The parts of a zip file by name. What each unpacks to is checked against what the file says of it, and that against limits. */
export class Zip {
  private constructor(
    private readonly file: ZipFile,
    private readonly entries: ReadonlyMap<string, Entry>,
  ) {}

  /** @throws unreadable-file when it is none, is broken, or would unpack to more than a workbook can be */
  static async open({ handle }: SpooledFile): Promise<Zip> {
    try {
      const file = await fromFdPromise(handle.fd, { lazyEntries: true, autoClose: false, validateEntrySizes: true });
      return new Zip(file, await entriesOf(file));
    } catch (error) {
      if (error instanceof Error && 'definition' in error) throw error;
      throw unreadable('The file is not a workbook (XLSX).');
    }
  }

  has(name: string): boolean {
    return this.entries.has(name);
  }

  sizeOf(name: string): number {
    return this.entries.get(name)?.uncompressedSize ?? 0;
  }

  /** The text of a part, as it is unpacked. */
  async *text(name: string): AsyncGenerator<string> {
    const entry = this.entries.get(name);
    if (!entry) throw unreadable(`The workbook has no part ${name}.`);
    const decoder = new TextDecoder('utf-8', { fatal: true });
    try {
      for await (const chunk of await this.file.openReadStreamPromise(entry))
        yield decoder.decode(chunk as Buffer, { stream: true });
    } catch {
      throw unreadable(`The part ${name} of the workbook is broken.`);
    }
  }
}

async function entriesOf(file: ZipFile): Promise<Map<string, Entry>> {
  if (file.entryCount > maximumEntries) throw unreadable(`The workbook has more than ${maximumEntries} parts.`);
  const entries = new Map<string, Entry>();
  for await (const entry of file.eachEntry()) entries.set(entry.fileName, entry);
  refuseBombs([...entries.values()]);
  return entries;
}

function refuseBombs(entries: readonly Entry[]): void {
  const total = entries.reduce((bytes, { uncompressedSize }) => bytes + uncompressedSize, 0);
  const isBomb = entries.some(
    ({ uncompressedSize, compressedSize }) =>
      uncompressedSize > harmlessBytes && uncompressedSize > compressedSize * maximumRatio,
  );
  if (isBomb || total > maximumBytes)
    throw unreadable('The workbook unpacks to far more than it is: it is refused as a zip bomb.');
}
