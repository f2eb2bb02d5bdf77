import { Readable } from 'node:stream';
import type { StreamedAnswer } from '../../../kernel/http/answer.js';
import { Report, type ReportFormat } from './reports.schemas.js';

export const contentTypes: Record<ReportFormat, string> = {
  json: 'application/json; charset=utf-8',
  html: 'text/html; charset=utf-8',
  pdf: 'application/pdf',
};

/** A report as it goes out. It is drawn when it is read: after the commit, when no connection is held. */
export function streamed(report: Report, format: ReportFormat): StreamedAnswer {
  return {
    stream: Readable.from(parts(report, format), { objectMode: false }),
    contentType: contentTypes[format],
    ...(format === 'pdf' && { fileName: fileNameOf(report) }),
  };
}

export function fileNameOf({ clinic, period }: Report): string {
  return `${clinic.name} ${period}.pdf`;
}

async function* parts(report: Report, format: ReportFormat): AsyncGenerator<string | Buffer> {
  yield await rendered(report, format);
}

/** The drawing and printing libraries are loaded by the first report that needs them. */
async function rendered(report: Report, format: ReportFormat): Promise<string | Buffer> {
  switch (format) {
    case 'json':
      return JSON.stringify(Report.parse(report));
    case 'html':
      return (await import('./html-page.js')).htmlPage(report);
    case 'pdf':
      return (await import('./pdf-document.js')).pdfDocument(report);
  }
}
