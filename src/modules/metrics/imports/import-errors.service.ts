import { Injectable } from '@nestjs/common';
import type { StreamedAnswer } from '../../../kernel/http/answer.js';
import { NotFound } from '../../../kernel/http/http.errors.js';
import { Database } from '../../../kernel/tenancy/database.js';
import type { RowError } from './rows.js';

type KeptError = RowError & { id: string };

const pageRows = 1_000;

/** Every refused row of an import, as a file for whoever mends the source. */
@Injectable()
export class ImportErrorsService {
  constructor(private readonly database: Database) {}

  async file(clinicId: string, importId: string): Promise<StreamedAnswer> {
    const present = await this.database.first(anImport, [clinicId, importId]);
    if (!present) throw new NotFound();
    return {
      stream: this.database.stream(this.lines(clinicId, importId), { objectMode: false }),
      contentType: 'text/csv; charset=utf-8',
      fileName: 'errors.csv',
    };
  }

  private async *lines(clinicId: string, importId: string): AsyncGenerator<string> {
    yield 'line,column,field,code,message\r\n';
    let [afterLine, afterId] = [-1, '0'];
    for (;;) {
      const page = await this.database.separately(() =>
        this.database.query<KeptError>(errorsAfter, [clinicId, importId, afterLine, afterId, pageRows]),
      );
      if (page.length > 0) yield page.map(csvLine).join('');
      const last = page.at(-1);
      if (last === undefined || page.length < pageRows) return;
      [afterLine, afterId] = [last.line, last.id];
    }
  }
}

const csvLine = ({ line, column, field, code, message }: RowError): string =>
  `${[String(line), column ?? '', field ?? '', code, message].map(csvCell).join(',')}\r\n`;

/** The names of columns are a stranger's: a spreadsheet would run one that begins as a formula does. */
function csvCell(text: string): string {
  const harmless = /^[=+\-@\t\r]/.test(text) ? `'${text}` : text;
  return /[",\r\n]/.test(harmless) ? `"${harmless.replaceAll('"', '""')}"` : harmless;
}

const anImport = 'SELECT id FROM public.imports WHERE clinic_id = $1 AND id = $2';

const errorsAfter = `
  SELECT line, column_name AS column, field, code, message, id FROM public.import_errors
   WHERE clinic_id = $1 AND import_id = $2 AND (line, id) > ($3::integer, $4::bigint)
   ORDER BY line, id LIMIT $5`;
