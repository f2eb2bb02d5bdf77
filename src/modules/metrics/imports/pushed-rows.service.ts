import { Injectable } from '@nestjs/common';
import { uuidv7 } from 'uuidv7';
import { Database } from '../../../kernel/tenancy/database.js';
import { type ImportRecord, ImportRecords } from './import-records.js';
import { refusalOf } from './import-runs.js';
import { ColumnsMissing, TooManyRows } from './imports.errors.js';
import type { PushedOutcome, PushedRows } from './imports.schemas.js';
import { ambiguousColumns, missingColumns } from './mappings/compiled-mapping.js';
import { MappingChoice } from './mappings/mapping-choice.js';
import { Merge } from './merging/merge.js';
import type { SourceRow } from './rows.js';

const maximumRows = 5_000;

interface JudgedRow {
  line: number;
  action: string;
  errors: { column: string | null; field: string | null; code: string; message: string }[] | null;
}

/** Rows that come in one request, from a script beside a spreadsheet, and are answered one by one. */
@Injectable()
export class PushedRowsService {
  constructor(
    private readonly database: Database,
    private readonly records: ImportRecords,
    private readonly choice: MappingChoice,
    private readonly merge: Merge,
  ) {}

  async push(clinicId: string, userId: string, pushed: PushedRows): Promise<PushedOutcome> {
    const { table, mode, columns, rows, dryRun: isDryRun, strict: isStrict } = pushed;
    if (rows.length > maximumRows) throw new TooManyRows();
    const mapping = await this.choice.of(clinicId, table, pushed);
    const amiss = [...missingColumns(mapping, columns), ...ambiguousColumns(mapping, columns)];
    if (amiss.length > 0) throw new ColumnsMissing(`\`columns\` lacks or repeats ${amiss.join(', ')}.`);
    const id = uuidv7();
    const kind = { source: 'rows', format: 'rows', options: {} } as const;
    const record = { id, clinicId, table, mode, isDryRun, isStrict, mapping, ...kind };
    await this.records.create({ ...record, name: `${rows.length} rows` }, 'running');
    return this.merged({ ...record, attempts: 1, createdBy: userId }, columns, rows);
  }

  private async merged(record: ImportRecord, columns: PushedRows['columns'], rows: PushedRows['rows']) {
    const { id: importId, ...request } = record;
    const result = await this.merge.run({ ...request, importId }, { columns, pages: onePage(rows) });
    const refusal = refusalOf(record, result);
    await this.records.conclude(record, result, refusal);
    const { isMerged: _, ...counts } = result;
    const outcomes = await this.database.query<JudgedRow>(judgedRows, [JSON.stringify(columnsByField(record))]);
    return {
      id: importId,
      status: refusal ? ('failed' as const) : ('done' as const),
      ...counts,
      rows: inOrder(outcomes, rows.length),
    };
  }
}

async function* onePage(rows: PushedRows['rows']): AsyncGenerator<SourceRow[]> {
  yield rows.map((cells, index) => ({ line: index + 1, cells }));
}

function columnsByField({ mapping }: ImportRecord): Record<string, string> {
  return Object.fromEntries(mapping.columns.map(({ field, column }) => [field, column]));
}

const words = { insert: 'inserted', update: 'updated', same: 'unchanged' } as const;

function inOrder(judged: readonly JudgedRow[], count: number): PushedOutcome['rows'] {
  const byLine = new Map(judged.map((row) => [row.line, row]));
  return Array.from({ length: count }, (_, index) => {
    const { action, errors } = byLine.get(index + 1) ?? { action: 'refused', errors: null };
    if (errors) return { outcome: 'refused' as const, errors };
    return { outcome: words[action as keyof typeof words] ?? ('refused' as const) };
  });
}

const judgedRows = `
  SELECT coalesce(f.line, n.line) AS line, coalesce(f.action, 'refused') AS action, n.errors
    FROM pg_temp.import_facts f
    FULL JOIN (SELECT line, jsonb_agg(jsonb_build_object('column', coalesce(column_name, $1::jsonb ->> field),
                      'field', field, 'code', code, 'message', message)) AS errors
                 FROM pg_temp.import_refusals GROUP BY line) n ON n.line = f.line`;
