import { createHash } from 'node:crypto';
import { type DrawnChart, drawCharts } from './chart-set.js';
import { pageStyle } from './html-style.js';
import { escaped } from './markup.js';
import type { Column, Report, ReportGoal, Total } from './reports.schemas.js';
import { shownTotals, Wording, writtenSpan, writtenState } from './wording.js';

const styleHash = createHash('sha256').update(pageStyle).digest('base64');

/** The page brings its one style sheet and its drawings, and may run, load and send nothing. */
export const pagePolicy = [
  "default-src 'none'",
  `style-src 'sha256-${styleHash}'`,
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ');

/** The report as one page that needs nothing else: for a browser, a printer or an archive. */
export async function htmlPage(report: Report): Promise<string> {
  const wording = new Wording(report.clinic);
  const charts = await drawCharts(report, wording);
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escaped(`${report.clinic.name}: ${report.title}`)}</title>
<style>${pageStyle}</style>
</head>
<body>
<main>
${heading(report)}
${cards(report, wording)}
${goals(report, wording)}
${figures(charts)}
${totals(report, wording)}
${providers(report, wording)}
<footer>Generated ${escaped(wording.generated(report.generatedAt))}. Amounts are rounded to whole ${escaped(report.clinic.currency)}; pts are percentage points; – means that there is nothing to tell it from.</footer>
</main>
</body>
</html>
`;
}

function heading(report: Report): string {
  const { clinic } = report;
  const place = clinic.location ? ` <span>${escaped(clinic.location)}</span>` : '';
  const mark = report.partial ? '<strong class="mark">partial</strong>' : '';
  return `<header>
<p class="clinic">${escaped(clinic.name)}${place}</p>
<h1>${escaped(report.title)} ${mark}</h1>
<p class="span">${escaped(writtenSpan(report))} · ${escaped(clinic.currency)}</p>
<p class="state">${escaped(writtenState(report))}</p>
</header>`;
}

/** The metrics that are looked at first, large. */
export const cardMetrics = ['production', 'collections', 'completed_appointments', 'new_patients'];

export function cardsOf(report: Report): Total[] {
  return cardMetrics.flatMap((code) => report.totals.find(({ metric }) => metric === code) ?? []);
}

function cards(report: Report, wording: Wording): string {
  if (report.isEmpty) return '';
  const items = cardsOf(report).map(
    ({ name, dataType, value, previousPeriod, lastYear }) => `<li>
<span class="name">${escaped(name)}</span>
<span class="value">${escaped(wording.value(dataType, value))}</span>
<span class="than"><b class="${previousPeriod.verdict ?? 'none'}">${escaped(wording.percent(previousPeriod.changePercent))}</b> on ${escaped(report.previousPeriod.period)}</span>
<span class="than"><b class="${lastYear.verdict ?? 'none'}">${escaped(wording.percent(lastYear.changePercent))}</b> on ${escaped(report.lastYear.period)}</span>
</li>`,
  );
  return `<ul class="cards">\n${items.join('\n')}\n</ul>`;
}

function figures(charts: DrawnChart[]): string {
  if (charts.length === 0) return '';
  const items = charts.map(
    ({ chart, svg, isNarrow }) =>
      `<figure${isNarrow ? ' class="narrow"' : ''}><figcaption>${escaped(chart.title)}</figcaption>${svg}</figure>`,
  );
  return `<section class="charts">\n${items.join('\n')}\n</section>`;
}

function totals(report: Report, wording: Wording): string {
  if (report.isEmpty) return '';
  const shown = shownTotals(report);
  const rows = shown.map((total, index) => {
    const isFirst = total.group !== shown[index - 1]?.group;
    const head = isFirst
      ? `<tr class="group"><th colspan="6" scope="rowgroup">${escaped(total.group)}</th></tr>\n`
      : '';
    return `${head}<tr><th scope="row">${escaped(total.name)}</th>${totalCells(total, wording)}</tr>`;
  });
  return `<section><h2>All figures</h2>
<table>
<thead><tr><th scope="col">Metric</th><th scope="col">This period</th><th scope="col">${escaped(report.previousPeriod.period)}</th><th scope="col">Change</th><th scope="col">${escaped(report.lastYear.period)}</th><th scope="col">Change</th></tr></thead>
<tbody>
${rows.join('\n')}
</tbody>
</table>
</section>`;
}

function totalCells({ dataType, value, previousPeriod, lastYear }: Total, wording: Wording): string {
  const earlier = [previousPeriod, lastYear].map((each) => {
    const change = escaped(wording.wholeChange(dataType, each));
    return `<td>${escaped(wording.value(dataType, each.value))}</td><td class="${each.verdict ?? 'none'}">${change}</td>`;
  });
  return `<td class="now">${escaped(wording.value(dataType, value))}</td>${earlier.join('')}`;
}

function goals(report: Report, wording: Wording): string {
  if (report.goals.length === 0) return '';
  return `<section><h2>Goals</h2>
<table>
<thead><tr><th scope="col">Goal</th><th scope="col">Target</th><th scope="col">So far</th><th scope="col">Progress</th><th scope="col">Standing</th><th scope="col">Until</th></tr></thead>
<tbody>
${report.goals.map((goal) => goalRow(goal, wording)).join('\n')}
</tbody>
</table>
</section>`;
}

function goalRow(goal: ReportGoal, wording: Wording): string {
  const whose = goal.providerName ? `, ${goal.providerName}` : '';
  const percent = Number(goal.progressPercent ?? 0);
  const width = Math.max(0, Math.min(100, percent));
  const bar = `<svg role="img" width="90" height="8" viewBox="0 0 90 8"><rect width="90" height="8" rx="4" fill="#e8ecf3"/><rect width="${(width * 0.9).toFixed(1)}" height="8" rx="4" fill="#2456c7"/></svg>`;
  const target = `${goal.direction === 'at_most' ? 'at most ' : ''}${wording.value(goal.dataType, goal.target)}`;
  return `<tr><th scope="row">${escaped(goal.name + whose)}</th><td>${escaped(target)}</td><td class="now">${escaped(wording.value(goal.dataType, goal.current))}</td><td>${bar} ${escaped(wording.value('percentage', goal.progressPercent))}</td><td>${escaped(goal.standing)}</td><td>${escaped(goal.endsOn)}</td></tr>`;
}

function providers({ providers: { columns, rows } }: Report, wording: Wording): string {
  if (rows.length === 0) return '';
  const names = columns.map(({ name }) => `<th scope="col">${escaped(name)}</th>`).join('');
  const lines = rows.map(
    (row) => `<tr><th scope="row">${escaped(row.name)}</th>${providerCells(columns, row.values, wording)}</tr>`,
  );
  return `<section><h2>Providers</h2>
<table>
<thead><tr><th scope="col">Provider</th>${names}</tr></thead>
<tbody>
${lines.join('\n')}
</tbody>
</table>
</section>`;
}

function providerCells(
  columns: Column[],
  values: { metric: string; value: string | null }[],
  wording: Wording,
): string {
  const cells = columns.map(({ metric, dataType }) => {
    const found = values.find((each) => each.metric === metric);
    return `<td>${escaped(wording.value(dataType, found?.value ?? null))}</td>`;
  });
  return cells.join('');
}
