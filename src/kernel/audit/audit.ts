import { Injectable } from '@nestjs/common';
import { Database } from '../tenancy/database.js';

/** The record of a person that somebody read. */
export interface RecordRead {
  /** With its schema: `public.patients`. */
  table: string;
  rowId: string;
  /** Whose record it is, where that is somebody with an account: reading one's own leaves no trace. */
  personId: string | null;
  clinicId?: string;
  organisationId?: string;
}

/** Leaves traces of reads; changes leave theirs by trigger. */
@Injectable()
export class Audit {
  constructor(private readonly database: Database) {}

  /**
   * Records that the caller read one person's record. The route must be declared with `recordsReads: true`: in a
   * READ ONLY transaction the database refuses the trace, and with it the read. @throws NotFound where the tenant is not
   * one of the caller's.
   */
  async read(record: RecordRead): Promise<void> {
    const { table, rowId, personId, organisationId = null, clinicId = null } = record;
    await this.database.query('SELECT audit.read($1, $2, $3, $4, $5)', [
      table,
      rowId,
      personId,
      organisationId,
      clinicId,
    ]);
  }
}
