import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { Inject, Injectable } from '@nestjs/common';
import { z } from 'zod';
import { CONFIG, type Config } from '../config/config.js';
import { JobHandler, Scheduled } from '../jobs/job-handler.decorator.js';
import { ArchiveDiffers } from './archive-differs.js';
import { type Digest, type FileDigest, isSame, publish, readDigest, writeLines } from './archive-file.js';
import { AuditMonths } from './audit-months.js';

/** Missed once or twice, the job still finds its months made. */
const monthsAhead = 3;

/**
 * Makes the partitions of the months to come and, where a retention is set, puts away those beyond it: written to a file
 * aside, read back from the disk and compared with the table, named, and only then dropped. Cut off at any point, the next
 * run finds the table whole or the file complete.
 */
@Injectable()
export class AuditRetention {
  constructor(
    private readonly months: AuditMonths,
    @Inject(CONFIG) private readonly config: Config,
  ) {}

  @Scheduled('20 3 1 * *')
  @JobHandler('kernel.audit-retention', { payload: z.object({}) })
  async run(): Promise<void> {
    await this.months.make(monthsAhead);
    const { retentionMonths } = this.config.audit;
    if (retentionMonths === 0) return;
    for (const month of await this.months.before(retentionMonths)) await this.putAway(month);
  }

  private async putAway(month: string): Promise<void> {
    const digest = await this.months.digest(month);
    const file = digest.rows === 0 ? undefined : await this.fileOf(month, digest);
    await this.months.drop(month, digest.rows, file?.sha256 ?? null);
  }

  /** The file that holds exactly the month: one that an earlier run has finished, or a new one. */
  private async fileOf(month: string, digest: Digest): Promise<FileDigest> {
    const { archiveDir } = this.config.audit;
    await mkdir(archiveDir, { recursive: true, mode: 0o700 });
    // Lines may come for a month that was put away before: its file is never written over.
    for (let number = 1; ; number += 1) {
      const file = join(archiveDir, nameOf(month, number));
      const present = await readDigest(file);
      if (present && isSame(present, digest)) return present;
      if (!present) return this.write(month, file, digest);
    }
  }

  private async write(month: string, file: string, digest: Digest): Promise<FileDigest> {
    const aside = `${file}.partial`;
    await writeLines(aside, this.months.lines(month));
    const written = await readDigest(aside);
    if (!written || !isSame(written, digest)) throw new ArchiveDiffers(month);
    await publish(aside, file, written.sha256);
    return written;
  }
}

/** `audit-2026-01.ndjson.gz`, and `audit-2026-01.2.ndjson.gz` for what came later. */
function nameOf(month: string, number: number): string {
  return `audit-${month.slice(0, 7)}${number === 1 ? '' : `.${number}`}.ndjson.gz`;
}
